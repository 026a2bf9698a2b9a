package knative

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/daemon/rollout"
)

// A write that was computed from a Service as it was is a conflict, whatever has
// changed since.
func TestWriteIsOfTheServiceAsItWasRead(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := servingv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "podinfo"}}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(service).Build()
	read := new(servingv1.Service)
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), read); err != nil {
		t.Fatal(err)
	}
	next, err := Divide(read, rollout.Traffic{Primary: "a"}, leftBy("life-1"))
	if err != nil {
		t.Fatal(err)
	}
	changed := read.DeepCopy()
	changed.Labels = map[string]string{"team": "b"}
	if err := api.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := (Writer{Client: api}).Write(t.Context(), read, next.DeepCopy()); !apierrors.IsConflict(err) {
		t.Errorf("a Service that has changed is written: %v", err)
	}
	next.ResourceVersion = changed.ResourceVersion
	if err := (Writer{Client: api}).Write(t.Context(), changed, next); err != nil {
		t.Errorf("the Service as it is cannot be written: %v", err)
	}
}
