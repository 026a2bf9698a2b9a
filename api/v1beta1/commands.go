package v1beta1

import "strings"

// Annotations of a Canary by which people take part in its rollouts. They are
// part of the object, so that they survive a daemon and work with kubectl and
// from a repository.
const (
	// CommandPrefix and the name of a command make its annotation.
	CommandPrefix = "serin.dev/"

	// PauseAnnotation holds the rollout where it is while it is "true".
	PauseAnnotation = CommandPrefix + CommandPause
	// HaltAnnotation closes gates: a list of rollout, traffic-increase and
	// promotion, or "true" for all of them.
	HaltAnnotation = "serin.dev/halt"

	// The others are commands. Any value that is not empty and was not given
	// before is one command, such as a date. One that begins with the name of a
	// revision, alone or before a slash, is about no other revision.

	// ApproveAnnotation passes the gate at which the rollout waits.
	ApproveAnnotation = CommandPrefix + CommandApprove
	// PromoteAnnotation promotes the canary revision now.
	PromoteAnnotation = CommandPrefix + CommandPromote
	// AbortAnnotation rolls back now.
	AbortAnnotation = CommandPrefix + CommandAbort
	// RetryAnnotation rolls a failed revision out again.
	RetryAnnotation = CommandPrefix + CommandRetry
	// RollbackAnnotation puts the revision that was promoted before back, in any
	// phase, and keeps it until the next push. A value that begins with a
	// revision's name is about the revision that is to go.
	RollbackAnnotation = CommandPrefix + CommandRollback
)

// Paused reports whether PauseAnnotation holds the rollout.
func (c *Canary) Paused() bool { return c.Annotations[PauseAnnotation] == "true" }

// Halted reports whether HaltAnnotation closes the gate at which hooks of that
// type are asked.
func (c *Canary) Halted(hookType string) bool {
	gate, ok := strings.CutPrefix(hookType, "confirm-")
	if !ok {
		return false
	}
	for word := range strings.SplitSeq(c.Annotations[HaltAnnotation], ",") {
		if word = strings.TrimSpace(word); word == gate || word == "true" {
			return true
		}
	}
	return false
}

// Command returns the value of a command annotation that was not carried out
// yet, or nothing.
func (c *Canary) Command(annotation string) string {
	value := c.Annotations[annotation]
	if c.Status.Commands[annotation] == value {
		return ""
	}
	return value
}

// HooksOf returns the webhooks of a type, without those whose command is the
// load.
func (a *Analysis) HooksOf(hookType string) []Webhook {
	var hooks []Webhook
	for i := range a.Webhooks {
		h := &a.Webhooks[i]
		if h.TypeOrDefault() == hookType && h.HeyCommand() == "" {
			hooks = append(hooks, *h)
		}
	}
	return hooks
}

// TypeOrDefault is the hook's type; rollout where none is given.
func (h *Webhook) TypeOrDefault() string {
	if h.Type == "" {
		return RolloutHook
	}
	return h.Type
}
