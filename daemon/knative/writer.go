package knative

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldOwner is the name under which Serin writes Services. Whoever else owns
// spec.traffic has changed it.
const FieldOwner = "serin"

// Writer changes Services. It needs the verb patch.
type Writer struct {
	Client client.Client
}

// Write turns a Service as it was read into what Divide or Depart made of it.
// An error for which apierrors.IsConflict holds means that the Service has
// changed since it was read: read it again and decide again.
func (w Writer) Write(ctx context.Context, read, next *servingv1.Service) error {
	patch := client.MergeFromWithOptions(read, client.MergeFromWithOptimisticLock{})
	if err := w.Client.Patch(ctx, next, patch, client.FieldOwner(FieldOwner)); err != nil {
		return fmt.Errorf("move the traffic of service %s/%s: %w", read.Namespace, read.Name, err)
	}
	return nil
}

// trafficFields is how the owner of spec.traffic is noted.
const trafficFields = `"f:traffic"`

// trafficOwner is the entry of who wrote spec.traffic last, or nil.
func trafficOwner(fields []metav1.ManagedFieldsEntry) *metav1.ManagedFieldsEntry {
	var owner *metav1.ManagedFieldsEntry
	for i := range fields {
		f := &fields[i]
		if f.Subresource != "" || f.FieldsV1 == nil || !strings.Contains(string(f.FieldsV1.Raw), trafficFields) {
			continue
		}
		if owner == nil || (f.Time != nil && (owner.Time == nil || !f.Time.Before(owner.Time))) {
			owner = f
		}
	}
	return owner
}

// specWriter is who else than Serin changed spec.traffic last, and when.
func specWriter(service *servingv1.Service) (manager string, at time.Time) {
	owner := trafficOwner(service.ManagedFields)
	if owner == nil || owner.Manager == FieldOwner {
		return "", time.Time{}
	}
	if owner.Time != nil {
		at = owner.Time.Time
	}
	return owner.Manager, at
}

// Trim takes from an object what nobody reads, before it is cached: of the fields'
// managers that is all but the owner of a Service's spec.traffic.
func Trim(object any) (any, error) {
	o, ok := object.(metav1.Object)
	if !ok {
		return object, nil
	}
	service, ok := object.(*servingv1.Service)
	if !ok {
		o.SetManagedFields(nil)
		return object, nil
	}
	if owner := trafficOwner(service.ManagedFields); owner != nil {
		service.ManagedFields = []metav1.ManagedFieldsEntry{{
			Manager: owner.Manager, Operation: owner.Operation, Time: owner.Time,
			FieldsV1: &metav1.FieldsV1{Raw: []byte("{" + trafficFields + ":{}}")},
		}}
	} else {
		service.ManagedFields = nil
	}
	return service, nil
}
