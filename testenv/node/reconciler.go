package node

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/kmeta"
	"knative.dev/serving/pkg/apis/autoscaling"
	autoscalingv1alpha1 "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Reconciler makes a node follow the Deployments and PodAutoscalers that
// Knative makes for revisions. A request names a revision.
type Reconciler struct {
	Client client.Client
	Node   *Node
	// Grace is how long a revision that no Route names keeps its pods.
	// Knative's own is about a minute.
	Grace time.Duration

	mu          sync.Mutex // guards unreachable
	unreachable map[types.NamespacedName]time.Time
}

// Setup registers the reconciler with a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	r.unreachable = make(map[types.NamespacedName]time.Time)
	byLabel := func(_ context.Context, o client.Object) []reconcile.Request {
		name := o.GetLabels()[serving.RevisionLabelKey]
		if name == "" {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
	}
	changed := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, revision types.NamespacedName) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: revision}}
	})
	return ctrl.NewControllerManagedBy(manager).Named("node").
		For(&autoscalingv1alpha1.PodAutoscaler{}). // has its revision's name
		Watches(&servingv1.Revision{}, &handler.EnqueueRequestForObject{}).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		WatchesRawSource(source.TypedChannel(r.Node.changes, changed)).
		Complete(r)
}

// Reconcile runs as many pods as the Deployment wants, and reports them.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	result, err := r.reconcile(ctx, req.NamespacedName)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return ctrl.Result{}, nil // the change calls again
	}
	return result, err
}

func (r *Reconciler) reconcile(ctx context.Context, key types.NamespacedName) (ctrl.Result, error) {
	var v view
	if err := r.read(ctx, key, &v); apierrors.IsNotFound(err) {
		r.Node.forget(key)
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("read revision %s: %w", key, err)
	}
	wanted, again := r.wantedScale(key, &v)
	if v.deployment.Spec.Replicas == nil || *v.deployment.Spec.Replicas != wanted {
		before := v.deployment.DeepCopy()
		v.deployment.Spec.Replicas = &wanted
		if err := r.Client.Patch(ctx, &v.deployment, client.MergeFrom(before)); err != nil {
			return ctrl.Result{}, fmt.Errorf("scale revision %s: %w", key, err)
		}
	}
	c, cannot := newCommand(&v.deployment.Spec.Template.Spec, r.Node.config.Catalogue)
	if err := r.Node.scale(ctx, key, int(wanted), c, cannot); err != nil {
		return ctrl.Result{}, err
	}
	deadline, err := r.report(ctx, &v, wanted, r.Node.states(key))
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("report revision %s: %w", key, err)
	}
	return ctrl.Result{RequeueAfter: soonest(again, deadline)}, nil
}

// view is what Knative has made for a revision, besides the Revision itself.
type view struct {
	revision   servingv1.Revision
	deployment appsv1.Deployment
	scaler     autoscalingv1alpha1.PodAutoscaler
}

// deploymentName is Knative's for the Deployment of a revision.
func deploymentName(revision string) string { return kmeta.ChildName(revision, "-deployment") }

func (r *Reconciler) read(ctx context.Context, key types.NamespacedName, v *view) error {
	if err := r.Client.Get(ctx, key, &v.revision); err != nil {
		return err
	}
	if err := r.Client.Get(ctx, key, &v.scaler); err != nil {
		return err
	}
	return r.Client.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: deploymentName(key.Name)}, &v.deployment)
}

// soonest is the smaller of two waits, of which zero means none.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// wantedScale is Knative's initial or minimal scale, or zero for a revision
// that no Route has named for the grace; again says when that will be so.
//
// It asks the Revision and not the PodAutoscaler's reachability: that also
// says unreachable of a revision whose pods crash, which would have the pods
// come and go. As on a cluster a revision is not scaled to zero before it has
// been ready once.
func (r *Reconciler) wantedScale(key types.NamespacedName, v *view) (wanted int32, again time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted = initialScale(&v.scaler)
	if v.revision.GetRoutingState() != servingv1.RoutingStateReserve || !v.scaler.Status.IsScaleTargetInitialized() {
		delete(r.unreachable, key)
		return wanted, 0
	}
	since, ok := r.unreachable[key]
	if !ok {
		since = time.Now()
		r.unreachable[key] = since
	}
	if left := r.Grace - time.Since(since); left > 0 {
		return wanted, left
	}
	return 0, 0
}

func initialScale(scaler *autoscalingv1alpha1.PodAutoscaler) int32 {
	wanted := int32(1)
	for _, keys := range [][]string{autoscaling.MinScaleAnnotation, autoscaling.InitialScaleAnnotation} {
		for _, key := range keys {
			if n, err := strconv.ParseInt(scaler.Annotations[key], 10, 32); err == nil {
				wanted = max(wanted, int32(n))
			}
		}
	}
	return wanted
}

// report writes all statuses, where they have changed: the pods' first, for
// Knative looks at them when the Deployment changes. again says when the
// Deployment's progress deadline will have passed.
func (r *Reconciler) report(ctx context.Context, v *view, wanted int32, states map[string]state) (again time.Duration, err error) {
	if err := r.reportPods(ctx, &v.deployment, states); err != nil {
		return 0, err
	}
	replicas := count(wanted, states)
	old := v.deployment.Status.DeepCopy()
	again = replicas.describeDeployment(&v.deployment, time.Now())
	if !equality.Semantic.DeepEqual(old, &v.deployment.Status) {
		if err := r.Client.Status().Update(ctx, &v.deployment); err != nil {
			return 0, err
		}
	}
	before := v.scaler.Status.DeepCopy()
	replicas.describeScaler(&v.scaler)
	if equality.Semantic.DeepEqual(before, &v.scaler.Status) {
		return again, nil
	}
	return again, r.Client.Status().Update(ctx, &v.scaler)
}
