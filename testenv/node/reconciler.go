package node

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling"
	autoscalingv1alpha1 "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"
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
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
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
	var scaler autoscalingv1alpha1.PodAutoscaler
	var deployment appsv1.Deployment
	for _, get := range []struct {
		name   string
		object client.Object
	}{{key.Name, &scaler}, {key.Name + "-deployment", &deployment}} {
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: get.name}, get.object)
		if apierrors.IsNotFound(err) {
			r.Node.forget(key)
			return ctrl.Result{}, nil
		}
		if err != nil {
			return ctrl.Result{}, fmt.Errorf("read revision %s: %w", key, err)
		}
	}
	wanted, again := r.wantedScale(key, &scaler)
	if deployment.Spec.Replicas == nil || *deployment.Spec.Replicas != wanted {
		before := deployment.DeepCopy()
		deployment.Spec.Replicas = &wanted
		if err := r.Client.Patch(ctx, &deployment, client.MergeFrom(before)); err != nil {
			return ctrl.Result{}, fmt.Errorf("scale revision %s: %w", key, err)
		}
	}
	c, cannot := newCommand(&deployment.Spec.Template.Spec, r.Node.config.Catalogue)
	if err := r.Node.scale(ctx, key, int(wanted), c, cannot); err != nil {
		return ctrl.Result{}, err
	}
	addresses, trouble := r.Node.ready(key)
	state := replicas{wanted: wanted, ready: min(int32(len(addresses)), wanted), trouble: trouble}
	if err := r.report(ctx, &deployment, &scaler, state); err != nil {
		return ctrl.Result{}, fmt.Errorf("report revision %s: %w", key, err)
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// wantedScale is Knative's initial or minimal scale, or zero for a revision
// that no Route has named for the grace; again says when that will be so.
func (r *Reconciler) wantedScale(key types.NamespacedName, scaler *autoscalingv1alpha1.PodAutoscaler) (wanted int32, again time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted = initialScale(scaler)
	if scaler.Spec.Reachability != autoscalingv1alpha1.ReachabilityUnreachable || !scaler.Status.IsScaleTargetInitialized() {
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

// report writes both statuses, where they have changed.
func (r *Reconciler) report(ctx context.Context, deployment *appsv1.Deployment, scaler *autoscalingv1alpha1.PodAutoscaler, state replicas) error {
	old := deployment.Status.DeepCopy()
	state.describeDeployment(deployment)
	if !equality.Semantic.DeepEqual(old, &deployment.Status) {
		if err := r.Client.Status().Update(ctx, deployment); err != nil {
			return err
		}
	}
	before := scaler.Status.DeepCopy()
	state.describeScaler(scaler)
	if equality.Semantic.DeepEqual(before, &scaler.Status) {
		return nil
	}
	return r.Client.Status().Update(ctx, scaler)
}
