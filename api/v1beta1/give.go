package v1beta1

import (
	"errors"
	"fmt"
	"time"
)

// The commands that people give a Canary.
const (
	CommandPromote = "promote"
	CommandAbort   = "abort"
	CommandApprove = "approve"
	CommandRetry   = "retry"
	CommandPause   = "pause"
	CommandResume  = "resume"
)

// Commands are all of them.
var Commands = []string{CommandPromote, CommandAbort, CommandApprove, CommandRetry, CommandPause, CommandResume}

// Give returns the annotation by which a command is given, and its value; nil
// takes the annotation away. The value names the revision under analysis, so
// that one that is pushed meanwhile is not meant. The error says why the command
// makes no sense now; the daemon has the last word, this spares the wait for it.
func (c *Canary) Give(command string, now time.Time) (annotation string, value *string, err error) {
	switch command {
	case CommandPause:
		return PauseAnnotation, new("true"), nil
	case CommandResume:
		if !c.Paused() {
			return "", nil, errors.New("it is not paused")
		}
		return PauseAnnotation, nil, nil
	case CommandPromote:
		annotation = PromoteAnnotation
	case CommandAbort:
		annotation = AbortAnnotation
	case CommandApprove:
		annotation = ApproveAnnotation
	case CommandRetry:
		annotation = RetryAnnotation
	default:
		return "", nil, fmt.Errorf("there is no such command: it is one of %q", Commands)
	}
	if why := c.refuses(command); why != "" {
		return "", nil, errors.New(why)
	}
	return annotation, new(c.Status.Analysis.CanaryRevision + "/" + now.UTC().Format(time.RFC3339Nano)), nil
}

// refuses says why a command about the rollout makes no sense now, or nothing.
func (c *Canary) refuses(command string) string {
	s := &c.Status
	switch {
	case c.DeletionTimestamp != nil:
		return "the canary is being deleted"
	case c.Spec.Suspend:
		return "spec.suspend is true, which holds commands as well: set it to false first"
	case command == CommandRetry && s.Phase == PhaseFailed && s.Analysis != nil:
		return ""
	case command == CommandRetry:
		return fmt.Sprintf("there is no failed revision to try again: the phase is %s", c.phase())
	case !c.Running():
		return fmt.Sprintf("no rollout is under way: the phase is %s", c.phase())
	case command == CommandAbort && s.Phase == PhaseFinalising:
		return fmt.Sprintf("%s is promoted already: push the revision that you want", s.Analysis.CanaryRevision)
	case s.Analysis.Stage == StageRollingBack:
		return fmt.Sprintf("%s is being rolled back already", s.Analysis.CanaryRevision)
	case command == CommandPromote && (s.Phase == PhasePromoting || s.Phase == PhaseFinalising):
		return fmt.Sprintf("%s is being promoted already", s.Analysis.CanaryRevision)
	case command == CommandApprove && !c.AwaitsApproval():
		return fmt.Sprintf("it waits at no gate: the stage is %s", s.Analysis.Stage)
	case command == CommandApprove && c.Paused():
		return "it is paused, which holds approvals as well: resume it first"
	}
	return ""
}

// phase is what a Canary without one has.
func (c *Canary) phase() Phase {
	if c.Status.Phase == "" {
		return PhaseInitializing
	}
	return c.Status.Phase
}

// Running reports whether a rollout is under way.
func (c *Canary) Running() bool {
	switch c.Status.Phase {
	case PhaseWaiting, PhaseProgressing, PhaseWaitingPromotion, PhasePromoting, PhaseFinalising:
		return c.Status.Analysis != nil
	default:
		return false
	}
}

// AwaitsApproval reports whether a rollout stands at a gate.
func (c *Canary) AwaitsApproval() bool {
	if !c.Running() {
		return false
	}
	switch c.Status.Analysis.Stage {
	case StageConfirmRollout, StageConfirmTrafficIncrease, StageConfirmPromotion:
		return true
	default:
		return false
	}
}
