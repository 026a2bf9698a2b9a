package ingress

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// headerTimeout bounds how long a client may take to say what it wants.
const headerTimeout = 10 * time.Second

// Reconciler keeps a proxy's table and the status of Ingresses up to date.
type Reconciler struct {
	Client client.Client
	Proxy  *Proxy
	// Domain is the name that Ingresses report as their load balancer's.
	Domain string

	mu sync.Mutex // one table at a time, in the order in which they were read
}

// Setup registers the reconciler with a manager.
func (r *Reconciler) Setup(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).Named("ingress").For(&netv1alpha1.Ingress{}).Complete(r)
}

// Reconcile puts a table with all Ingresses in place, and then reports the one
// that has changed as ready.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	// Read before the table is made, so that the table is at least as new.
	ingress := new(netv1alpha1.Ingress)
	gone := r.Client.Get(ctx, req.NamespacedName, ingress)
	if err := r.switchTable(ctx); err != nil {
		return ctrl.Result{}, err
	}
	if gone != nil {
		return ctrl.Result{}, client.IgnoreNotFound(gone)
	}
	before := ingress.Status.DeepCopy()
	ingress.Status.InitializeConditions()
	ingress.Status.ObservedGeneration = ingress.Generation
	ingress.Status.MarkNetworkConfigured()
	balancer := []netv1alpha1.LoadBalancerIngressStatus{{DomainInternal: r.Domain}}
	ingress.Status.MarkLoadBalancerReady(balancer, balancer)
	if equality.Semantic.DeepEqual(before, &ingress.Status) {
		return ctrl.Result{}, nil
	}
	if err := r.Client.Status().Update(ctx, ingress); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			return ctrl.Result{}, nil // the change calls again
		}
		return ctrl.Result{}, fmt.Errorf("report ingress %s ready: %w", req, err)
	}
	return ctrl.Result{}, nil
}

func (r *Reconciler) switchTable(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all netv1alpha1.IngressList
	if err := r.Client.List(ctx, &all); err != nil {
		return fmt.Errorf("list ingresses: %w", err)
	}
	r.Proxy.Switch(NewTable(all.Items))
	return nil
}
