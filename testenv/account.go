package testenv

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// accountTokenSeconds is how long a ServiceAccount's token is good for: longer
// than any test.
const accountTokenSeconds = 24 * 60 * 60

// ServiceAccountConfig returns a client configuration that has the rights of a
// ServiceAccount, and no others, so that a chart's RBAC rules can be tried. It
// makes the ServiceAccount where there is none.
func (e *Env) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	err := e.Client.Get(ctx, client.ObjectKeyFromObject(account), account)
	if client.IgnoreNotFound(err) == nil && err != nil {
		err = e.Client.Create(ctx, account)
	}
	if err != nil {
		return nil, fmt.Errorf("ServiceAccount %s/%s: %w", namespace, name, err)
	}
	seconds := int64(accountTokenSeconds)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	if err := e.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return nil, fmt.Errorf("token for ServiceAccount %s/%s: %w", namespace, name, err)
	}
	config := rest.AnonymousClientConfig(e.Config)
	config.BearerToken = request.Status.Token
	return config, nil
}
