package rollout

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// progress moves the rollout that runs.
func (d *decider) progress() {
	a := d.Status.Analysis
	if a == nil || !d.Service.exists(a.PrimaryRevision) {
		// Not a rollout of ours, or its Service was made anew.
		d.Status.Phase, d.Status.LastPromotedSpec = v1beta1.PhaseInitializing, ""
		return
	}
	if d.superseded() || d.commanded() {
		return
	}
	if a.Stage == v1beta1.StageRollingBack {
		d.rollingBack()
		return
	}
	if d.calledBack() || d.paused() {
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
		d.confirm(v1beta1.ConfirmTrafficIncreaseHook, fmt.Sprintf("%s/weight-%d", a.CanaryRevision, d.Status.CanaryWeight), d.step)
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
	if latest == "" || latest == a.CanaryRevision {
		return false
	}
	if latest == a.PrimaryRevision {
		if a.Stage != v1beta1.StageRollingBack {
			d.rollBack("the service is back at its primary revision")
			return true
		}
		return false
	}
	d.refuseAll() // they were meant for the revision before
	d.event(normal("New revision detected! Restarting analysis for " + d.name()).loud(Info))
	d.begin(latest)
	return true
}

func (d *decider) waitForRevision() {
	a := d.Status.Analysis
	d.want(Traffic{Primary: a.PrimaryRevision})
	canary := d.Service.Revisions[a.CanaryRevision]
	if !canary.Ready {
		a.Message = fmt.Sprintf("revision %s is not ready: %s", a.CanaryRevision, orUnknown(canary.Message))
		d.expire(a.Message)
		return
	}
	if d.Problem != "" {
		d.problem = d.Problem
		d.expire(d.Problem)
		return
	}
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
	d.progressed()
	d.want(d.split())
	d.RequeueAfter = d.spec.ProgressDeadline()
}

func (d *decider) progressed() {
	d.Status.Analysis.ProgressTime = metav1.NewMicroTime(d.Now)
}

// split is the division that the status stands for.
func (d *decider) split() Traffic {
	a := d.Status.Analysis
	return Traffic{Primary: a.PrimaryRevision, Canary: a.CanaryRevision, Weight: d.Status.CanaryWeight}
}

func (d *decider) waitForRoute() {
	d.want(d.split())
	d.keepWarm()
	if d.Service.Shows(d.split()) {
		if d.Status.Analysis.Check == 1 && len(d.spec.Analysis.HooksOf(v1beta1.PreRolloutHook)) > 0 {
			d.enter(v1beta1.StagePreRollout)
			return
		}
		d.enter(v1beta1.StageMeasuring)
		d.startMeasuring()
		return
	}
	d.Status.Analysis.Message = fmt.Sprintf("the Route does not show %d percent for %s yet: %s",
		d.Status.CanaryWeight, d.Status.Analysis.CanaryRevision, orUnknown(d.Service.Message))
	d.expire(d.Status.Analysis.Message)
}

func (d *decider) startMeasuring() {
	a := d.Status.Analysis
	d.Measure = &Measure{Primary: a.PrimaryRevision, Canary: a.CanaryRevision, Check: a.Check}
}

// measure waits for the verdict of the check that runs, and for the hooks that
// have a say in it. It goes on while the Route reports trouble: a canary revision
// that breaks down under its share of the traffic shall fail its checks, not
// wait for a deadline.
func (d *decider) measure() {
	d.want(d.split())
	if d.Problem != "" {
		d.problem = d.Problem
		d.expire(d.Problem)
		return
	}
	d.startMeasuring()
	hooks := d.ask(v1beta1.RolloutHook, d.checkOccasion(), 0)
	v, a := d.Verdict, d.Status.Analysis
	if v == nil || v.Check != a.Check || v.Canary != a.CanaryRevision {
		d.expire("no verdict")
		return
	}
	before := a.Verdict
	d.report(v)
	switch {
	case v.Result == analysis.Fail:
		d.failed(v)
	case len(hooks.refused) > 0:
		d.failedCheck(fmt.Sprintf("external check %s failed %s", hooks.refused[0].hook, hooks.refused[0].reason))
	case v.Result == analysis.Inconclusive:
		d.inconclusive(v, before)
	case len(hooks.pending) > 0:
		d.pending(v1beta1.RolloutHook, hooks.pending[0])
		d.expire(a.Message)
	default:
		d.passed()
	}
}

func (d *decider) inconclusive(v *Verdict, before string) {
	switch {
	case before == v.Result.String():
	case d.spec.Analysis.Sequential():
		d.event(normal(fmt.Sprintf("No verdict on %s yet: %s", d.name(), v))) // as planned
	default:
		d.event(warning(fmt.Sprintf("Halt %s advancement no verdict yet: %s", d.name(), v)))
	}
	d.expire("no verdict: " + v.String())
}

// passed takes the next step, unless the rollout waits for something else, and
// the checks only see to it that nothing goes wrong meanwhile.
func (d *decider) passed() {
	a := d.Status.Analysis
	d.progressed()
	a.Check++
	if a.Stage == v1beta1.StageMeasuring {
		a.WaitingFor = ""
		d.advance()
		return
	}
	d.startMeasuring()
}

// confirm waits at a gate while the checks go on.
func (d *decider) confirm(hookType, occasion string, pass func()) {
	stage := d.Status.Analysis.Stage
	d.measure()
	if d.Problem == "" && d.Status.Analysis.Stage == stage && d.gate(hookType, occasion) {
		pass()
	}
}

// report writes a verdict and its numbers to the status.
func (d *decider) report(v *Verdict) {
	a := d.Status.Analysis
	a.Verdict, a.Message = v.Result.String(), v.String()
	a.Metrics = make([]v1beta1.MetricStatus, 0, len(v.Findings))
	for _, f := range v.Findings {
		a.Metrics = append(a.Metrics, v1beta1.MetricStatus{
			Name: f.Metric, Verdict: f.Result.String(), Requests: f.Requests,
			Value: worthReading(f.Value), Message: f.Message, Explanation: f.Explanation,
		})
	}
	a.Primary, a.Canary = measured(v.Primary), measured(v.Candidate)
}

// failed rolls back at once where the failure is proven, or the revision has been
// promoted already and is only watched; else the check counts.
func (d *decider) failed(v *Verdict) {
	if v.Proven || d.Status.Analysis.Stage == v1beta1.StageWatching {
		d.Status.FailedChecks++
		d.rollBack(v.String())
		return
	}
	d.failedCheck(v.String())
}

// failedCheck counts a failed check and rolls back at the threshold. Otherwise
// the next check runs at the same weight.
func (d *decider) failedCheck(reason string) {
	d.progressed()
	a := d.Status.Analysis
	a.Check++
	if a.Stage == v1beta1.StageMeasuring {
		a.WaitingFor = ""
	}
	d.Status.FailedChecks++
	d.event(warning(fmt.Sprintf("Halt %s advancement %s", d.name(), reason)))
	if threshold := d.spec.Analysis.ThresholdOrDefault(); d.Status.FailedChecks >= threshold {
		d.rollBack(fmt.Sprintf("failed checks threshold reached %d", d.Status.FailedChecks))
		return
	}
	if a.Stage != v1beta1.StagePreRollout {
		d.startMeasuring()
	}
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
		if w > d.Status.CanaryWeight {
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
	d.Status.CanaryWeight = w
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

// expire rolls back at the progress deadline, with the reason, and until then
// asks to be called again.
func (d *decider) expire(reason string) {
	extra := d.spec.Analysis.IntervalOrDefault() + d.longestCheck()
	switch d.Status.Analysis.Stage {
	case v1beta1.StageWatching:
		return // which ends by itself
	case v1beta1.StageMeasuring, v1beta1.StageConfirmTrafficIncrease, v1beta1.StageConfirmPromotion:
	default:
		extra = 0
	}
	left := d.deadline(extra).Sub(d.Now)
	if left <= 0 {
		d.rollBack("progress deadline exceeded " + reason)
		return
	}
	d.RequeueAfter = left
}

// longestCheck is how long a check may take until it has a verdict.
func (d *decider) longestCheck() time.Duration {
	a := &d.spec.Analysis
	if a.Sequential() {
		return a.MaxDurationOrDefault()
	}
	return a.IntervalOrDefault()
}
