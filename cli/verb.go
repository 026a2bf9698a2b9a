package cli

import (
	"fmt"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Verb is a command that is carried out once.
type Verb string

// The verbs.
const (
	Promote Verb = "promote"
	Abort   Verb = "abort"
	Retry   Verb = "retry"
	Approve Verb = "approve"
)

func (v Verb) annotation() string {
	switch v {
	case Promote:
		return v1beta1.PromoteAnnotation
	case Abort:
		return v1beta1.AbortAnnotation
	case Retry:
		return v1beta1.RetryAnnotation
	default:
		return v1beta1.ApproveAnnotation
	}
}

// refusal says why the verb makes no sense now, or nothing. The daemon has the
// last word; this one spares the wait for it.
func (v Verb) refusal(c *v1beta1.Canary, program string) string {
	switch {
	case c.DeletionTimestamp != nil:
		return "the canary is being deleted"
	case c.Spec.Suspend:
		return "spec.suspend is true, which holds commands as well: set it to false first"
	case v == Retry:
		return retryRefusal(c)
	case v == Abort && c.Status.Phase == v1beta1.PhaseFinalising:
		return fmt.Sprintf("%s is promoted already: push the revision that you want", revision(c))
	case !running(c):
		return fmt.Sprintf("no rollout is under way: the phase is %s", phase(c))
	case rollingBack(c):
		return fmt.Sprintf("%s is being rolled back already", revision(c))
	case v == Promote && c.Status.Phase == v1beta1.PhasePromoting:
		return fmt.Sprintf("%s is being promoted already", revision(c))
	case v == Approve:
		return approveRefusal(c, program)
	default:
		return ""
	}
}

func retryRefusal(c *v1beta1.Canary) string {
	if c.Status.Phase != v1beta1.PhaseFailed {
		return fmt.Sprintf("there is no failed revision to try again: the phase is %s", phase(c))
	}
	return ""
}

func approveRefusal(c *v1beta1.Canary, program string) string {
	switch {
	case gateOf(stage(c)) == "":
		return fmt.Sprintf("it waits at no gate: the stage is %s", stage(c))
	case c.Paused():
		return fmt.Sprintf("it is paused, which holds approvals as well: %s resume %s -n %s first", program, c.Name, c.Namespace)
	default:
		return ""
	}
}

// outcome says what has come of the verb about a revision, or nothing while
// nothing has.
func (v Verb) outcome(c *v1beta1.Canary, target string) string {
	if c.Status.LastAppliedSpec != target && revision(c) != target {
		return ""
	}
	s := &c.Status
	promoted := s.LastPromotedSpec == target
	switch {
	case v == Promote && promoted:
		return fmt.Sprintf("%s is promoted", target)
	case v == Promote && s.Phase == v1beta1.PhasePromoting:
		return fmt.Sprintf("%s is being promoted", target)
	case v == Abort && rollingBack(c):
		return fmt.Sprintf("%s is being rolled back", target)
	case v == Abort && s.Phase == v1beta1.PhaseFailed:
		return fmt.Sprintf("%s is rolled back", target)
	case v == Retry && running(c):
		return fmt.Sprintf("%s is rolled out again", target)
	case v == Approve && (promoted || running(c) && !rollingBack(c)):
		return fmt.Sprintf("%s is approved, and goes on: %s", target, phaseAndStage(c))
	default:
		return ""
	}
}

func phaseAndStage(c *v1beta1.Canary) string {
	if s := stage(c); s != "" {
		return fmt.Sprintf("%s, %s", phase(c), s)
	}
	return string(phase(c))
}

// delay says why the daemon may take its time.
func (v Verb) delay(c *v1beta1.Canary) string {
	a := c.Status.Analysis
	if v == Promote && a != nil && (a.Stage == v1beta1.StageWaitingForRevision || a.Stage == v1beta1.StageConfirmRollout) {
		return fmt.Sprintf("it is carried out when %s is ready", a.CanaryRevision)
	}
	return "is the daemon running?"
}
