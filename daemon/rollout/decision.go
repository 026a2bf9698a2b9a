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
	// Restore gives the Service back the traffic found at initialization.
	Restore bool
	// Measure is the load to run; nil stops it.
	Measure *Measure
	// Events to publish, in order.
	Events []Event
	// RequeueAfter asks for another decision without a cause from outside,
	// for a deadline. 0 means that none is needed.
	RequeueAfter time.Duration
	// Release ends Serin's hold on a Canary that is being deleted.
	Release bool
}

// Traffic is a wanted division of the live traffic between pinned revisions.
type Traffic struct {
	// Primary gets what Weight leaves, under the primary tag.
	Primary string
	// Canary gets Weight percent under the canary tag. Empty for none, and
	// then Weight is 0.
	Canary string
	Weight int32
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
}

func normal(message string) Event { return Event{corev1.EventTypeNormal, message} }

func warning(message string) Event { return Event{corev1.EventTypeWarning, message} }
