package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Decide says what to do next about a Canary that is not being deleted. What a
// deleted one leaves is for [Leave].
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
	// problem replaces the condition's message and is published once; note
	// replaces it quietly.
	problem, note string
	// waits says that a tag of the user's may have to go soon.
	waits bool
	// passive leaves the Service and the load alone; standing leaves all to
	// another daemon.
	passive, standing bool
}

func (d *decider) decide() {
	if d.standsBy() {
		return
	}
	if d.Service != nil {
		d.recognizeService()
	}
	switch {
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

// recognizeService starts over where the status is about another Service than the
// one that is there: one that was made again under its name, whose revisions have
// the old one's names, or no Service at all, as in a status of Flagger's.
func (d *decider) recognizeService() {
	switch d.Status.ServiceUID {
	case d.Service.UID:
		d.forgetVanished()
		return
	case "":
	default:
		d.event(warning(fmt.Sprintf("Service %q was deleted and made again: its revisions are new to %s", d.serviceName(), d.name())))
	}
	d.forgetService()
	d.Status.ServiceUID = d.Service.UID
	if left := d.Service.Left; left != nil && left.UID == d.Canary.UID && left.UID != "" {
		d.Status.Failed = slices.Clone(left.Failed) // the note outlives a status that was lost
	}
}

// forgetVanished drops what the status says of revisions that were deleted.
func (d *decider) forgetVanished() {
	gone := func(revision string) bool { return !d.Service.exists(revision) }
	d.Status.Failed = slices.DeleteFunc(d.Status.Failed, gone)
	d.Status.KeptShares = slices.DeleteFunc(d.Status.KeptShares, func(s v1beta1.TrafficShare) bool { return gone(s.Revision) })
}

func (d *decider) event(e Event) { d.Events = append(d.Events, e) }

// name is how Flagger's events name a Canary.
func (d *decider) name() string {
	return d.Canary.Name + "." + d.Canary.Namespace
}

func (d *decider) serviceName() string {
	return d.Canary.Namespace + "/" + d.spec.TargetRef.Name
}

func (d *decider) serviceMissing() {
	d.forgetService()
	problem := fmt.Sprintf("service %q does not exist: create it or correct spec.targetRef.name", d.serviceName())
	if d.Held != "" {
		problem += "; " + d.Held
	}
	d.unlessNew(problem)
}

func (d *decider) serviceTaken() {
	d.forgetService()
	d.problem = fmt.Sprintf("service %q belongs to canary %q already: delete one of them", d.serviceName(), d.Owner)
}

// forgetService forgets the Service and its revisions: one that is made again
// under the same name, or left by another Canary, has others.
func (d *decider) forgetService() {
	s := &d.Status
	s.Phase, s.ServiceUID = v1beta1.PhaseInitializing, ""
	s.LastAppliedSpec, s.LastPromotedSpec = "", ""
	s.FailedChecks, s.Iterations = 0, 0
	s.Analysis, s.Retired, s.Failed, s.KeptShares = nil, nil, nil, nil
}

// newCanary is how long after its creation a Canary is not blamed for a Service
// that is not there or not ready: both are applied together, in any order.
const newCanary = 10 * time.Second

// unlessNew reports a problem, unless it is to be expected of a new Canary.
func (d *decider) unlessNew(problem string) {
	left := d.Canary.CreationTimestamp.Add(newCanary).Sub(d.Now)
	if left <= 0 || left > newCanary { // or the clocks differ
		d.problem = problem
		return
	}
	d.RequeueAfter = left
}

// begin starts the analysis of a revision, from nothing.
func (d *decider) begin(revision string) {
	now := metav1.NewMicroTime(d.Now)
	d.Status.Phase = v1beta1.PhaseProgressing
	d.Status.LastAppliedSpec = revision
	d.Status.FailedChecks, d.Status.Iterations = 0, 0
	d.Status.Analysis = &v1beta1.AnalysisStatus{
		PrimaryRevision: d.Status.LastPromotedSpec,
		CanaryRevision:  revision,
		Stage:           v1beta1.StageWaitingForRevision,
		Check:           1,
		StartTime:       now,
		ProgressTime:    now,
	}
	if d.gated(v1beta1.ConfirmRolloutHook) {
		d.Status.Phase, d.Status.Analysis.Stage = v1beta1.PhaseWaiting, v1beta1.StageConfirmRollout
		return
	}
	d.RequeueAfter = d.spec.ProgressDeadline()
}

const suspended = "suspended"

// suspend leaves everything as it is.
func (d *decider) suspend() {
	d.passive = true
	if d.Status.LastPromotedSpec == "" {
		d.Status.Phase = v1beta1.PhaseInitializing
		d.problem = fmt.Sprintf("spec.suspend is true and service %q is not pinned: every push goes live at once, unanalysed; set spec.suspend to false to pin it", d.serviceName())
		return
	}
	if a := d.Status.Analysis; a != nil && a.Stage != "" {
		a.Message = suspended
	}
}

// resume gives a rollout that was suspended its full deadline again.
func (d *decider) resume() {
	if a := d.Status.Analysis; a != nil && a.Message == suspended {
		a.Message = ""
		d.progressed()
	}
}

// since is when a rollout that stands still last made progress, not counting the
// time in which nobody was there to make any.
func (d *decider) since() time.Time {
	if d.transits() {
		return d.Now
	}
	since := d.Status.LastTransitionTime.Time
	if a := d.Status.Analysis; a != nil && !a.ProgressTime.IsZero() {
		since = a.ProgressTime.Time
	}
	if d.Up.After(since) || since.After(d.Now) { // where the clock was put back since
		since = d.Up
	}
	return since
}

// transits reports whether this decision changes the phase, or which revision is to be
// the first primary one.
func (d *decider) transits() bool {
	old := &d.Canary.Status
	return d.Status.Phase != old.Phase || (d.Status.Phase == v1beta1.PhaseInitializing && d.Status.LastPromotedSpec != old.LastPromotedSpec)
}

// left is what remains until the progress deadline; extra is time that is needed
// even when all is well.
func (d *decider) left(extra time.Duration) time.Duration {
	return d.since().Add(d.spec.ProgressDeadline() + extra).Sub(d.Now)
}

// awaitsRoute reports whether the Route shows the division that the status stands
// for. Where it does not, it says why not, and raises it at the deadline.
func (d *decider) awaitsRoute() bool {
	want, _ := d.Status.Division()
	if d.Service.Shows(want) {
		return false
	}
	d.unblock()
	d.note = fmt.Sprintf("the Route does not show %s yet: %s", want, orUnknown(d.Service.Message))
	if left := d.left(0); left > 0 {
		d.RequeueAfter = left
	} else {
		d.problem = fmt.Sprintf("the Route still does not show %s after %s: %s", want, d.spec.ProgressDeadline(), orUnknown(d.Service.Message))
	}
	return true
}

// unblockAfter is how long the Route may wait for a revision that is no part of the
// rollout, and that Knative has given up or that does not exist. One that may still get
// ready has half of the progress deadline.
const unblockAfter = 30 * time.Second

// unblock drops the targets of revisions that cannot serve, where the Route does not
// follow because of them: the user's tags, and shares that were kept. Neither a
// promotion nor a rollback would get through for ever.
func (d *decider) unblock() {
	d.dropTags()
	d.Status.KeptShares = slices.DeleteFunc(d.Status.KeptShares, func(s v1beta1.TrafficShare) bool {
		if !d.blocks(s.Revision) {
			return false
		}
		d.event(warning(fmt.Sprintf("%s had %d %% of the live traffic of service %s and cannot serve: %s takes them", s.Revision, s.Percent, d.serviceName(), d.Status.LastPromotedSpec)).loud(Warn))
		return true
	})
}

func (d *decider) dropTags() {
	for _, t := range d.Service.Spec {
		if t.Tag != "" && t.Tag != PrimaryTag && t.Tag != CanaryTag && d.blocks(t.Revision) {
			d.Drop = append(d.Drop, t.Tag)
			d.event(warning(fmt.Sprintf("Tag %s of service %s is dropped: its revision %s cannot serve, and the Route follows no division while it is a target", t.Tag, d.serviceName(), t.Revision)).loud(Warn))
		}
	}
}

// blocks reports whether a revision has kept the Route from following for too long.
func (d *decider) blocks(revision string) bool {
	state, exists := d.Service.Revisions[revision]
	if revision == "" || state.Ready {
		return false
	}
	bound := d.spec.ProgressDeadline() / 2
	if !exists || state.Failed {
		bound = unblockAfter
	}
	waited := d.Now.Sub(d.since())
	d.waits = d.waits || waited < bound
	return waited >= bound
}

func (d *decider) warnIgnored() {
	if ignored := d.Canary.Ignored(); len(ignored) > 0 {
		d.event(warning("Ignoring what Serin does not act on: " + strings.Join(ignored, ", ")))
	}
}
