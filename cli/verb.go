package cli

import (
	"fmt"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Verb is a command that is carried out once.
type Verb string

// The verbs.
const (
	Promote  Verb = v1beta1.CommandPromote
	Abort    Verb = v1beta1.CommandAbort
	Retry    Verb = v1beta1.CommandRetry
	Approve  Verb = v1beta1.CommandApprove
	Rollback Verb = v1beta1.CommandRollback
)

// phrase is the verb in a sentence.
func (v Verb) phrase() string {
	if v == Rollback {
		return "roll back"
	}
	return string(v)
}

// annotation is the one by which the verb is given.
func (v Verb) annotation() string { return v1beta1.CommandPrefix + string(v) }

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
	case v == Rollback && revision(c) == target && rollingBack(c):
		return fmt.Sprintf("%s is being rolled back to %s", target, s.Analysis.PrimaryRevision)
	case v == Rollback && revision(c) == target && !c.Running() && !promoted && s.LastPromotedSpec != "":
		return fmt.Sprintf("%s is rolled back, %s serves", target, s.LastPromotedSpec)
	case v == Retry && running(c):
		return fmt.Sprintf("%s is rolled out again", target)
	case v == Approve && (promoted || running(c) && !rollingBack(c)):
		return fmt.Sprintf("%s is approved, and goes on: %s", target, phaseAndStage(c))
	default:
		return ""
	}
}

// movedOn reports whether the verb would be about another revision now.
func (v Verb) movedOn(now *v1beta1.Canary, target string) bool {
	return now.Subject(string(v)) != target
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
