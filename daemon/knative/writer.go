package knative

import (
	"context"
	"fmt"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Writer changes Services. It needs the verb patch.
type Writer struct {
	Client client.Client
}

// Write turns a Service as it was read into what Divide or Restore made of it.
// An error for which apierrors.IsConflict holds means that the Service has
// changed since it was read: read it again and decide again.
func (w Writer) Write(ctx context.Context, read, next *servingv1.Service) error {
	patch := client.MergeFromWithOptions(read, client.MergeFromWithOptimisticLock{})
	if err := w.Client.Patch(ctx, next, patch); err != nil {
		return fmt.Errorf("move the traffic of service %s/%s: %w", read.Namespace, read.Name, err)
	}
	return nil
}
