package knative

import (
	"context"
	"fmt"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/daemon/rollout"
)

// Writer changes the traffic of Services.
type Writer struct {
	Client client.Client
}

// Divide brings about the wanted division and reports whether that took a
// write. A conflict means that the Service has changed since it was read.
func (w Writer) Divide(ctx context.Context, service *servingv1.Service, want rollout.Traffic) (bool, error) {
	next, changed, err := divided(service, want)
	if err != nil || !changed {
		return false, err
	}
	return true, w.patch(ctx, service, next)
}

// Restore gives the Service back the traffic found at initialization. A
// Service that Serin has not touched is left alone.
func (w Writer) Restore(ctx context.Context, service *servingv1.Service) error {
	if service.Annotations[PrimaryRevisionAnnotation] == "" {
		return nil
	}
	next, err := restored(service)
	if err != nil {
		return err
	}
	return w.patch(ctx, service, next)
}

func (w Writer) patch(ctx context.Context, service, next *servingv1.Service) error {
	patch := client.MergeFromWithOptions(service, client.MergeFromWithOptimisticLock{})
	if err := w.Client.Patch(ctx, next, patch); err != nil {
		return fmt.Errorf("move the traffic of service %s/%s: %w", service.Namespace, service.Name, err)
	}
	return nil
}
