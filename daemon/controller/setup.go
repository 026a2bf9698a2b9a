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
	for _, i := range indexes() {
		if err := manager.GetFieldIndexer().IndexField(ctx, i.object, i.name, i.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.object, i.name, err)
		}
	}
	woken := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, canary types.NamespacedName) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: canary}}
	})
	controlled := ctrl.NewControllerManagedBy(manager).Named("canary").For(&v1beta1.Canary{})
	for _, w := range r.watches() {
		controlled.Watches(w.object, handler.EnqueueRequestsFromMapFunc(w.wake), builder.WithPredicates(w.predicates...))
	}
	return controlled.
		WatchesRawSource(source.TypedChannel(verdicts, woken)).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency, SkipNameValidation: &skipNameValidation}).
		Complete(r)
}

// index is one by which the reconciler finds objects in the cache.
type index struct {
	object client.Object
	name   string
	values client.IndexerFunc
}

func indexes() []index {
	return []index{
		{&v1beta1.Canary{}, targetIndex, func(o client.Object) []string { return []string{target(o)} }},
		{&servingv1.Service{}, noteIndex, noted},
	}
}

// watch says which Canaries a change of an object concerns, besides a Canary's own.
type watch struct {
	object     client.Object
	wake       handler.MapFunc
	predicates []predicate.Predicate
}

func (r *Reconciler) watches() []watch {
	return []watch{
		// A Canary that gives its Service up makes room for another one.
		{&v1beta1.Canary{}, r.wake(target), []predicate.Predicate{predicate.GenerationChangedPredicate{}}},
		{&servingv1.Service{}, r.wake(client.Object.GetName), nil},
		// A Canary may be gone already when its Service is first seen.
		{&servingv1.Service{}, wakeNoted, nil},
		{&servingv1.Revision{}, r.wake(func(o client.Object) string { return o.GetLabels()[serving.ServiceLabelKey] }), nil},
	}
}

// target is the name of a Canary's Service.
func target(o client.Object) string { return o.(*v1beta1.Canary).Spec.TargetRef.Name }

// wakeNoted calls for the Canary that is noted on a Service.
func wakeNoted(_ context.Context, o client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, name := range noted(o) {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}})
	}
	return requests
}

// wake calls for the Canaries of the Service that an object is about.
func (r *Reconciler) wake(service func(client.Object) string) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
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
	}
}

// canariesOf finds the Canaries of a Service, somebody else's among them.
func (r *Reconciler) canariesOf(ctx context.Context, namespace, service string) ([]v1beta1.Canary, error) {
	var canaries v1beta1.CanaryList
	if err := r.Client.List(ctx, &canaries, client.InNamespace(namespace), client.MatchingFields{targetIndex: service}); err != nil {
		return nil, fmt.Errorf("list the canaries of service %s/%s: %w", namespace, service, err)
	}
	return canaries.Items, nil
}
