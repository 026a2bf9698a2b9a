package cli

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/serin-dev/serin/api/v1beta1"
)

// running reports whether a rollout is under way whose end is not decided, or
// that can still be undone.
func running(c *v1beta1.Canary) bool {
	if c.Status.Analysis == nil {
		return false
	}
	switch c.Status.Phase {
	case v1beta1.PhaseWaiting, v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		return true
	default:
		return false
	}
}

// rollingBack reports whether the rollout goes back.
func rollingBack(c *v1beta1.Canary) bool { return stage(c) == v1beta1.StageRollingBack }

// stage is that of the rollout, or nothing.
func stage(c *v1beta1.Canary) v1beta1.Stage {
	if c.Status.Analysis == nil {
		return ""
	}
	return c.Status.Analysis.Stage
}

// revision is the one that the rollout is about.
func revision(c *v1beta1.Canary) string {
	if c.Status.Analysis == nil {
		return c.Status.LastAppliedSpec
	}
	return c.Status.Analysis.CanaryRevision
}

// phase is never empty: a new Canary has none yet.
func phase(c *v1beta1.Canary) v1beta1.Phase {
	switch {
	case c.DeletionTimestamp != nil:
		return v1beta1.PhaseTerminating
	case c.Status.Phase == "":
		return v1beta1.PhaseInitializing
	default:
		return c.Status.Phase
	}
}

// phaseColor is that of a phase.
func phaseColor(p v1beta1.Phase) color {
	switch p {
	case v1beta1.PhaseSucceeded, v1beta1.PhaseInitialized:
		return greenColor
	case v1beta1.PhaseFailed:
		return redColor
	case v1beta1.PhaseWaiting, v1beta1.PhaseWaitingPromotion:
		return yellowColor
	default:
		return boldColor
	}
}

// reason is the sentence that says why it is where it is.
func reason(c *v1beta1.Canary) string {
	condition := c.Status.Condition(v1beta1.ConditionPromoted)
	a := c.Status.Analysis
	switch {
	case a != nil && a.Message != "" && phase(c) != v1beta1.PhaseSucceeded:
		return a.Message
	case condition != nil:
		return condition.Message
	default:
		return "the daemon has not seen it yet: is one running?"
	}
}

// awaited says what has to happen for anything to go on, and by which command
// one can bring it about; either may be empty.
func awaited(c *v1beta1.Canary, program string, now time.Time) (what, command string) {
	call := func(verb string) string { return fmt.Sprintf("%s %s %s -n %s", program, verb, c.Name, c.Namespace) }
	switch {
	case c.DeletionTimestamp != nil:
		return "the Service to be given back; then the canary is gone", ""
	case c.Spec.Suspend:
		return "spec.suspend to be false", fmt.Sprintf(`kubectl patch canary %s -n %s --type=merge -p '{"spec":{"suspend":false}}'`, c.Name, c.Namespace)
	case c.Paused() && running(c) && !rollingBack(c):
		return "the end of the pause", call("resume")
	}
	switch phase(c) {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		if c.Retriable() {
			return "a new revision, or another try of " + c.Subject(v1beta1.CommandRetry), call("retry")
		}
		return "a new revision", ""
	case v1beta1.PhaseFinalising:
		return "the Route to show the new revision alone", ""
	default:
	}
	if c.Status.Analysis == nil {
		return "the daemon to pin the revision that serves", ""
	}
	return atStage(c.Status.Analysis, call, now)
}

// atStage is awaited for a rollout that is under way.
func atStage(a *v1beta1.AnalysisStatus, call func(verb string) string, now time.Time) (what, command string) {
	whom := a.WaitingFor
	if whom == "" {
		whom = "an approval"
	}
	switch a.Stage {
	case v1beta1.StageConfirmRollout, v1beta1.StageConfirmTrafficIncrease, v1beta1.StageConfirmPromotion:
		return fmt.Sprintf("%s, at the gate before %s", whom, gateOf(a.Stage)), call("approve")
	case v1beta1.StageWaitingForRevision:
		return fmt.Sprintf("Knative to say that %s is ready", a.CanaryRevision), call("abort")
	case v1beta1.StageWaitingForRoute:
		return "the Route to show the wanted weights", ""
	case v1beta1.StagePreRollout:
		return "the pre-rollout hooks to pass" + until(a, now, ", called again in "), call("abort")
	case v1beta1.StageMeasuring:
		return fmt.Sprintf("the verdict of check %d", a.Check), ""
	case v1beta1.StageWatching:
		return "the end of the watch" + until(a, now, ", in "), call("abort")
	case v1beta1.StageRollingBack:
		return fmt.Sprintf("the Route to show %s alone", a.PrimaryRevision), ""
	default:
		return "the daemon", ""
	}
}

func until(a *v1beta1.AnalysisStatus, now time.Time, words string) string {
	if a.NextTime == nil {
		return ""
	}
	return words + howLong(a.NextTime.Sub(now))
}

// howLong is a length of time for people; times of another clock that is a
// little ahead are none at all.
func howLong(d time.Duration) string { return duration.HumanDuration(max(d, 0)) }

// gateOf is the gate at which a rollout of that stage waits.
func gateOf(s v1beta1.Stage) Gate {
	switch s {
	case v1beta1.StageConfirmRollout:
		return RolloutGate
	case v1beta1.StageConfirmTrafficIncrease:
		return TrafficIncreaseGate
	case v1beta1.StageConfirmPromotion:
		return PromotionGate
	default:
		return ""
	}
}

// held says who holds the rollouts of a Canary, or nothing.
func held(c *v1beta1.Canary) string {
	var by []string
	if c.Spec.Suspend {
		by = append(by, "suspended (spec.suspend)")
	}
	if c.Paused() {
		by = append(by, "paused")
	}
	for _, g := range gates {
		if c.Halted(g.hook()) {
			by = append(by, "gate "+string(g)+" closed")
		}
	}
	return strings.Join(by, ", ")
}
