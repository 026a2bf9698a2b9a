package rollout

import (
	"fmt"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// startMeasuring begins a check under the Route as it is. Where that does not show the
// division, as it may after a hook that took its time, the check is interrupted at once.
func (d *decider) startMeasuring() {
	a := d.Status.Analysis
	a.RouteGeneration = 0
	if d.Service.Current && d.Service.Divides(d.split()) {
		a.RouteGeneration = d.Service.Generation
	}
	d.keepMeasuring()
}

func (d *decider) keepMeasuring() {
	a := d.Status.Analysis
	d.Measure = &Measure{Primary: a.PrimaryRevision, Canary: a.CanaryRevision, Check: a.Check}
}

// measure waits for the verdict of the check that runs, and for the hooks that
// have a say in it. It goes on while the Route reports trouble: a canary revision
// that breaks down under its share of the traffic shall fail its checks, not
// wait for a deadline.
func (d *decider) measure() {
	if d.Held != "" {
		d.problem = d.Held
		d.expire(d.Held)
		return
	}
	if d.interrupted() {
		return
	}
	d.keepMeasuring()
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
	case !d.Service.Shows(d.split()):
		d.unblock()
		d.repeat(fmt.Sprintf("the check passed, and does not count: the Route does not show %s: %s", d.split(), orUnknown(d.Service.Message)))
	case len(hooks.pending) > 0:
		d.pending(v1beta1.RolloutHook, hooks.pending[0])
		d.expire(a.Message)
	default:
		d.passed()
	}
}

// interrupted stops the load while the Route does not show both tags and the
// division, and begins the check again when it does. What was measured meanwhile
// says nothing of the revisions: an ingress that does not know a tag answers for
// them. Any change of the specification counts as an interruption, as one that was
// undone at once may never have been seen.
func (d *decider) interrupted() bool {
	a := d.Status.Analysis
	shown := d.Service.Divides(d.split())
	if shown && a.RouteGeneration == d.Service.Generation {
		return false
	}
	if !shown || !d.Service.Current {
		a.RouteGeneration = 0
		a.Message = fmt.Sprintf("the check is interrupted: the Route shows %s instead of %s", v1beta1.FormatShares(d.Service.live()), d.split())
		d.expire(a.Message)
		return true
	}
	d.repeat("the check begins again: somebody else has changed the Service meanwhile")
	return true
}

// repeat begins the check that runs again, as another one: it is neither passed
// nor failed.
func (d *decider) repeat(why string) {
	a := d.Status.Analysis
	a.Check++
	a.Message, a.RouteGeneration = why, 0
	if d.Service.Current && d.Service.Divides(d.split()) {
		a.RouteGeneration = d.Service.Generation
	}
	d.expire(why)
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
	switch a.Stage {
	case v1beta1.StageMeasuring:
		a.WaitingFor = ""
		d.advance()
		return
	case v1beta1.StageWatching:
		a.WatchedSeconds += d.Verdict.Elapsed.Seconds()
	default:
	}
	d.startMeasuring()
}

// confirm waits at a gate while the checks go on.
func (d *decider) confirm(hookType, occasion string, pass func()) {
	stage := d.Status.Analysis.Stage
	d.measure()
	if d.Measure == nil || d.Status.Analysis.Stage != stage {
		return // held, interrupted or rolled back
	}
	if d.gate(hookType, occasion) {
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

// expire rolls back at the progress deadline, with the reason, and until then
// asks to be called again. A watch without verdicts ends then: what is watched has
// passed all its checks.
func (d *decider) expire(reason string) {
	extra := d.spec.Analysis.IntervalOrDefault() + d.longestCheck()
	stage := d.Status.Analysis.Stage
	switch stage {
	case v1beta1.StageMeasuring, v1beta1.StageWatching, v1beta1.StageConfirmTrafficIncrease, v1beta1.StageConfirmPromotion:
	default:
		extra = 0
	}
	left := d.left(extra)
	switch {
	case left > 0:
		d.RequeueAfter = left
	case d.takeOver():
	case stage == v1beta1.StageWatching:
		d.event(warning(fmt.Sprintf("The watch of %s ends without a verdict: %s", d.name(), reason)).loud(Warn))
		d.finalise()
	default:
		d.rollBack("progress deadline exceeded " + reason)
	}
}

// longestCheck is how long a check may take until it has a verdict.
func (d *decider) longestCheck() time.Duration {
	a := &d.spec.Analysis
	if a.Sequential() {
		return a.MaxDurationOrDefault()
	}
	return a.IntervalOrDefault()
}
