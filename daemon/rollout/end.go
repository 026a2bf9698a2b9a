package rollout

import (
	"fmt"

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
		return min(d.Status.CanaryWeight+*step, 100)
	}
	return 100
}

// promoteTo moves the promotion on. The primary revision stays a target until
// the Route has followed to the end.
func (d *decider) promoteTo(weight int32) {
	d.Status.CanaryWeight = weight
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
	if a == nil || !d.Service.exists(a.CanaryRevision) {
		d.Status.Phase, d.Status.LastPromotedSpec = v1beta1.PhaseInitializing, ""
		return
	}
	if !d.Service.exists(a.PrimaryRevision) { // there is no way back
		d.finalise()
		return
	}
	if d.commanded() || d.calledBack() || d.paused() {
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
	d.want(d.split())
	watch := d.spec.Analysis.WatchDuration()
	if d.Status.CanaryWeight < 100 || watch > 0 {
		d.keepWarm()
	}
	switch {
	case !d.Service.Shows(d.split()):
		d.expire(fmt.Sprintf("the Route does not show %d percent at %s: %s", d.Status.CanaryWeight, a.CanaryRevision, orUnknown(d.Service.Message)))
	case d.Status.CanaryWeight < 100:
		d.enter(v1beta1.StageMeasuring)
		d.startMeasuring()
	case watch > 0 && !d.spec.SkipAnalysis:
		end := metav1.NewMicroTime(d.Now.Add(watch))
		d.enter(v1beta1.StageWatching)
		a.NextTime = &end
		d.event(normal(fmt.Sprintf("Watching %s for %s: %s serves everything, %s is kept", d.name(), watch, a.CanaryRevision, a.PrimaryRevision)))
		d.watch()
	default:
		d.finalise()
	}
}

// watch goes on with the checks until the watch is over, or somebody pushes
// the next revision.
func (d *decider) watch() {
	a := d.Status.Analysis
	if a.NextTime == nil || !d.Now.Before(a.NextTime.Time) || d.Service.LatestCreated != a.CanaryRevision {
		d.finalise()
		return
	}
	d.measure()
	if a.Stage == v1beta1.StageWatching {
		d.RequeueAfter = a.NextTime.Sub(d.Now)
	}
}

// retiredKept is how many primary revisions are remembered.
const retiredKept = 10

// finalise pins the canary revision as the primary one.
func (d *decider) finalise() {
	a := d.Status.Analysis
	d.Status.Phase = v1beta1.PhaseFinalising
	d.Status.LastPromotedSpec = a.CanaryRevision
	d.Status.CanaryWeight = 100
	a.Stage, a.Message, a.NextTime = "", "", nil
	d.Measure, d.Calls, d.RequeueAfter = nil, nil, 0
	if template := d.Service.Revisions[a.PrimaryRevision].Template; template != "" {
		retired := v1beta1.RetiredRevision{Revision: a.PrimaryRevision, Template: template, Time: metav1.NewMicroTime(d.Now)}
		d.Status.Retired = append([]v1beta1.RetiredRevision{retired}, d.Status.Retired...)
		d.Status.Retired = d.Status.Retired[:min(len(d.Status.Retired), retiredKept)]
	}
	d.want(Traffic{Primary: a.CanaryRevision})
}

func (d *decider) finalising() {
	pinned := Traffic{Primary: d.Status.LastPromotedSpec}
	d.want(pinned)
	if !d.Service.Shows(pinned) {
		return
	}
	d.Status.CanaryWeight = 0
	d.ended(v1beta1.PhaseSucceeded)
	d.event(normal(fmt.Sprintf("Promotion completed! %s is the primary revision of %s", pinned.Primary, d.name())).loud(Info))
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
	d.Status.CanaryWeight = 0
	a.Stage, a.Message = v1beta1.StageRollingBack, reason
	d.Measure = nil
	d.RequeueAfter = 0
	d.event(warning(fmt.Sprintf("Rolling back %s %s", d.name(), reason)).loud(Error))
	d.want(Traffic{Primary: a.PrimaryRevision})
}

func (d *decider) rollingBack() {
	a := d.Status.Analysis
	pinned := Traffic{Primary: a.PrimaryRevision}
	d.want(pinned)
	if !d.Service.Shows(pinned) {
		return
	}
	if d.Service.LatestCreated == a.PrimaryRevision {
		d.Status.LastAppliedSpec = a.PrimaryRevision
		d.ended(v1beta1.PhaseSucceeded)
		return
	}
	d.ended(v1beta1.PhaseFailed)
	d.event(warning(fmt.Sprintf("Canary failed! %s gets no traffic, %s serves %s", a.CanaryRevision, a.PrimaryRevision, d.name())))
}
