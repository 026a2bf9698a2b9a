package controller

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
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
	if err := manager.GetFieldIndexer().IndexField(ctx, &servingv1.Service{}, noteIndex, noted); err != nil {
		return fmt.Errorf("index services by the canary noted on them: %w", err)
	}
	woken := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, canary types.NamespacedName) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: canary}}
	})
	return ctrl.NewControllerManagedBy(manager).
		Named("canary").
		For(&v1beta1.Canary{}).
		// A Canary that gives its Service up makes room for another one.
		Watches(&v1beta1.Canary{}, r.wake(func(o client.Object) string { return o.(*v1beta1.Canary).Spec.TargetRef.Name }),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&servingv1.Service{}, r.wake(client.Object.GetName)).
		// A Canary may be gone already when its Service is first seen.
		Watches(&servingv1.Service{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
			var requests []reconcile.Request
			for _, name := range noted(o) {
				requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}})
			}
			return requests
		})).
		Watches(&servingv1.Revision{}, r.wake(func(o client.Object) string { return o.GetLabels()[serving.ServiceLabelKey] })).
		WatchesRawSource(source.TypedChannel(verdicts, woken)).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency, SkipNameValidation: &skipNameValidation}).
		Complete(r)
}

// wake calls for the Canaries of the Service that an object is about.
func (r *Reconciler) wake(service func(client.Object) string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		name := service(o)
		if name == "" {
			return nil
		}
		canaries, err := r.canariesOf(ctx, o.GetNamespace(), name)
		if err != nil {
			r.Log.ErrorContext(ctx, "cannot tell whom a change concerns", "error", err)
			return nil
		}
		requests := make([]reconcile.Request, len(canaries))
		for i := range canaries {
			requests[i].NamespacedName = client.ObjectKeyFromObject(&canaries[i])
		}
		return requests
	})
}

// canariesOf finds the Canaries of a Service, somebody else's among them.
func (r *Reconciler) canariesOf(ctx context.Context, namespace, service string) ([]v1beta1.Canary, error) {
	var canaries v1beta1.CanaryList
	if err := r.Client.List(ctx, &canaries, client.InNamespace(namespace), client.MatchingFields{targetIndex: service}); err != nil {
		return nil, fmt.Errorf("list the canaries of service %s/%s: %w", namespace, service, err)
	}
	return canaries.Items, nil
}
