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
	if d.superseded() {
		return
	}
	switch a.Stage {
	case v1beta1.StageRollingBack:
		d.rollingBack()
	case v1beta1.StageWaitingForRoute:
		d.waitForRoute()
	case v1beta1.StageMeasuring:
		d.measure()
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
	d.event(normal("New revision detected! Restarting analysis for " + d.name()))
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
	d.event(normal(fmt.Sprintf("Starting canary analysis for %s: %s", d.name(), d.Load)))
	d.plan()
	d.enter(v1beta1.StageWaitingForRoute)
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

// measure waits for the verdict of the check that runs. It goes on while the
// Route reports trouble: a canary revision that breaks down under its share of
// the traffic shall fail its checks, not wait for a deadline.
func (d *decider) measure() {
	d.want(d.split())
	if d.Problem != "" {
		d.problem = d.Problem
		d.expire(d.Problem)
		return
	}
	d.startMeasuring()
	v, a := d.Verdict, d.Status.Analysis
	if v == nil || v.Check != a.Check || v.Canary != a.CanaryRevision {
		d.expire("no verdict")
		return
	}
	before := a.Verdict
	d.report(v)
	switch v.Result {
	case analysis.Pass:
		d.progressed()
		a.Check++
		d.advance()
	case analysis.Fail:
		d.progressed()
		a.Check++
		d.failed(v)
	case analysis.Inconclusive:
		switch {
		case before == a.Verdict:
		case d.spec.Analysis.Sequential():
			d.event(normal(fmt.Sprintf("No verdict on %s yet: %s", d.name(), v))) // as planned
		default:
			d.event(warning(fmt.Sprintf("Halt %s advancement no verdict yet: %s", d.name(), v)))
		}
		d.expire("no verdict: " + v.String())
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
			Message: f.Message, Explanation: f.Explanation,
		})
	}
	a.Primary, a.Canary = measured(v.Primary), measured(v.Candidate)
}

// failed counts a failed check and rolls back at the threshold, or at once
// where the failure is proven. Otherwise the next check runs at the same weight.
func (d *decider) failed(v *Verdict) {
	d.Status.FailedChecks++
	if v.Proven {
		d.rollBack(v.String())
		return
	}
	d.event(warning(fmt.Sprintf("Halt %s advancement %s", d.name(), v)))
	if threshold := d.spec.Analysis.ThresholdOrDefault(); d.Status.FailedChecks >= threshold {
		d.rollBack(fmt.Sprintf("failed checks threshold reached %d", d.Status.FailedChecks))
		return
	}
	d.startMeasuring()
}

// advance takes the next step after a passed check.
func (d *decider) advance() {
	a := &d.spec.Analysis
	if a.Iterations != nil {
		d.Status.Iterations++
		d.event(normal(fmt.Sprintf("Advance %s canary iteration %d/%d", d.name(), d.Status.Iterations, *a.Iterations)))
		if d.Status.Iterations < *a.Iterations {
			d.startMeasuring()
			return
		}
		d.promote()
		return
	}
	for _, w := range a.Weights() {
		if w > d.Status.CanaryWeight {
			d.Status.CanaryWeight = w
			d.event(normal(fmt.Sprintf("Advance %s canary weight %d", d.name(), w)))
			d.enter(v1beta1.StageWaitingForRoute)
			d.keepWarm()
			return
		}
	}
	d.promote()
}

// keepWarm lets the load of the checks before run on, unjudged, while the
// Route converges. Before the first check there is no tag host to send it to.
func (d *decider) keepWarm() {
	if a := d.Status.Analysis; a.Check > 1 {
		d.Measure = &Measure{Primary: a.PrimaryRevision, Canary: a.CanaryRevision}
	}
}

// promote sends all live traffic to the canary revision and keeps the primary
// one as a target until the Route has followed.
func (d *decider) promote() {
	now := metav1.NewMicroTime(d.Now)
	a := d.Status.Analysis
	d.Status.Phase = v1beta1.PhasePromoting
	d.Status.CanaryWeight = 100
	a.Stage, a.DecisionTime = "", &now
	d.progressed()
	d.Measure = nil
	d.event(normal("Routing all traffic to canary"))
	d.want(d.split())
	d.RequeueAfter = d.spec.ProgressDeadline()
}

func (d *decider) promoting() {
	a := d.Status.Analysis
	if a == nil {
		d.Status.Phase, d.Status.LastPromotedSpec = v1beta1.PhaseInitializing, ""
		return
	}
	d.want(d.split())
	if !d.Service.Shows(d.split()) {
		d.expire(fmt.Sprintf("the Route does not show all traffic at %s: %s", a.CanaryRevision, orUnknown(d.Service.Message)))
		return
	}
	d.Status.Phase = v1beta1.PhaseFinalising
	d.Status.LastPromotedSpec = a.CanaryRevision
	d.want(Traffic{Primary: a.CanaryRevision})
}

func (d *decider) finalising() {
	pinned := Traffic{Primary: d.Status.LastPromotedSpec}
	d.want(pinned)
	if d.Service.Shows(pinned) {
		d.Status.Phase = v1beta1.PhaseSucceeded
		d.Status.CanaryWeight = 0
		d.event(normal(fmt.Sprintf("Promotion completed! %s is the primary revision of %s", pinned.Primary, d.name())))
	}
}

// expire rolls back at the progress deadline, with the reason, and until then
// asks to be called again.
func (d *decider) expire(reason string) {
	extra := d.spec.Analysis.IntervalOrDefault() + d.longestCheck()
	if d.Status.Phase != v1beta1.PhaseProgressing || d.Status.Analysis.Stage != v1beta1.StageMeasuring {
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

// rollBack sends all live traffic back and stops the load.
func (d *decider) rollBack(reason string) {
	now := metav1.NewMicroTime(d.Now)
	a := d.Status.Analysis
	d.Status.Phase = v1beta1.PhaseProgressing
	d.Status.CanaryWeight = 0
	a.Stage, a.DecisionTime, a.Message = v1beta1.StageRollingBack, &now, reason
	d.progressed()
	d.Measure = nil
	d.RequeueAfter = 0
	d.event(warning(fmt.Sprintf("Rolling back %s %s", d.name(), reason)))
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
		d.Status.Phase = v1beta1.PhaseSucceeded
		d.Status.LastAppliedSpec = a.PrimaryRevision
		return
	}
	d.Status.Phase = v1beta1.PhaseFailed
	d.event(warning(fmt.Sprintf("Canary failed! %s gets no traffic, %s serves %s", a.CanaryRevision, a.PrimaryRevision, d.name())))
}
