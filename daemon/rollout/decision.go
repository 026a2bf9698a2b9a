package rollout

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Decision is what to do. The zero Decision's nil fields hold everything where
// it is.
type Decision struct {
	// Status to write.
	Status v1beta1.CanaryStatus
	// Traffic to bring about; nil leaves the Service alone.
	Traffic *Traffic
	// Drop are the tags of the user's targets that go with the next write, since
	// their revisions cannot serve: the Route follows no division with such a
	// target.
	Drop []string
	// Measure is the load to run; nil stops it.
	Measure *Measure
	// Calls of hooks that are wanted; those that are not are ended.
	Calls []Call
	// Events to publish, in order.
	Events []Event
	// RequeueAfter asks for another decision without a cause from outside,
	// for a deadline. 0 means that none is needed.
	RequeueAfter time.Duration
}

// Claims reports whether the decision says that something is so, and not only
// that it is meant to be. It must not be made from a Service that a cache may
// have as it was.
func (d *Decision) Claims(before *v1beta1.CanaryStatus) bool {
	if d.Status.Phase == before.Phase {
		return false
	}
	switch d.Status.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		return true
	default:
		return false
	}
}

// Measure is a session: the same requests to both revisions.
type Measure struct {
	Primary, Canary string
	// Check is the number of the check to judge, or 0 to send the load and
	// judge nothing.
	Check int64
}

// Event is a message on the Canary.
type Event struct {
	Type    string // corev1.EventTypeNormal or EventTypeWarning
	Message string
	// Alert says how loud it is to be told to people; Quiet tells nobody.
	Alert Alert
}

// Alert is Flagger's severity of an alert.
type Alert string

// The alerts, from the one that is not sent to the loudest.
const (
	Quiet Alert = ""
	Info  Alert = "info"
	Warn  Alert = "warn"
	Error Alert = "error"
)

func normal(message string) Event { return Event{Type: corev1.EventTypeNormal, Message: message} }

func warning(message string) Event { return Event{Type: corev1.EventTypeWarning, Message: message} }

// loud is the event with an alert.
func (e Event) loud(alert Alert) Event {
	e.Alert = alert
	return e
}
