package controller

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/serin-dev/serin/api/v1beta1"
)

// targetIndex indexes Canaries by the name of their Service.
const targetIndex = "spec.targetRef.name"

// concurrency is the number of Canaries that are reconciled at once. A
// reconcile waits for nothing but the API server.
const concurrency = 4

// Verdicts wakes the reconciler for a Canary that has a new verdict.
type Verdicts chan event.TypedGenericEvent[types.NamespacedName]

// Notify announces a verdict. It gives up when ctx ends.
func (v Verdicts) Notify(ctx context.Context, canary types.NamespacedName) {
	select {
	case v <- event.TypedGenericEvent[types.NamespacedName]{Object: canary}:
	case <-ctx.Done():
	}
}

// Setup registers the reconciler with a manager. skipNameValidation allows
// several managers in one process, as in tests.
func (r *Reconciler) Setup(ctx context.Context, manager ctrl.Manager, verdicts Verdicts, skipNameValidation bool) error {
	err := manager.GetFieldIndexer().IndexField(ctx, &v1beta1.Canary{}, targetIndex, func(o client.Object) []string {
		return []string{o.(*v1beta1.Canary).Spec.TargetRef.Name}
	})
	if err != nil {
		return fmt.Errorf("index canaries by service: %w", err)
	}
	woken := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, canary types.NamespacedName) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: canary}}
	})
	return ctrl.NewControllerManagedBy(manager).
		Named("canary").
		For(&v1beta1.Canary{}).
		Watches(&servingv1.Service{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return r.canariesOf(ctx, o.GetNamespace(), o.GetName())
		})).
		Watches(&servingv1.Revision{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			return r.canariesOf(ctx, o.GetNamespace(), o.GetLabels()[serving.ServiceLabelKey])
		})).
		WatchesRawSource(source.TypedChannel(verdicts, woken)).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency, SkipNameValidation: &skipNameValidation}).
		Complete(r)
}

// canariesOf finds the Canaries of a Service.
func (r *Reconciler) canariesOf(ctx context.Context, namespace, service string) []reconcile.Request {
	if service == "" {
		return nil
	}
	var canaries v1beta1.CanaryList
	if err := r.Client.List(ctx, &canaries, client.InNamespace(namespace), client.MatchingFields{targetIndex: service}); err != nil {
		r.Log.ErrorContext(ctx, "cannot look up the canaries of a service", "service", namespace+"/"+service, "error", err)
		return nil
	}
	requests := make([]reconcile.Request, len(canaries.Items))
	for i := range canaries.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&canaries.Items[i])
	}
	return requests
}
