package page

import (
	"time"

	"github.com/serin-dev/serin/report"
)

// Overview is the page of all Canaries.
type Overview struct {
	// Version is the daemon's, Namespaces says which ones it watches: "all
	// namespaces", "namespace shop".
	Version, Namespaces string
	// Canaries come in any order.
	Canaries []Row
	// Now is when all this was true.
	Now time.Time
}

// Row is what is shown of each Canary.
type Row struct {
	Namespace, Name string
	// Service is the Knative Service, where its name is another one.
	Service string
	// Phase and Stage are those of the status.
	Phase, Stage string
	// Strategy says in words how traffic is moved: "steps of 10% to 50%".
	Strategy string
	// Weight is the percent of the live traffic that the Route shows for other
	// revisions than the primary one, WantedWeight what it should show.
	Weight, WantedWeight int
	// Traffic is the division that the Route shows, in the order in which it is
	// shown. Nil: it was not seen.
	Traffic []Share
	// Wanted is the division that was decided, where the Route shows another.
	Wanted []Share
	// NotApplied says why the Route does not show any more what was decided, and
	// NotAppliedSince since when. Empty: it does. Zero: not known.
	NotApplied      string
	NotAppliedSince time.Time
	// FailedChecks of Threshold end the rollout. Threshold 0: not shown.
	FailedChecks, Threshold int
	// Paused is by annotation, Suspended by the spec, and Refused says that the
	// spec is not valid: Message tells why.
	Paused, Suspended, Refused      bool
	PrimaryRevision, CanaryRevision string
	// Verdict of the last check: pass, fail or inconclusive.
	Verdict string
	// Message says why the Canary is where it is.
	Message string
	// WaitingFor names the hooks or the annotation that the rollout waits for.
	WaitingFor string
	// Since is the last change of phase. Zero: not shown.
	Since time.Time
}

// Share is a revision's part of the live traffic, in percent.
type Share struct {
	Revision string
	Percent  int
}

// Canary is the page of one Canary, or the report of one rollout.
type Canary struct {
	Row
	// Version is the daemon's.
	Version string
	// Now is when all this was true.
	Now time.Time
	// Began and Ended are those of the rollout. Zero: there was none yet, and
	// it runs.
	Began, Ended time.Time
	// MeasuredSince is set where the daemon began to measure later than the
	// rollout began, because it was started anew.
	MeasuredSince time.Time
	// Load is what was measured, its two targets the primary and the canary.
	// Page names them.
	Load report.Run
	// Plan says what a step needs.
	Plan string
	// NextTime is when the rollout goes on by itself. Zero: not known.
	NextTime time.Time
	// Checks and Events come in the order of time.
	Checks []Check
	Events []Event
	Faults []Fault
	// Commands are those that make sense now.
	Commands []Command
	// Reports are of earlier rollouts, and of this one.
	Reports []Link
	// Said is the answer to a command that was given without JavaScript.
	Said string

	whole bool // nothing is folded away
}

// Check is one check and what its metrics said.
type Check struct {
	Time    time.Time
	Number  int64
	Weight  int
	Verdict string
	Metrics []Metric
}

// Metric is what one metric said.
type Metric struct{ Name, Verdict, Message, Explanation string }

// Event is an event of Kubernetes about the Canary. Type is Normal or Warning.
type Event struct {
	Time          time.Time
	Type, Message string
	Count         int
}

// Fault is a fault that is put on the measured traffic.
type Fault struct {
	ID, Text string
	// Expires is zero for a fault that does not.
	Expires time.Time
	Hits    int64
}

// Command is something that a person may do now.
type Command struct {
	// Name is the last part of CommandPath, Label is on the button.
	Name, Label string
	// Confirm says what it will do, where that is to be asked first.
	Confirm string
	// For is what the person sees when the button is pressed. It is sent as the
	// field "for", so that an approval is for what was seen.
	For string
}

// Link is a page elsewhere on this host. Href begins with one slash.
type Link struct{ Href, Text string }
