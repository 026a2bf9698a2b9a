package controller

import (
	"context"
	"fmt"
	"log/slog"
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
	// Identity tells this daemon from others that may serve the same Canaries.
	Identity string
	Log      *slog.Logger

	clock  clock
	pace   pace
	rivals rivals
	pruned pruned
}

// Rivals says which other daemons were seen to serve the same Canaries, in a line
// each; empty where none does.
func (r *Reconciler) Rivals() string { return r.rivals.String() }

// conflictPause is how long a write that met a conflict waits: Knative writes a
// Service's status a few times in a row when a revision gets ready.
const conflictPause = 200 * time.Millisecond

// Reconcile makes one decision about a Canary and carries it out.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
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
			return ctrl.Result{}, r.gone(ctx, key, nil)
		}
		return ctrl.Result{}, fmt.Errorf("read canary %s: %w", key, err)
	}
	if !acts(canary) {
		return ctrl.Result{}, r.gone(ctx, key, canary)
	}
	if controllerutil.ContainsFinalizer(canary, Finalizer) {
		return ctrl.Result{}, r.removeFinalizer(ctx, canary) // which calls again
	}
	if r.pruned.has(key) {
		if still, err := r.stillPruned(ctx, canary); err != nil || still {
			return ctrl.Result{RequeueAfter: probeEvery}, err
		}
	}
	r.Metrics.Seen(canary)
	if err := r.leaveOthers(ctx, key, canary.Spec.TargetRef.Name, canary.UID); err != nil {
		return ctrl.Result{}, err
	}
	wait, err := r.decideAndAct(ctx, canary)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("canary %s: %w", key, err)
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// decideAndAct makes a decision and carries it out. The result is when to make
// another one; 0 where something from outside will call.
func (r *Reconciler) decideAndAct(ctx context.Context, canary *v1beta1.Canary) (wait time.Duration, err error) {
	load, held := understand(canary)
	if held == "" {
		if held = r.tagHeader(ctx, canary); held != "" {
			wait = featureAgain
		}
	}
	service, decision, err := r.decide(ctx, r.Client, canary, load, held)
	if err == nil && decision.Claims(&canary.Status) {
		// The cache may have the Service as it was before the last write.
		service, decision, err = r.decide(ctx, r.Live, canary, load, held)
	}
	if err != nil {
		return 0, err
	}
	if decision.Traffic != nil {
		if left := knative.Noted(service); left != nil && left.UID != canary.UID {
			// What an earlier Canary did is undone before this one begins.
			return conflictPause, r.leave(ctx, client.ObjectKeyFromObject(service))
		}
	}
	putBack, err := r.carryOut(ctx, canary, service, decision, load)
	return sooner(putBack, sooner(decision.RequeueAfter, wait)), err
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
func (r *Reconciler) decide(ctx context.Context, reader client.Reader, canary *v1beta1.Canary, load session.Load, held string) (*servingv1.Service, rollout.Decision, error) {
	key := client.ObjectKeyFromObject(canary)
	service, observed, err := observe(ctx, reader, types.NamespacedName{Namespace: canary.Namespace, Name: canary.Spec.TargetRef.Name})
	if err != nil {
		return nil, rollout.Decision{}, err
	}
	owner, err := r.owner(ctx, canary)
	if err != nil {
		return nil, rollout.Decision{}, err
	}
	input := rollout.Input{
		Identity: r.Identity,
		Canary:   canary, Held: held,
		Service: observed, Owner: owner,
		Verdict: r.Sessions.Verdict(key), Answers: r.Hooks.Answers(key),
	}
	input.Now, input.Up = r.clock.now()
	if service != nil {
		input.Unpinnable = message(hosts.CheckNames(service))
		if held == "" {
			input.Held = message(hosts.CheckTags(service))
		}
	}
	if input.Held == "" {
		input.Load = load.String()
		input.Plan = session.JudgeFor(canary, load).Plan(load.Rate, 0)
	}
	decision := rollout.Decide(input)
	r.rivals.note(key, rollout.Rival(&decision.Status, r.Identity))
	return service, decision, nil
}

// message is an error's, or empty.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// observe reads a Service and its revisions; both results are nil when the Service
// does not exist.
func observe(ctx context.Context, reader client.Reader, key types.NamespacedName) (*servingv1.Service, *rollout.Service, error) {
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

// understand returns the load that the Canary asks for, or says why its revisions
// cannot be rolled out as it is written.
func understand(canary *v1beta1.Canary) (load session.Load, held string) {
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
	if err := session.CheckReachable(canary, load); err != nil {
		return session.Load{}, err.Error()
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
		if acts(&canaries[i]) && precedes(&canaries[i], canary) {
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
