package v1beta1

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// The commands that people give a Canary.
const (
	CommandPromote  = "promote"
	CommandAbort    = "abort"
	CommandApprove  = "approve"
	CommandRetry    = "retry"
	CommandRollback = "rollback"
	CommandPause    = "pause"
	CommandResume   = "resume"
)

// Commands are all of them.
var Commands = []string{CommandPromote, CommandAbort, CommandApprove, CommandRetry, CommandRollback, CommandPause, CommandResume}

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
	case CommandRollback:
		annotation = RollbackAnnotation
	default:
		return "", nil, fmt.Errorf("there is no such command: it is one of %q", Commands)
	}
	if why := c.refuses(command); why != "" {
		return "", nil, errors.New(why)
	}
	return annotation, new(c.Subject(command) + "/" + now.UTC().Format(time.RFC3339Nano)), nil
}

// Subject is the revision that a command is about, or empty where there is none:
// the one that would go, with a rollback, and else the one that is or would be
// analysed.
func (c *Canary) Subject(command string) string {
	switch a := c.Status.Analysis; {
	case command == CommandRetry:
		return c.Status.LastAppliedSpec
	case a != nil && c.Running():
		return a.CanaryRevision
	case command == CommandRollback:
		return c.Status.LastPromotedSpec
	case a != nil:
		return a.CanaryRevision
	}
	return ""
}

// Previous are the revisions that a rollback by hand may go back to, in that
// order: the primary one of the rollout that runs, or else those that were
// promoted before. Failed ones are not among them.
func (c *Canary) Previous() []string {
	if c.Running() && c.Status.Analysis.PrimaryRevision != c.Subject(CommandRollback) {
		return []string{c.Status.Analysis.PrimaryRevision}
	}
	var previous []string
	for _, r := range c.Status.Retired {
		if r.Revision != c.Status.LastPromotedSpec && !slices.Contains(c.Status.Failed, r.Revision) {
			previous = append(previous, r.Revision)
		}
	}
	return previous
}

// Retriable reports whether the newest revision was not promoted and no rollout
// of it runs, because it failed, was rolled back by hand, or was there without
// traffic when the Service was pinned.
func (c *Canary) Retriable() bool {
	switch c.Status.Phase {
	case PhaseInitialized, PhaseSucceeded, PhaseFailed:
		return c.Status.LastAppliedSpec != "" && c.Status.LastAppliedSpec != c.Status.LastPromotedSpec
	default:
		return false
	}
}

// refuses says why a command about the rollout makes no sense now, or nothing.
func (c *Canary) refuses(command string) string {
	s := &c.Status
	switch {
	case c.DeletionTimestamp != nil:
		return "the canary is being deleted"
	case c.Spec.Suspend:
		return "spec.suspend is true, which holds commands as well: set it to false first"
	case command == CommandRetry && c.Retriable():
		return ""
	case command == CommandRetry:
		return fmt.Sprintf("there is no failed revision to try again: the phase is %s", c.phase())
	case command == CommandRollback && c.Running() && s.Analysis.Stage == StageRollingBack:
		return fmt.Sprintf("%s is being rolled back already", s.Analysis.CanaryRevision)
	case command == CommandRollback && len(c.Previous()) == 0:
		return "no revision that was promoted earlier is left to go back to"
	case command == CommandRollback:
		return ""
	case !c.Running():
		return fmt.Sprintf("no rollout is under way: the phase is %s", c.phase())
	case command == CommandAbort && s.Phase == PhaseFinalising:
		return fmt.Sprintf("%s is promoted already: push the revision that you want", s.Analysis.CanaryRevision)
	case s.Analysis.Stage == StageRollingBack && command != CommandPromote:
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
