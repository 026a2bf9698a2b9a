package rollout

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// progress moves the rollout that runs.
func (d *decider) progress() {
	a := d.Status.Analysis
	if a == nil { // not a rollout of ours
		d.initialize()
		return
	}
	if !d.Service.exists(a.PrimaryRevision) {
		d.replacePrimary()
		if d.Status.LastPromotedSpec != "" { // what was under analysis is analysed again
			d.Status.LastAppliedSpec = d.Status.LastPromotedSpec
		}
		return
	}
	if d.superseded() || d.commanded() {
		return
	}
	if a.Stage == v1beta1.StageRollingBack {
		d.rollingBack()
		return
	}
	if d.canaryDeleted() || d.calledBack() || d.paused() || d.edited() {
		return
	}
	switch a.Stage {
	case v1beta1.StageConfirmRollout:
		d.confirmRollout()
	case v1beta1.StageWaitingForRoute:
		d.waitForRoute()
	case v1beta1.StagePreRollout:
		d.preRollout()
	case v1beta1.StageMeasuring:
		d.measure()
	case v1beta1.StageConfirmTrafficIncrease:
		d.confirm(v1beta1.ConfirmTrafficIncreaseHook, fmt.Sprintf("%s/weight-%d", a.CanaryRevision, a.Weight), d.step)
	case v1beta1.StageConfirmPromotion:
		d.confirm(v1beta1.ConfirmPromotionHook, a.CanaryRevision, d.promote)
	default:
		d.waitForRevision()
	}
}

// superseded restarts the analysis with a revision that was pushed meanwhile.
// Its predecessor loses its traffic at once.
func (d *decider) superseded() bool {
	a, latest := d.Status.Analysis, d.Service.LatestCreated
	if latest == "" || latest == d.Status.LastAppliedSpec {
		return false
	}
	if latest == a.PrimaryRevision {
		if a.Stage != v1beta1.StageRollingBack {
			d.rollBack("the service is back at its primary revision")
			d.forgive(a.CanaryRevision) // nothing was said against it
			return true
		}
		return false
	}
	d.refuseAll() // they were meant for the revision before
	d.forgive(latest)
	if exposed := d.exposed(); exposed > 0 && !d.mayMoveBack() { // its users stay until there is something better
		d.Status.KeptShares = []v1beta1.TrafficShare{{Revision: a.CanaryRevision, Percent: int64(exposed)}}
	}
	d.event(normal("New revision detected! Restarting analysis for " + d.name()).loud(Info))
	d.begin(latest)
	return true
}

// canaryDeleted ends the rollout of a revision that does not exist any more. One
// that was just created may not be seen yet.
func (d *decider) canaryDeleted() bool {
	a := d.Status.Analysis
	switch a.Stage {
	case v1beta1.StageConfirmRollout, v1beta1.StageWaitingForRevision:
		return false // which has a deadline of its own
	default:
	}
	if d.Service.exists(a.CanaryRevision) && (a.CanaryUID == "" || a.CanaryUID == d.Service.Revisions[a.CanaryRevision].UID) {
		return false
	}
	d.rollBack(fmt.Sprintf("revision %s was deleted", a.CanaryRevision))
	return true
}

// edited follows a Canary that was edited in the middle of a rollout, where that
// changes what is decided already: analysis is skipped from now on, or the revision
// has more than the largest step.
func (d *decider) edited() bool {
	a := d.Status.Analysis
	switch a.Stage {
	case v1beta1.StageConfirmRollout, v1beta1.StageWaitingForRevision:
		return false
	default:
	}
	if d.Held != "" {
		return false
	}
	if d.spec.SkipAnalysis && d.Service.ready(a.CanaryRevision) {
		d.promote()
		return true
	}
	limit := int32(0)
	if weights := d.spec.Analysis.Weights(); len(weights) > 0 {
		limit = slices.Max(weights)
	}
	if a.Weight <= limit {
		return false
	}
	a.Weight = limit
	a.Check++ // the one that runs is about another weight
	d.Status.Phase, a.WaitingFor = v1beta1.PhaseProgressing, ""
	d.event(normal(fmt.Sprintf("Lower %s canary weight to %d, the largest step that the canary has now", d.name(), limit)))
	d.enter(v1beta1.StageWaitingForRoute)
	return true
}

func (d *decider) waitForRevision() {
	a := d.Status.Analysis
	canary := d.Service.Revisions[a.CanaryRevision]
	if !canary.Ready {
		a.Message = fmt.Sprintf("revision %s is not ready: %s", a.CanaryRevision, orUnknown(canary.Message))
		d.expire(a.Message)
		return
	}
	if d.Held != "" {
		d.problem = d.Held
		d.expire(d.Held)
		return
	}
	if primary := d.Service.Revisions[a.PrimaryRevision]; !primary.Ready {
		a.Message = fmt.Sprintf("primary revision %s is not ready: %s", a.PrimaryRevision, orUnknown(primary.Message))
		d.expire(a.Message)
		return
	}
	d.Status.KeptShares, a.CanaryUID = nil, canary.UID
	if d.spec.SkipAnalysis {
		d.promote()
		return
	}
	d.recognize()
	d.event(normal(fmt.Sprintf("Starting canary analysis for %s: %s", d.name(), d.Load)))
	d.plan()
	d.enter(v1beta1.StageWaitingForRoute)
}

// recognize looks whether the revision has the template of one that served
// lately, which needs one check only.
func (d *decider) recognize() {
	a := d.Status.Analysis
	window := d.spec.Analysis.RollbackWindow.OrDefault(0)
	template := d.Service.Revisions[a.CanaryRevision].Template
	if window <= 0 || template == "" {
		return
	}
	before := ""
	if d.Service.Revisions[a.PrimaryRevision].Template == template {
		before = a.PrimaryRevision
	}
	for _, r := range d.Status.Retired {
		if before == "" && r.Template == template && d.Now.Sub(r.Time.Time) <= window {
			before = r.Revision
		}
	}
	if before != "" {
		a.Known = true
		d.event(normal(fmt.Sprintf("%s is %s again, which served %s before: one check suffices", a.CanaryRevision, before, d.name())))
	}
}

// plan says how long a check takes before anybody waits for it.
func (d *decider) plan() {
	needs := d.Plan.Duration()
	d.Status.Analysis.Plan = &v1beta1.PlanStatus{Requests: d.Plan.Pass, DurationSeconds: needs.Seconds(), Message: d.Plan.String()}
	if needs > d.Plan.Interval {
		d.event(normal(fmt.Sprintf("Planning %s: %s", d.name(), d.Plan)))
	}
}

// enter moves to a stage of the analysis at the current weight.
func (d *decider) enter(stage v1beta1.Stage) {
	a := d.Status.Analysis
	a.Stage, a.Message = stage, ""
	a.RouteGeneration = 0
	d.progressed()
	d.RequeueAfter = d.spec.ProgressDeadline()
}

func (d *decider) progressed() {
	d.Status.Analysis.ProgressTime = metav1.NewMicroTime(d.Now)
}

// split is the division of a rollout whose revisions both have their tags.
func (d *decider) split() Traffic {
	a := d.Status.Analysis
	return Traffic{Primary: a.PrimaryRevision, Canary: a.CanaryRevision, Weight: a.Weight}
}

func (d *decider) waitForRoute() {
	a := d.Status.Analysis
	d.keepWarm()
	if d.Service.Shows(d.split()) {
		if a.Check == 1 && len(d.spec.Analysis.HooksOf(v1beta1.PreRolloutHook)) > 0 {
			d.enter(v1beta1.StagePreRollout)
			return
		}
		d.enter(v1beta1.StageMeasuring)
		d.startMeasuring()
		return
	}
	d.unblock()
	a.Message = fmt.Sprintf("the Route does not show %d percent for %s yet: %s", a.Weight, a.CanaryRevision, orUnknown(d.Service.Message))
	d.expire(a.Message)
}

// advance takes the next step after a passed check.
func (d *decider) advance() {
	a := d.Status.Analysis
	if d.Status.Phase == v1beta1.PhasePromoting {
		d.promoteTo(d.nextPromotionWeight())
		return
	}
	if iterations := d.spec.Analysis.Iterations; iterations != nil && !a.Known {
		d.Status.Iterations++
		d.event(normal(fmt.Sprintf("Advance %s canary iteration %d/%d", d.name(), d.Status.Iterations, *iterations)))
		if d.Status.Iterations < *iterations {
			d.startMeasuring()
			return
		}
	}
	gate, stage, next := v1beta1.ConfirmTrafficIncreaseHook, v1beta1.StageConfirmTrafficIncrease, d.step
	if d.nextWeight() == 0 {
		gate, stage, next = v1beta1.ConfirmPromotionHook, v1beta1.StageConfirmPromotion, d.promote
	}
	if !d.gated(gate) {
		next()
		return
	}
	if stage == v1beta1.StageConfirmPromotion {
		d.Status.Phase = v1beta1.PhaseWaitingPromotion
	}
	a.Stage = stage
	d.startMeasuring()
}

// nextWeight is the next step's, or 0 after the last one.
func (d *decider) nextWeight() int32 {
	if d.Status.Analysis.Known {
		return 0
	}
	for _, w := range d.spec.Analysis.Weights() {
		if w > d.Status.Analysis.Weight {
			return w
		}
	}
	return 0
}

// step gives the canary revision its next weight.
func (d *decider) step() {
	w := d.nextWeight()
	if w == 0 { // the steps were edited while the rollout waited
		d.Status.Analysis.Stage = v1beta1.StageMeasuring
		return
	}
	d.Status.Analysis.Weight = w
	d.event(normal(fmt.Sprintf("Advance %s canary weight %d", d.name(), w)))
	d.enter(v1beta1.StageWaitingForRoute)
	d.keepWarm()
}

// keepWarm lets the load of the checks before run on, unjudged, while the
// Route converges. Before the first check there is no tag host to send it to.
func (d *decider) keepWarm() {
	if a := d.Status.Analysis; a.Check > 1 {
		d.Measure = &Measure{Primary: a.PrimaryRevision, Canary: a.CanaryRevision}
	}
}
