package v1beta1

import (
	"fmt"
	"slices"
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
// makes no sense now.
func (c *Canary) Give(command string, now time.Time) (annotation string, value *string, err error) {
	switch command {
	case CommandPause:
		return PauseAnnotation, new("true"), nil
	case CommandResume:
		if !c.Paused() {
			return "", nil, fmt.Errorf("%s is not paused", c.Name)
		}
		return PauseAnnotation, nil, nil
	}
	if !slices.Contains(Commands, command) {
		return "", nil, fmt.Errorf("there is no command %q: it is one of %q", command, Commands)
	}
	a := c.Status.Analysis
	if a == nil || a.CanaryRevision == "" {
		return "", nil, fmt.Errorf("%s has no rollout yet", c.Name)
	}
	switch command {
	case CommandRetry:
		if c.Status.Phase != PhaseFailed {
			return "", nil, fmt.Errorf("%s is %s: only a failed rollout can be tried again", c.Name, c.Status.Phase)
		}
		annotation = RetryAnnotation
	case CommandApprove:
		if !c.AwaitsApproval() {
			return "", nil, fmt.Errorf("%s does not wait for approval: it is %s", c.Name, c.where())
		}
		annotation = ApproveAnnotation
	case CommandPromote, CommandAbort:
		if !c.Running() || a.Stage == StageRollingBack {
			return "", nil, fmt.Errorf("there is nothing to %s: %s is %s", command, c.Name, c.where())
		}
		annotation = AbortAnnotation
		if command == CommandPromote {
			annotation = PromoteAnnotation
		}
	}
	return annotation, new(a.CanaryRevision + "/" + now.UTC().Format(time.RFC3339Nano)), nil
}

// where is the stage of a rollout that runs, else the phase.
func (c *Canary) where() string {
	if c.Running() && c.Status.Analysis.Stage != "" {
		return fmt.Sprintf("%s, %s", c.Status.Phase, c.Status.Analysis.Stage)
	}
	return string(c.Status.Phase)
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
