package rollout

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// simulation is a Service with a past, to which anything may happen at any time,
// by anybody. It checks the invariants at every write of Serin's and after every
// step; a run that fails prints its seed.
//
// The files are: this one, what is kept in mind and what is checked; history_test.go,
// what the world does; interference_test.go, what others do to the objects.
type simulation struct {
	*world
	t        *rapid.T
	pushed   int // revisions of the Service so far
	lives    int // of Services and Canaries
	commands int

	// bad are the revisions that fail every check that measures them.
	bad map[string]bool
	// passed counts the checks that a revision passed under an unbroken Route.
	passed map[string]int
	// served are the revisions that a person, or the world before Serin, gave live
	// traffic to, and commanded those that a person wants to be promoted.
	served, commanded map[string]bool
	// condemned are the revisions that were rolled back, for Serin's memory.
	condemned map[string]bool
	// intact says that the Route has shown the division of the check that runs since
	// it began.
	intact bool
	// approved says that somebody might have opened a gate.
	approved bool
	// other is a second Canary of the same Service; nil for none.
	other *v1beta1.Canary
	// gone says that the Canary was deleted, and what it left is still there.
	gone  bool
	stale *Service // the Service as a cache still has it; nil for as it is
}

func newSimulation(t *rapid.T) *simulation {
	s := &simulation{world: newWorld(), t: t, pushed: 1, lives: 1}
	s.me = "serin-1"
	s.canary.UID = "life-1"
	s.forgetRevisions()
	s.onWrite = s.checkWrite
	a := &s.canary.Spec.Analysis
	s.steps(t)
	if rapid.Bool().Draw(t, "promotion in steps") {
		a.StepWeightPromotion = new(int32(25))
	}
	if rapid.Bool().Draw(t, "watch") {
		a.Watch = &v1beta1.Watch{Duration: "1m"}
	}
	if rapid.Bool().Draw(t, "window") {
		a.RollbackWindow = "5m"
	}
	s.canary.Spec.RevertOnDeletion = rapid.Bool().Draw(t, "revert")
	for _, hookType := range []string{
		v1beta1.ConfirmRolloutHook, v1beta1.PreRolloutHook, v1beta1.RolloutHook, v1beta1.ConfirmTrafficIncreaseHook,
		v1beta1.ConfirmPromotionHook, v1beta1.PostRolloutHook, v1beta1.RollbackHook,
	} {
		if rapid.IntRange(0, 3).Draw(t, hookType) == 0 {
			s.hook(hookType, hookType)
		}
	}
	s.past(t)
	return s
}

// forgetRevisions is for a Service whose revisions are all new.
func (s *simulation) forgetRevisions() {
	s.bad, s.passed = map[string]bool{}, map[string]int{}
	s.served, s.commanded, s.condemned = map[string]bool{}, map[string]bool{}, map[string]bool{}
	s.serves()
}

// serves notes that what has live traffic now was not given it by Serin.
func (s *simulation) serves() {
	if s.service == nil {
		return
	}
	for revision := range s.service.live() {
		s.served[revision] = true
	}
}

// steps draws a strategy.
func (s *simulation) steps(t *rapid.T) {
	a := &s.canary.Spec.Analysis
	a.StepWeight, a.StepWeights, a.Iterations, a.MaxWeight = nil, nil, nil, new(int32(50))
	switch rapid.IntRange(0, 3).Draw(t, "strategy") {
	case 0:
		a.StepWeight = new(int32(20))
	case 1:
		a.StepWeights = []int32{5, 50}
	case 2:
		a.StepWeight, a.MaxWeight = new(int32(10)), new(int32(10))
	default:
		a.Iterations = new(int32(2))
	}
}

// checkWrite holds for every write of Serin's to the specification: percentages sum
// to 100, and more live traffic than it is seen to have gets only the revision that
// served before, was measured and found good, or was commanded by a person.
func (s *simulation) checkWrite(next []Target) {
	t := s.t
	sum, percent := int64(0), map[string]int64{}
	for _, target := range next {
		sum += target.Percent
		percent[target.Revision] += target.Percent
		if target.Percent < 0 || target.Revision == "" && target.Percent > 0 {
			t.Fatalf("a target that makes no sense: %+v", target)
		}
	}
	if sum != 100 {
		t.Fatalf("percentages sum to %d: %+v", sum, next)
	}
	live := s.service.live()
	status := &s.canary.Status
	for revision, share := range percent {
		switch {
		case share <= live[revision]:
		case s.condemned[revision] && !s.commanded[revision]:
			t.Fatalf("%s was rolled back and gets %d percent, it had %d\n%s", revision, share, live[revision], s.story())
		case status.Phase == v1beta1.PhaseInitializing && status.LastAppliedSpec == status.LastPromotedSpec && s.service.exists(s.mostLive()) && s.fresh():
			t.Fatalf("initialization gives %s %d percent, it had %d of %v\n%s", revision, share, live[revision], live, s.story())
		case !s.served[revision] && s.passed[revision] == 0 && !s.commanded[revision] && !s.nothingElse(revision):
			t.Fatalf("%s gets %d percent without a passed check, it had %d\n%s", revision, share, live[revision], s.story())
		}
	}
}

// fresh reports whether Serin comes to the Service for the first time, and the
// Route is as it was then.
func (s *simulation) fresh() bool { return s.service.Left == nil && len(s.canary.Status.Retired) == 0 }

func (s *simulation) mostLive() (revision string) {
	live := s.service.live()
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if live[name] > live[revision] {
			revision = name
		}
	}
	return revision
}

// nothingElse reports whether a revision may get traffic because nothing that is to
// be preferred can serve at all.
func (s *simulation) nothingElse(revision string) bool {
	for other, state := range s.service0().Revisions {
		if other != revision && state.Ready && (s.service.live()[other] > 0 || other == s.canary.Status.LastPromotedSpec) && !s.condemned[other] {
			return false
		}
	}
	return true
}

// story is what happened, for a failure.
func (s *simulation) story() string {
	text := fmt.Sprintf("status: %+v\nanalysis: %+v\nservice: %+v\n", s.canary.Status, s.canary.Status.Analysis, s.service)
	for _, e := range s.events {
		text += e + "\n"
	}
	return text
}

// checkTransition checks what may only be reported when it is so, and counts.
func (s *simulation) checkTransition(before *v1beta1.CanaryStatus, verdict *Verdict) {
	t, now := s.t, &s.canary.Status
	a, b := now.Analysis, before.Analysis
	if s.canary.Spec.SkipAnalysis && now.Phase == v1beta1.PhasePromoting && before.Phase != v1beta1.PhasePromoting {
		s.commanded[a.CanaryRevision] = true // by the Canary
	}
	if a != nil && b != nil && a.CanaryRevision == b.CanaryRevision && advanced(now, before) {
		if verdict == nil || verdict.Result != analysis.Pass {
			if !s.commanded[a.CanaryRevision] && !s.canary.Spec.SkipAnalysis && !s.gatePassed(b) && s.service.ready(a.PrimaryRevision) {
				t.Fatalf("%s advances without a passed check: %+v\n%s", a.CanaryRevision, b, s.story())
			}
		} else if !s.intact {
			t.Fatalf("a check passes although the Route was broken: %+v\n%s", b, s.story())
		} else {
			s.passed[a.CanaryRevision]++
		}
	}
	if now.Phase == before.Phase {
		return
	}
	switch now.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		if want, _ := now.Division(); !s.service.Shows(want) {
			t.Fatalf("%s is reported, and the Route shows %v instead of %s", now.Phase, s.service.live(), want)
		}
	default:
	}
	if now.Phase == v1beta1.PhasePromoting && len(s.canary.Spec.Analysis.HooksOf(v1beta1.ConfirmPromotionHook)) > 0 && !s.approved && !s.canary.Spec.SkipAnalysis {
		t.Fatalf("%s is promoted although nobody has approved it", now.Analysis.CanaryRevision)
	}
}

// gatePassed reports whether the rollout stood at a gate, behind checks that passed.
func (s *simulation) gatePassed(before *v1beta1.AnalysisStatus) bool {
	switch before.Stage {
	case v1beta1.StageConfirmTrafficIncrease, v1beta1.StageConfirmPromotion, v1beta1.StageConfirmRollout:
		return true
	default:
		return false
	}
}

// advanced reports whether a rollout has moved forward by a check.
func advanced(now, before *v1beta1.CanaryStatus) bool {
	a, b := now.Analysis, before.Analysis
	promoted := now.Phase == v1beta1.PhasePromoting && before.Phase != v1beta1.PhasePromoting ||
		b.Stage == v1beta1.StageMeasuring && (a.Stage == v1beta1.StageConfirmTrafficIncrease || a.Stage == v1beta1.StageConfirmPromotion)
	return a.Weight > b.Weight && a.Stage != v1beta1.StageRollingBack || now.Iterations > before.Iterations || a.WatchedSeconds > b.WatchedSeconds || promoted
}

// check holds at every moment.
func (s *simulation) check(t *rapid.T) {
	st := &s.canary.Status
	if s.gone || s.service == nil || st.ServiceUID != s.service.UID {
		return
	}
	if a := st.Analysis; a != nil && s.bad[a.CanaryRevision] && a.Weight > 0 && !s.trusted(a.CanaryRevision) {
		t.Fatalf("%s fails every check and is to get %d percent\n%s", a.CanaryRevision, a.Weight, s.story())
	}
}

// trusted reports whether a revision may have traffic that no check has given it.
func (s *simulation) trusted(revision string) bool {
	return s.commanded[revision] || s.served[revision] || s.canary.Spec.SkipAnalysis || s.nothingElse(revision)
}

// Whatever happens, in whatever order, the invariants of the design hold.
func TestInvariantsHoldWhateverHappens(t *testing.T) {
	states := newCounter()
	rapid.Check(t, func(t *rapid.T) {
		s := newSimulation(t)
		s.counted = states.count
		t.Repeat(s.actions())
	})
	t.Logf("%d different states in %d decisions", states.distinct(), states.n)
}

// However a run has gone, once the world is quiet a good push ends as promoted, within
// a bound, and the status says what the Route shows.
func TestGoodPushSucceedsFromEveryState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSimulation(t)
		t.Repeat(s.actions())
		s.calm()
		s.quiet(60)
		s.checkRest("before the push")
		s.pushOf(t, false)
		pushed := s.service.LatestCreated
		s.quiet(60)
		st := &s.canary.Status
		if st.LastPromotedSpec != pushed || (st.Phase != v1beta1.PhaseSucceeded && st.Phase != v1beta1.PhaseInitialized) {
			t.Fatalf("%s was pushed, and %s is %s with primary %s\n%s", pushed, s.canary.Name, st.Phase, st.LastPromotedSpec, s.story())
		}
		s.checkRest("after the push")
	})
}

// quiet lets time pass in a world where nobody interferes.
func (s *simulation) quiet(steps int) {
	for range steps {
		s.now = s.now.Add(15 * time.Second)
		if s.service != nil && !s.neverReady[s.service.LatestCreated] {
			s.ready(s.service.LatestCreated)
		}
		s.settle()
		s.measured(false)
	}
	s.settle()
}

// checkRest: when nothing is being written, a rollout has come to an end, and what the
// status says is what the Route shows.
func (s *simulation) checkRest(when string) {
	st := &s.canary.Status
	if !s.service.ready(st.LastPromotedSpec) {
		return // nothing that may serve is ready, and the Route follows nothing
	}
	switch st.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
	default:
		s.t.Fatalf("%s: stuck in %s\n%s", when, st.Phase, s.story())
	}
	want, _ := st.Division()
	if !s.service.Divides(want) {
		s.t.Fatalf("%s: %s, and the Route shows %v instead of %s\n%s", when, st.Phase, s.service.live(), want, s.story())
	}
	if c := st.Condition(v1beta1.ConditionTrafficApplied); c == nil || c.Status != metav1StatusTrue {
		s.t.Fatalf("%s: the division is in force and the condition says %+v", when, c)
	}
	elsewhere := int64(0)
	for revision, percent := range s.service.live() {
		if revision != st.LastPromotedSpec {
			elsewhere += percent
		}
	}
	if int64(st.CanaryWeight) != elsewhere || describeShares(st.Traffic) != v1beta1.FormatShares(s.service.live()) {
		s.t.Fatalf("%s: the status says %d and %v, the Route shows %v", when, st.CanaryWeight, st.Traffic, s.service.live())
	}
}

const metav1StatusTrue = "True"

func describeShares(shares []v1beta1.TrafficShare) string {
	live := map[string]int64{}
	for _, share := range shares {
		if share.Percent > 0 {
			live[share.Revision] += share.Percent
		}
	}
	return v1beta1.FormatShares(live)
}

// life makes the UID of another Service or Canary.
func (s *simulation) life() types.UID {
	s.lives++
	return types.UID(fmt.Sprintf("life-%d", s.lives))
}
