package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/alert"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/daemon/knative"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/daemon/session"
)

// Finalizer keeps a Canary until its Service is left in good order.
const Finalizer = "serin.dev/canary"

// eventReason is Flagger's.
const eventReason = "Synced"

// Sessions is the measured load. *session.Sessions in production.
type Sessions interface {
	Measure(ctx context.Context, canary types.NamespacedName, spec session.Spec, check int64) error
	Stop(canary types.NamespacedName)
	Verdict(canary types.NamespacedName) *rollout.Verdict
}

// EventRecorder publishes events. Any recorder of client-go will do.
type EventRecorder interface {
	Event(object runtime.Object, kind, reason, message string)
}

// Hooks calls webhooks. *hook.Hooks in production.
type Hooks interface {
	Call(canary types.NamespacedName, calls []rollout.Call)
	Answers(canary types.NamespacedName) map[rollout.Key]rollout.Answer
	// Tell calls the hooks of type event.
	Tell(canary types.NamespacedName, phase v1beta1.Phase, hooks []v1beta1.Webhook, eventType, message string)
	Stop(canary types.NamespacedName)
}

// Alerts tells people. *alert.Alerts in production.
type Alerts interface {
	Send(message alert.Message, alerts []v1beta1.Alert)
}

// Metrics is told what becomes of Canaries. *metrics.Recorder in production.
type Metrics interface {
	Seen(canary *v1beta1.Canary)
	Status(canary *v1beta1.Canary, before *v1beta1.CanaryStatus)
	Failed(canary types.NamespacedName)
	Forget(canary types.NamespacedName)
}

// History remembers what becomes of Canaries, for people to look at.
// *history.History in production.
type History interface {
	Status(canary *v1beta1.Canary, before *v1beta1.CanaryStatus)
	Event(canary types.NamespacedName, kind, message string)
	Forget(canary types.NamespacedName)
}

// Reconciler reconciles Canaries.
type Reconciler struct {
	// Client reads from caches and writes to the API server.
	Client client.Client
	// Live reads from the API server itself.
	Live     client.Reader
	Recorder EventRecorder
	Sessions Sessions
	Hooks    Hooks
	Alerts   Alerts
	Metrics  Metrics
	History  History
	// KnativeNamespace is where Knative's configuration is.
	KnativeNamespace string
	Log              *slog.Logger

	upOnce sync.Once // guards up
	up     time.Time // of the first call
	fights fights
}

// conflictPause is how long a write that met a conflict waits: Knative writes a
// Service's status a few times in a row when a revision gets ready.
const conflictPause = 200 * time.Millisecond

// Reconcile makes one decision about a Canary and carries it out.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	r.upOnce.Do(func() { r.up = time.Now() })
	result, err := r.reconcile(ctx, req.NamespacedName)
	if apierrors.IsConflict(err) {
		// Something has changed since it was read. The change will call
		// again; the delay is for the case that it was seen meanwhile.
		return ctrl.Result{RequeueAfter: conflictPause}, nil
	}
	if err != nil {
		r.Metrics.Failed(req.NamespacedName)
	}
	return result, err
}

func (r *Reconciler) reconcile(ctx context.Context, key types.NamespacedName) (ctrl.Result, error) {
	canary := new(v1beta1.Canary)
	if err := r.Client.Get(ctx, key, canary); err != nil {
		if apierrors.IsNotFound(err) {
			r.stop(key)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("read canary %s: %w", key, err)
	}
	if canary.DeletionTimestamp != nil && !controllerutil.ContainsFinalizer(canary, Finalizer) {
		r.stop(key)
		return ctrl.Result{}, nil
	}
	r.Metrics.Seen(canary)
	load, problem := understand(canary)
	again := time.Duration(0)
	if problem == "" {
		if problem = r.tagHeader(ctx, canary); problem != "" {
			again = featureAgain
		}
	}
	service, decision, err := r.decide(ctx, r.Client, canary, load, problem)
	if err == nil && decision.Claims(&canary.Status) {
		// The cache may have the Service as it was before the last write.
		service, decision, err = r.decide(ctx, r.Live, canary, load, problem)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	err = r.carryOut(ctx, canary, service, decision, load)
	if truce, ok := errors.AsType[*truceError](err); ok {
		return ctrl.Result{RequeueAfter: truce.left}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("canary %s: %w", key, err)
	}
	return ctrl.Result{RequeueAfter: sooner(decision.RequeueAfter, again)}, nil
}

// sooner is the shorter of two waits, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// stop ends what runs for a Canary that is gone.
func (r *Reconciler) stop(key types.NamespacedName) {
	r.Sessions.Stop(key)
	r.Hooks.Stop(key)
	r.Metrics.Forget(key)
	r.History.Forget(key)
}

// decide makes a decision from what a reader says of the Service.
func (r *Reconciler) decide(ctx context.Context, reader client.Reader, canary *v1beta1.Canary, load session.Load, problem string) (*servingv1.Service, rollout.Decision, error) {
	key := client.ObjectKeyFromObject(canary)
	service, observed, err := observe(ctx, reader, canary)
	if err != nil {
		return nil, rollout.Decision{}, err
	}
	owner, err := r.owner(ctx, canary)
	if err != nil {
		return nil, rollout.Decision{}, err
	}
	if problem == "" && service != nil {
		if err := hosts.CheckTags(service); err != nil {
			problem = err.Error()
		}
	}
	input := rollout.Input{
		Now: time.Now(), Up: r.up,
		Canary: canary, Problem: problem,
		Service: observed, Owner: owner,
		Verdict: r.Sessions.Verdict(key), Answers: r.Hooks.Answers(key),
	}
	if problem == "" {
		input.Load = load.String()
		input.Plan = session.JudgeFor(canary, load).Plan(load.Rate, 0)
	}
	return service, rollout.Decide(input), nil
}

// observe reads the Service and its revisions; both results are nil when the
// Service does not exist.
func observe(ctx context.Context, reader client.Reader, canary *v1beta1.Canary) (*servingv1.Service, *rollout.Service, error) {
	key := types.NamespacedName{Namespace: canary.Namespace, Name: canary.Spec.TargetRef.Name}
	service := new(servingv1.Service)
	if err := reader.Get(ctx, key, service); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil, nil
		}
		return nil, nil, fmt.Errorf("read service %s: %w", key, err)
	}
	var revisions servingv1.RevisionList
	err := reader.List(ctx, &revisions, client.InNamespace(key.Namespace), client.MatchingLabels{serving.ServiceLabelKey: key.Name})
	if err != nil {
		return nil, nil, fmt.Errorf("list the revisions of service %s: %w", key, err)
	}
	return service, knative.Observe(service, revisions.Items), nil
}

// understand returns the load that the Canary asks for, or says why it cannot
// be rolled out as it is written.
func understand(canary *v1beta1.Canary) (load session.Load, problem string) {
	if err := canary.Validate(); err != nil {
		return session.Load{}, err.Error()
	}
	load, err := session.LoadFor(canary)
	if err != nil {
		return session.Load{}, err.Error()
	}
	if err := session.JudgeFor(canary, load).Validate(); err != nil {
		return session.Load{}, "spec.analysis: " + err.Error()
	}
	return load, ""
}

// owner names the other Canary that the Service belongs to, or nobody.
func (r *Reconciler) owner(ctx context.Context, canary *v1beta1.Canary) (string, error) {
	canaries, err := r.canariesOf(ctx, canary.Namespace, canary.Spec.TargetRef.Name)
	if err != nil {
		return "", err
	}
	for i := range canaries {
		if precedes(&canaries[i], canary) {
			return canaries[i].Name, nil
		}
	}
	return "", nil
}

// precedes orders the Canaries of one Service: it belongs to the one that has
// pinned it, else to the oldest.
func precedes(a, b *v1beta1.Canary) bool {
	aPinned, bPinned := a.Status.LastPromotedSpec != "", b.Status.LastPromotedSpec != ""
	switch {
	case a.Name == b.Name:
		return false
	case aPinned != bPinned:
		return aPinned
	case a.CreationTimestamp.Equal(&b.CreationTimestamp):
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}
