package rollout

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

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
	// Up is when this daemon took over, or last saw its clock jump. Time before
	// it does not count against a deadline: nobody was there to make progress.
	Up time.Time
	// Identity tells this daemon from others that may serve the same Canary.
	// Replicas of one installation, of which one works at a time, share it.
	Identity string
	// Canary as it was last read, status included.
	Canary *v1beta1.Canary
	// Held says why new revisions cannot be rolled out as the Canary is
	// written; empty when they can. The Service is pinned all the same.
	Held string
	// Unpinnable says why the Service must not be pinned; empty when it may be.
	Unpinnable string
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
	// UID tells the Service from one that is made again under its name.
	UID types.UID
	// Generation grows with every change of the specification.
	Generation int64
	// Current says that the status describes the spec as it was last written,
	// and RouteReady that the Route follows it. Message says why not.
	Current, RouteReady bool
	Message             string
	// LatestCreated and LatestReady name revisions; either may be empty.
	LatestCreated, LatestReady string
	// AnnotatedPrimary is the value of the primary-revision annotation.
	AnnotatedPrimary string
	// Spec is the division that the specification asks for. The revision of a
	// target that follows the latest one is empty.
	Spec []Target
	// SpecWriter is who changed spec.traffic last, and SpecTime when; empty
	// where that was Serin, or is not known.
	SpecWriter string
	SpecTime   time.Time
	// Traffic is the observed division, from the status.
	Traffic []Target
	// Revisions of the Service, by name.
	Revisions map[string]Revision
	// Left is what a Canary wrote to the Service to be undone when it is gone;
	// nil where none did.
	Left *Left
}

// Target is one traffic target.
type Target struct {
	Revision string
	Tag      string
	Percent  int64
}

// Revision is the state of one revision.
type Revision struct {
	// UID tells the revision from one that is made again under its name.
	UID   types.UID
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
	// Elapsed is how long the check measured.
	Elapsed time.Duration

	analysis.Verdict
	// Primary and Candidate sum up all that was measured since the session
	// started.
	Primary, Candidate analysis.Summary
}

// Shows reports whether the Route has followed the specification and divides the
// live traffic as wanted, under the wanted tags.
func (s *Service) Shows(want Traffic) bool {
	return s.Current && s.RouteReady && divides(s.Traffic, want)
}

// Divides reports whether the Route is observed to divide the live traffic as
// wanted, whatever it says of itself: it keeps the old division while a target of
// a new one is not ready.
func (s *Service) Divides(want Traffic) bool { return divides(s.Traffic, want) }

// Asks reports whether the specification asks for the wanted division.
func (s *Service) Asks(want Traffic) bool { return divides(s.Spec, want) }

// divides compares shares and Serin's tags. Several targets for one revision, as
// Knative reports them during a gradual rollout of its own, count together.
func divides(targets []Target, want Traffic) bool {
	percent, tagged := map[string]int64{}, map[string]string{}
	for _, t := range targets {
		percent[t.Revision] += t.Percent
		if t.Tag != "" {
			tagged[t.Tag] = t.Revision
		}
	}
	for revision, share := range want.Shares() {
		if percent[revision] != share {
			return false
		}
		delete(percent, revision)
	}
	for _, share := range percent {
		if share != 0 {
			return false
		}
	}
	return tagged[PrimaryTag] == want.Primary && tagged[CanaryTag] == want.Canary
}

// FollowsLatest reports whether a new revision gets live traffic by itself: that
// is Knative's default, too.
func (s *Service) FollowsLatest() bool {
	return len(s.Spec) == 0 || slices.ContainsFunc(s.Spec, func(t Target) bool { return t.Revision == "" && t.Percent > 0 })
}

// live are the observed shares of the live traffic, by revision.
func (s *Service) live() map[string]int64 {
	shares := map[string]int64{}
	for _, t := range s.Traffic {
		if t.Percent > 0 {
			shares[t.Revision] += t.Percent
		}
	}
	return shares
}

// tag finds the revision that a tag of the specification names; empty for the
// latest one.
func (s *Service) tag(tag string) (revision string, ok bool) {
	for _, t := range s.Spec {
		if t.Tag == tag {
			return t.Revision, true
		}
	}
	return "", false
}

func (s *Service) ready(revision string) bool { return s.Revisions[revision].Ready }

func (s *Service) exists(revision string) bool {
	_, ok := s.Revisions[revision]
	return ok
}
