package rollout

import (
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// The tags under which both revisions of a rollout can be reached by name.
const (
	PrimaryTag = v1beta1.PrimaryTag
	CanaryTag  = v1beta1.CanaryTag
)

// Input is all that a decision depends on. Decide does not change it.
type Input struct {
	// Now is the time of the decision.
	Now time.Time
	// Up is when this daemon took over. Time before it does not count
	// against the progress deadline: nobody was there to make progress.
	Up time.Time
	// Canary as it was last read, status included.
	Canary *v1beta1.Canary
	// Problem says why the Canary cannot be rolled out as it is written;
	// empty when it can.
	Problem string
	// Owner names another Canary that the Service belongs to; empty where it
	// is this one's.
	Owner string
	// Load describes the measured load in a few words, for an event.
	Load string
	// Plan says what a check needs, at the load's rate.
	Plan analysis.Plan
	// Service is the target; nil when it does not exist.
	Service *Service
	// Verdict is the newest one of the running session, if any.
	Verdict *Verdict
	// Answers are those of the hooks that were wanted by the decision before.
	Answers map[Key]Answer
}

// Service is what is known of the Knative Service and what belongs to it.
type Service struct {
	// Current says that the status describes the spec as it was last written,
	// and RouteReady that the Route follows it. Message says why not.
	Current, RouteReady bool
	Message             string
	// LatestCreated and LatestReady name revisions; either may be empty.
	LatestCreated, LatestReady string
	// AnnotatedPrimary is the value of the primary-revision annotation.
	AnnotatedPrimary string
	// Managed says that the Service still carries what Serin wrote to it;
	// restoring the traffic found at initialization ends that.
	Managed bool
	// Traffic is the observed division, from the status.
	Traffic []Target
	// Revisions of the Service, by name.
	Revisions map[string]Revision
}

// Target is one observed traffic target.
type Target struct {
	Revision string
	Tag      string
	Percent  int64
}

// Revision is the state of one revision.
type Revision struct {
	Ready bool
	// Failed says that Knative has given the revision up, for now.
	Failed bool
	// Message is Knative's reason for a revision that is not ready.
	Message string
	// Template is a hash of the template that the revision was made from.
	Template string
}

// Verdict is the outcome of one check of a session.
type Verdict struct {
	// Canary and Check say what it is about; a verdict about anything else
	// than the check that runs is ignored.
	Canary string
	Check  int64

	analysis.Verdict
	// Primary and Candidate sum up all that was measured since the session
	// started.
	Primary, Candidate analysis.Summary
}

// Shows reports whether the Route is observed to divide the live traffic as
// wanted, under the wanted tags. Several targets for one revision, as Knative
// reports them during a gradual rollout of its own, count together.
func (s *Service) Shows(want Traffic) bool {
	if !s.Current || !s.RouteReady {
		return false
	}
	percent, tagged := map[string]int64{}, map[string]string{}
	for _, t := range s.Traffic {
		percent[t.Revision] += t.Percent
		if t.Tag != "" {
			tagged[t.Tag] = t.Revision
		}
	}
	return percent[want.Primary] == 100-int64(want.Weight) &&
		(want.Canary == "" || percent[want.Canary] == int64(want.Weight)) &&
		tagged[PrimaryTag] == want.Primary &&
		tagged[CanaryTag] == want.Canary
}

// soleRevision is the one that gets all live traffic, or empty.
func (s *Service) soleRevision() string {
	percent := map[string]int64{}
	for _, t := range s.Traffic {
		percent[t.Revision] += t.Percent
		if percent[t.Revision] == 100 {
			return t.Revision
		}
	}
	return ""
}

func (s *Service) ready(revision string) bool { return s.Revisions[revision].Ready }

func (s *Service) exists(revision string) bool {
	_, ok := s.Revisions[revision]
	return ok
}
