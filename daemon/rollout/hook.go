package rollout

import (
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Call is a call of a webhook that a rollout waits for. Two Calls with the same
// Key are the same call, and one that is decided for again goes on.
type Call struct {
	Key
	// Webhook is the hook as the Canary has it.
	Webhook v1beta1.Webhook
	// Phase is told to the hook.
	Phase v1beta1.Phase
	// Every repeats the call, this long after each answer that did not pass,
	// until one does. 0 makes it once.
	Every time.Duration
}

// Key tells calls apart.
type Key struct {
	// Hook is the webhook's name, Type its type.
	Hook, Type string
	// Occasion is what the hook is called for: a revision, and with some types
	// a check or a weight of it.
	Occasion string
}

// Answer is what came of a call.
type Answer struct {
	// Passed says that the hook answered with a success.
	Passed bool
	// Message says what it answered, or what went wrong; cut and in one line.
	Message string
}
