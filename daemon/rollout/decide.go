package rollout

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Decide says what to do next about a Canary.
func Decide(in Input) Decision {
	d := &decider{Input: in, spec: &in.Canary.Spec}
	d.Status = *in.Canary.Status.DeepCopy()
	d.decide()
	d.finish()
	return d.Decision
}

// decider builds one decision. Its methods are the rules; Status is changed in
// place, from what was read to what is to be written.
type decider struct {
	Input
	Decision
	spec *v1beta1.CanarySpec
	// problem replaces the condition's message and is published once.
	problem string
}

func (d *decider) decide() {
	switch {
	case d.Canary.DeletionTimestamp != nil:
		d.terminate()
	case d.Service == nil:
		d.serviceMissing()
	case d.Owner != "":
		d.serviceTaken()
	case d.spec.Suspend:
		d.suspend()
	default:
		d.resume()
		d.byPhase()
	}
}

func (d *decider) byPhase() {
	switch d.Status.Phase {
	case "", v1beta1.PhaseInitializing, v1beta1.PhaseTerminating, v1beta1.PhaseTerminated:
		d.initialize()
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		d.idle()
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaiting, v1beta1.PhaseWaitingPromotion:
		d.progress()
	case v1beta1.PhasePromoting:
		d.promoting()
	case v1beta1.PhaseFinalising:
		d.finalising()
	}
}

// finish dates the status and explains it in the condition.
func (d *decider) finish() {
	old := &d.Canary.Status
	if d.Status.Phase != old.Phase {
		d.Status.LastTransitionTime = metav1.NewTime(d.Now)
	}
	if d.Status.Phase == "" {
		return
	}
	condition := conditionFor(d.Status.Phase)
	if d.problem != "" {
		condition.Message = d.problem
	}
	before := old.Condition(v1beta1.ConditionPromoted)
	if d.problem != "" && (before == nil || before.Message != d.problem) {
		d.event(warning(d.problem).loud(Warn))
	}
	d.setCondition(before, condition)
}

func (d *decider) setCondition(before *v1beta1.Condition, condition v1beta1.Condition) {
	now := metav1.NewTime(d.Now)
	condition.LastUpdateTime, condition.LastTransitionTime = now, now
	if before != nil {
		if before.Status == condition.Status {
			condition.LastTransitionTime = before.LastTransitionTime
		}
		if before.Status == condition.Status && before.Reason == condition.Reason && before.Message == condition.Message {
			condition.LastUpdateTime = before.LastUpdateTime
		}
	}
	if c := d.Status.Condition(v1beta1.ConditionPromoted); c != nil {
		*c = condition
		return
	}
	d.Status.Conditions = append(d.Status.Conditions, condition)
}

func (d *decider) event(e Event) { d.Events = append(d.Events, e) }

// name is how Flagger's events name a Canary.
func (d *decider) name() string {
	return d.Canary.Name + "." + d.Canary.Namespace
}

func (d *decider) serviceName() string {
	return d.Canary.Namespace + "/" + d.spec.TargetRef.Name
}

// want asks for a division of the live traffic.
func (d *decider) want(t Traffic) { d.Traffic = &t }

func (d *decider) serviceMissing() {
	d.startOver(fmt.Sprintf("service %q does not exist: create it or correct spec.targetRef.name", d.serviceName()))
	if d.Problem != "" {
		d.problem += "; " + d.Problem
	}
}

func (d *decider) serviceTaken() {
	d.startOver(fmt.Sprintf("service %q belongs to canary %q already: delete one of them", d.serviceName(), d.Owner))
}

// startOver forgets the revisions: a Service that is made again under the same
// name, or left by another Canary, has others.
func (d *decider) startOver(problem string) {
	d.Status.Phase = v1beta1.PhaseInitializing
	d.Status.LastAppliedSpec, d.Status.LastPromotedSpec = "", ""
	d.Status.CanaryWeight, d.Status.FailedChecks, d.Status.Iterations = 0, 0, 0
	d.Status.Analysis = nil
	d.problem = problem
}

// initialize pins the primary revision by name.
func (d *decider) initialize() {
	old := d.Canary.Status
	d.Status.Phase = v1beta1.PhaseInitializing
	if old.Phase == "" {
		d.warnIgnored()
	}
	if d.Problem != "" {
		d.problem = d.Problem
		return
	}
	primary := d.Status.LastPromotedSpec
	if !d.Service.ready(primary) {
		primary = d.initialPrimary()
	}
	if primary == "" {
		d.problem = fmt.Sprintf("service %q has no ready revision yet", d.serviceName())
		if latest := d.Service.Revisions[d.Service.LatestCreated]; latest.Failed {
			d.problem += fmt.Sprintf(": %s: %s", d.Service.LatestCreated, latest.Message)
		}
		return
	}
	d.refuseAll()
	d.Status.LastPromotedSpec, d.Status.LastAppliedSpec = primary, primary
	d.Status.CanaryWeight, d.Status.FailedChecks, d.Status.Iterations = 0, 0, 0
	pinned := Traffic{Primary: primary}
	d.want(pinned)
	decided := old.Phase == v1beta1.PhaseInitializing && old.LastPromotedSpec == primary
	if decided && d.Service.Shows(pinned) {
		d.Status.Phase = v1beta1.PhaseInitialized
		d.event(normal("Initialization done! " + d.name()))
	}
}

// initialPrimary is the revision to pin first: the one that Flagger or an
// earlier Canary left, else the one that serves now, else the newest ready
// one. Pinning should not change who serves.
func (d *decider) initialPrimary() string {
	for _, revision := range []string{d.Service.AnnotatedPrimary, d.Service.soleRevision(), d.Service.LatestReady} {
		if revision != "" && d.Service.ready(revision) {
			return revision
		}
	}
	return ""
}

func (d *decider) warnIgnored() {
	if ignored := d.Canary.Ignored(); len(ignored) > 0 {
		d.event(warning("Ignoring what Serin does not act on: " + strings.Join(ignored, ", ")))
	}
}

// idle keeps the primary revision pinned and looks for a new one.
func (d *decider) idle() {
	if !d.Service.exists(d.Status.LastPromotedSpec) {
		// The Service was made anew, or the status is Flagger's, which
		// keeps a hash there.
		d.Status.Phase, d.Status.LastPromotedSpec = v1beta1.PhaseInitializing, ""
		return
	}
	d.want(Traffic{Primary: d.Status.LastPromotedSpec})
	if !d.postRollout() {
		return
	}
	if d.Problem != "" {
		d.problem = d.Problem
		return
	}
	latest := d.Service.LatestCreated
	if d.Status.Phase == v1beta1.PhaseFailed && latest == d.Status.LastAppliedSpec && d.take(v1beta1.RetryAnnotation) {
		d.event(normal(fmt.Sprintf("Trying %s again: %s", latest, d.name())).loud(Info))
		d.begin(latest)
		return
	}
	d.refuseAll()
	if latest == "" || latest == d.Status.LastPromotedSpec || latest == d.Status.LastAppliedSpec {
		return
	}
	d.event(normal(fmt.Sprintf("New revision detected! %s gets no live traffic before its first verdict: %s", latest, d.name())).loud(Info))
	d.begin(latest)
}

// begin starts the analysis of a revision, from nothing.
func (d *decider) begin(revision string) {
	now := metav1.NewMicroTime(d.Now)
	d.Status.Phase = v1beta1.PhaseProgressing
	d.Status.LastAppliedSpec = revision
	d.Status.CanaryWeight, d.Status.FailedChecks, d.Status.Iterations = 0, 0, 0
	d.Status.Analysis = &v1beta1.AnalysisStatus{
		PrimaryRevision: d.Status.LastPromotedSpec,
		CanaryRevision:  revision,
		Stage:           v1beta1.StageWaitingForRevision,
		Check:           1,
		StartTime:       now,
		ProgressTime:    now,
	}
	d.want(Traffic{Primary: d.Status.LastPromotedSpec})
	if d.gated(v1beta1.ConfirmRolloutHook) {
		d.Status.Phase, d.Status.Analysis.Stage = v1beta1.PhaseWaiting, v1beta1.StageConfirmRollout
		return
	}
	d.RequeueAfter = d.spec.ProgressDeadline()
}

const suspended = "suspended"

func (d *decider) suspend() {
	if a := d.Status.Analysis; a != nil && a.Stage != "" {
		a.Message = suspended
	}
}

// resume gives a rollout that was suspended its full deadline again.
func (d *decider) resume() {
	if a := d.Status.Analysis; a != nil && a.Message == suspended {
		a.Message = ""
		a.ProgressTime = metav1.NewMicroTime(d.Now)
	}
}

// terminate leaves the Service with a ready revision and lets the Canary go.
func (d *decider) terminate() {
	if d.Service == nil || d.Owner != "" || d.Status.LastPromotedSpec == "" || !d.Service.exists(d.Status.LastPromotedSpec) {
		d.release()
		return
	}
	if d.Status.Phase != v1beta1.PhaseTerminating {
		d.event(normal("Terminating canary " + d.name()))
	}
	d.Status.Phase = v1beta1.PhaseTerminating
	d.Status.CanaryWeight = 0
	pinned := Traffic{Primary: d.Status.LastPromotedSpec}
	done := d.Service.Shows(pinned)
	if d.spec.RevertOnDeletion {
		d.Restore = true
		done = !d.Service.Managed && d.Service.Current && d.Service.RouteReady
	} else {
		d.want(pinned)
	}
	left := d.Canary.DeletionTimestamp.Add(d.spec.ProgressDeadline()).Sub(d.Now)
	switch {
	case done:
		d.release()
	case left <= 0:
		d.event(warning(fmt.Sprintf("Letting go of %s although its Route has not converged: %s", d.name(), d.Service.Message)))
		d.release()
	default:
		d.RequeueAfter = left
	}
}

func (d *decider) release() {
	d.Release = true
	d.event(normal("Terminated canary " + d.name()))
}

// deadline is when a rollout that stands still since its last progress is
// rolled back; extra is time that is needed even when all is well.
func (d *decider) deadline(extra time.Duration) time.Time {
	since := d.Status.Analysis.ProgressTime.Time
	if d.Up.After(since) {
		since = d.Up
	}
	return since.Add(d.spec.ProgressDeadline() + extra)
}
