package rollout

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// promote begins to send all live traffic to the canary revision: in steps,
// where they are asked for, or at once.
func (d *decider) promote() {
	if d.spec.SkipAnalysis || d.Status.Analysis.Known || d.spec.Analysis.Iterations != nil {
		d.promoteNow()
		return
	}
	d.decideFor(v1beta1.PhasePromoting)
	d.event(normal("Routing all traffic to canary"))
	d.promoteTo(d.nextPromotionWeight())
}

// promoteNow sends all live traffic to the canary revision at once.
func (d *decider) promoteNow() {
	d.decideFor(v1beta1.PhasePromoting)
	d.event(normal("Routing all traffic to canary"))
	d.promoteTo(100)
}

// decideFor notes that and when it was decided how the rollout ends.
func (d *decider) decideFor(phase v1beta1.Phase) {
	now := metav1.NewMicroTime(d.Now)
	a := d.Status.Analysis
	d.Status.Phase = phase
	a.DecisionTime, a.NextTime, a.WaitingFor = &now, nil, ""
	d.Calls = nil
	d.progressed()
}

func (d *decider) nextPromotionWeight() int32 {
	if step := d.spec.Analysis.StepWeightPromotion; step != nil && *step > 0 {
		return min(d.Status.Analysis.Weight+*step, 100)
	}
	return 100
}

// promoteTo moves the promotion on. The primary revision stays a target until
// the Route has followed to the end.
func (d *decider) promoteTo(weight int32) {
	d.Status.Analysis.Weight = weight
	d.Status.KeptShares = nil
	d.Measure = nil
	d.enter(v1beta1.StageWaitingForRoute)
	if weight < 100 {
		d.event(normal(fmt.Sprintf("Advance %s canary weight %d", d.name(), weight)))
		d.keepWarm()
	}
}

// promoting sees the promotion to its end.
func (d *decider) promoting() {
	a := d.Status.Analysis
	if a == nil { // not a rollout of ours
		d.initialize()
		return
	}
	if !d.Service.exists(a.PrimaryRevision) && d.Service.exists(a.CanaryRevision) { // there is no way back
		d.finalise()
		return
	}
	if !d.Service.exists(a.PrimaryRevision) {
		d.replacePrimary()
		return
	}
	if d.canaryDeleted() || d.commanded() || d.calledBack() || d.paused() {
		return
	}
	switch a.Stage {
	case v1beta1.StageMeasuring:
		d.measure()
	case v1beta1.StageWatching:
		d.watch()
	default:
		d.followPromotion()
	}
}

// followPromotion waits until the Route shows the promotion's weight.
func (d *decider) followPromotion() {
	a := d.Status.Analysis
	watch := d.spec.Analysis.WatchDuration()
	if a.Weight < 100 || watch > 0 {
		d.keepWarm()
	}
	switch {
	case !d.Service.Shows(d.split()):
		d.unblock()
		a.Message = fmt.Sprintf("the Route does not show %d percent at %s: %s", a.Weight, a.CanaryRevision, orUnknown(d.Service.Message))
		d.expire(a.Message)
	case a.Weight < 100:
		d.enter(v1beta1.StageMeasuring)
		d.startMeasuring()
	case watch > 0 && !d.spec.SkipAnalysis:
		d.enter(v1beta1.StageWatching)
		a.WatchedSeconds = 0
		d.event(normal(fmt.Sprintf("Watching %s for %s: %s serves everything, %s is kept", d.name(), watch, a.CanaryRevision, a.PrimaryRevision)))
		d.startMeasuring()
		d.watch()
	default:
		d.finalise()
	}
}

// watch goes on with the checks until they have measured for as long as is asked
// for, or somebody pushes the next revision.
func (d *decider) watch() {
	a := d.Status.Analysis
	if d.Service.LatestCreated != d.Status.LastAppliedSpec {
		d.finalise()
		return
	}
	d.measure()
	if a.Stage != v1beta1.StageWatching || d.Status.Phase != v1beta1.PhasePromoting {
		return
	}
	left := d.spec.Analysis.WatchDuration() - time.Duration(a.WatchedSeconds*float64(time.Second))
	if left <= 0 {
		d.finalise()
		return
	}
	if before := d.Canary.Status.Analysis; a.NextTime == nil || before.WatchedSeconds != a.WatchedSeconds { // else it is as it was
		end := metav1.NewMicroTime(d.Now.Add(left))
		a.NextTime = &end
	}
}

// retiredKept is how many primary revisions are remembered.
const retiredKept = 10

// finalise pins the canary revision as the primary one.
func (d *decider) finalise() {
	a := d.Status.Analysis
	d.Status.Phase = v1beta1.PhaseFinalising
	d.Status.LastPromotedSpec = a.CanaryRevision
	a.Stage, a.Message, a.NextTime, a.Weight = "", "", nil, 0
	d.Measure, d.Calls, d.RequeueAfter = nil, nil, 0
	d.progressed()
	d.retire(a.PrimaryRevision)
}

// retire notes which revision was the primary one.
func (d *decider) retire(revision string) {
	if !d.Service.exists(revision) {
		return
	}
	kept := slices.DeleteFunc(d.Status.Retired, func(r v1beta1.RetiredRevision) bool { return r.Revision == revision })
	retired := v1beta1.RetiredRevision{Revision: revision, Template: d.Service.Revisions[revision].Template, Time: metav1.NewMicroTime(d.Now)}
	d.Status.Retired = slices.Insert(kept, 0, retired)
	d.Status.Retired = d.Status.Retired[:min(len(d.Status.Retired), retiredKept)]
}

// finalising waits until the Route shows the promoted revision alone.
func (d *decider) finalising() {
	if !d.Service.exists(d.Status.LastPromotedSpec) {
		d.replacePrimary()
		return
	}
	if d.commandedBack() {
		return
	}
	if d.awaitsRoute() {
		if latest := d.Service.LatestCreated; d.left(0) <= 0 && latest != "" && latest != d.Status.LastAppliedSpec {
			d.event(normal(fmt.Sprintf("New revision detected! The promotion of %s does not come to its end, analysis of %s begins: %s", d.Status.LastPromotedSpec, latest, d.name())).loud(Info))
			d.begin(latest)
		}
		return
	}
	d.ended(v1beta1.PhaseSucceeded)
	d.event(normal(fmt.Sprintf("Promotion completed! %s is the primary revision of %s", d.Status.LastPromotedSpec, d.name())).loud(Info))
}

// ended reports how the rollout ended, and leaves the rest to the post-rollout
// hooks.
func (d *decider) ended(phase v1beta1.Phase) {
	d.Status.Phase = phase
	if a := d.Status.Analysis; a != nil {
		a.Stage = ""
		if len(d.spec.Analysis.HooksOf(v1beta1.PostRolloutHook)) > 0 {
			a.Stage = v1beta1.StagePostRollout
		}
	}
}

// rollBack sends all live traffic back and stops the load.
func (d *decider) rollBack(reason string) {
	a := d.Status.Analysis
	d.decideFor(v1beta1.PhaseProgressing)
	a.Stage, a.Message = v1beta1.StageRollingBack, reason
	d.condemn(a.CanaryRevision)
	d.refuse(v1beta1.PromoteAnnotation) // it was given before
	d.Measure = nil
	d.RequeueAfter = 0
	d.event(warning(fmt.Sprintf("Rolling back %s %s", d.name(), reason)).loud(Error))
	a.Weight = d.exposed()
	if d.mayMoveBack() {
		a.Weight = 0
	}
}

// exposed is the percent of the live traffic that the canary revision has: not more
// than it is seen to have, where the Route had not followed yet.
func (d *decider) exposed() int32 {
	a := d.Status.Analysis
	return min(a.Weight, int32(d.Service.live()[a.CanaryRevision])) //nolint:gosec // at most 100
}

// mayMoveBack reports whether going back leaves nobody worse off: users of a
// revision that is ready are not sent to one that is not.
func (d *decider) mayMoveBack() bool {
	a := d.Status.Analysis
	return d.Service.ready(a.PrimaryRevision) || !d.Service.ready(a.CanaryRevision)
}

// rollingBack sees a rollback to its end.
func (d *decider) rollingBack() {
	a := d.Status.Analysis
	if a.Weight > 0 && !d.mayMoveBack() {
		d.waitForPrimary()
		return
	}
	a.Weight, a.WaitingFor = 0, ""
	if d.awaitsRoute() {
		return
	}
	d.note, d.RequeueAfter = "", 0
	if d.Service.LatestCreated == a.PrimaryRevision {
		d.Status.LastAppliedSpec = a.PrimaryRevision
		d.ended(v1beta1.PhaseSucceeded)
		return
	}
	d.ended(v1beta1.PhaseFailed)
	d.event(warning(fmt.Sprintf("Canary failed! %s gets no traffic, %s serves %s", a.CanaryRevision, a.PrimaryRevision, d.name())))
}

// takeOver promotes the canary revision where the primary one is not ready for as
// long as the progress deadline: Knative's Route does not follow any division with
// a revision that is not ready, so there is neither a comparison nor a way back. It
// reports false where that is not so.
func (d *decider) takeOver() bool {
	a := d.Status.Analysis
	if d.Service.ready(a.PrimaryRevision) || !d.Service.ready(a.CanaryRevision) {
		return false
	}
	primary := d.Service.Revisions[a.PrimaryRevision]
	if next := d.mostLive(d.Service.ready); next != a.CanaryRevision && d.Service.live()[next] > 0 {
		d.event(warning(fmt.Sprintf("Primary revision %s of %s has not been ready for %s (%s): %s, which has %d %% of the live traffic, takes its place, and %s is analysed against it",
			a.PrimaryRevision, d.name(), d.spec.ProgressDeadline(), orUnknown(primary.Message), next, d.Service.live()[next], a.CanaryRevision)).loud(Error))
		d.Status.Phase, d.Status.Analysis, d.Status.KeptShares = v1beta1.PhaseInitializing, nil, nil
		d.Status.LastPromotedSpec, d.Status.LastAppliedSpec = next, next
		d.Measure, d.Calls = nil, nil
		return true
	}
	if d.gated(v1beta1.ConfirmPromotionHook) && !d.gate(v1beta1.ConfirmPromotionHook, a.CanaryRevision) {
		d.problem = fmt.Sprintf("primary revision %s is not ready (%s), so that %s cannot be analysed; it takes over once its promotion is approved",
			a.PrimaryRevision, orUnknown(primary.Message), a.CanaryRevision)
		return true
	}
	d.event(warning(fmt.Sprintf("Primary revision %s of %s has not been ready for %s (%s): %s takes over without being analysed to the end",
		a.PrimaryRevision, d.name(), d.spec.ProgressDeadline(), orUnknown(primary.Message), a.CanaryRevision)).loud(Error))
	d.decideFor(v1beta1.PhasePromoting)
	d.Status.KeptShares = nil
	d.finalise()
	return true
}

// waitForPrimary keeps users where they are until there is something to go back to.
func (d *decider) waitForPrimary() {
	a := d.Status.Analysis
	primary := d.Service.Revisions[a.PrimaryRevision]
	a.WaitingFor = fmt.Sprintf("revision %s to be ready", a.PrimaryRevision)
	d.problem = fmt.Sprintf("the rollback waits: %s is not ready (%s), and %s is: users stay where they are; serin promote %s -n %s keeps %s",
		a.PrimaryRevision, orUnknown(primary.Message), a.CanaryRevision, d.Canary.Name, d.Canary.Namespace, a.CanaryRevision)
}
