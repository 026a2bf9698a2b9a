package admission

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const (
	defaultsPath   = "/defaults"
	validationPath = "/validation"
	// name is that of Knative's own webhook.
	name = "webhook.serving.knative.dev"
)

// Webhook serves the admission reviews of one API server.
type Webhook struct {
	address string // host:port
	ca      []byte
	server  webhook.Server
}

// New prepares a webhook on a loopback port that must be free; dir takes its
// certificate. Its server is to be run by a manager.
func New(dir string, port int) (*Webhook, error) {
	const host = "127.0.0.1"
	certificate, key, err := cert.GenerateSelfSignedCertKey(host, []net.IP{net.ParseIP(host)}, nil)
	if err != nil {
		return nil, fmt.Errorf("make the webhook's certificate: %w", err)
	}
	w := &Webhook{address: fmt.Sprintf("%s:%d", host, port), ca: certificate}
	for file, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := write(dir, file, content); err != nil {
			return nil, err
		}
	}
	w.server = webhook.NewServer(webhook.Options{Host: host, Port: port, CertDir: dir})
	w.server.Register(defaultsPath, &admission.Webhook{Handler: admission.HandlerFunc(setDefaults)})
	w.server.Register(validationPath, &admission.Webhook{Handler: admission.HandlerFunc(validate)})
	return w, nil
}

// Server is the webhook's HTTPS server.
func (w *Webhook) Server() webhook.Server { return w.server }

// Install tells the API server to ask the webhook.
func (w *Webhook) Install(ctx context.Context, c client.Client) error {
	rules := []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{servingv1.SchemeGroupVersion.Group}, APIVersions: []string{servingv1.SchemeGroupVersion.Version},
			Resources: []string{"services", "configurations", "routes", "revisions"},
		},
	}}
	none := admissionregistrationv1.SideEffectClassNone
	reviews := []string{"v1"}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: name, ClientConfig: w.clientConfig(defaultsPath), Rules: rules, SideEffects: &none, AdmissionReviewVersions: reviews,
		}},
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "validation." + name},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "validation." + name, ClientConfig: w.clientConfig(validationPath), Rules: rules, SideEffects: &none, AdmissionReviewVersions: reviews,
		}},
	}
	for _, object := range []client.Object{mutating, validating} {
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("register Knative's admission webhook: %w", err)
		}
	}
	return nil
}

func (w *Webhook) clientConfig(path string) admissionregistrationv1.WebhookClientConfig {
	url := "https://" + w.address + path
	return admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: w.ca}
}

func write(dir, file string, content []byte) error {
	if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
		return fmt.Errorf("keep the webhook's certificate: %w", err)
	}
	return nil
}
