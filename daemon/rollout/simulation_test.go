package rollout

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// simulation is a world to which anything may happen at any time. It checks
// the invariants after every step; a failing run prints its seed.
type simulation struct {
	*world
	pushed int
	// passed counts the passed checks of a revision while it was analysed.
	passed map[string]int
}

func (s *simulation) push(*rapid.T) {
	s.pushed++
	s.world.push(fmt.Sprintf("rev-%d", s.pushed))
}

func (s *simulation) any(t *rapid.T) string {
	return fmt.Sprintf("rev-%d", rapid.IntRange(1, s.pushed).Draw(t, "revision"))
}

// decide makes a decision, after which the daemon may die: before it has
// written anything, or after the status.
func (s *simulation) decide(t *rapid.T) {
	before := s.canary.Status.DeepCopy()
	dies := rapid.SampledFrom([]string{"no", "no", "no", "before the status", "before the traffic"}).Draw(t, "dies")
	traffic, events := s.wanted, len(s.events)
	s.world.decide()
	switch dies {
	case "before the status":
		s.canary.Status, s.wanted, s.events = *before, traffic, s.events[:events]
		s.measure, s.verdict = nil, nil
		return
	case "before the traffic":
		s.wanted = traffic
		s.measure, s.verdict = nil, nil
	}
	s.checkTransition(t, before)
}

// checkTransition checks what may only be reported when it is so.
func (s *simulation) checkTransition(t *rapid.T, before *v1beta1.CanaryStatus) {
	now := s.canary.Status
	if now.Phase == before.Phase {
		return
	}
	switch now.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		if got := s.live(now.LastPromotedSpec); got != 100 {
			t.Fatalf("%s is reported with %d percent at the primary revision %s", now.Phase, got, now.LastPromotedSpec)
		}
	case v1beta1.PhasePromoting:
		// Every weight and 0 percent have had their passed check.
		if want := len(s.canary.Spec.Analysis.Weights()) + 1; s.passed[now.Analysis.CanaryRevision] < want {
			t.Fatalf("%s is promoted after %d passed checks, want %d", now.Analysis.CanaryRevision, s.passed[now.Analysis.CanaryRevision], want)
		}
	}
}

func (s *simulation) judged(t *rapid.T) {
	if s.measure == nil || s.measure.Check == 0 {
		return
	}
	result := rapid.SampledFrom([]analysis.Result{analysis.Pass, analysis.Pass, analysis.Pass, analysis.Fail, analysis.Inconclusive}).Draw(t, "verdict")
	s.say(result)
	before := s.canary.Status.Analysis.Check
	revision := s.measure.Canary
	s.world.decide()
	if result == analysis.Pass && (s.canary.Status.Analysis.Check > before || s.canary.Status.Phase != v1beta1.PhaseProgressing) {
		s.passed[revision]++
	}
}

// check holds at every moment.
func (s *simulation) check(t *rapid.T) {
	st := s.canary.Status
	if w := s.wanted; w != nil {
		if w.Weight < 0 || w.Weight > 100 || (w.Canary == "" && w.Weight != 0) || w.Primary == w.Canary || w.Primary == "" {
			t.Fatalf("a division that makes no sense: %+v", *w)
		}
	}
	if st.Phase == "" || st.Phase == v1beta1.PhaseInitializing {
		return // the primary revision is still being chosen
	}
	// Only the primary revision and the one under analysis have live
	// traffic, and before its first passed check the latter has none.
	for _, target := range s.service.Traffic {
		if target.Percent == 0 || target.Revision == st.LastPromotedSpec {
			continue
		}
		a := st.Analysis
		known := a != nil && (target.Revision == a.CanaryRevision || target.Revision == a.PrimaryRevision)
		superseded := s.passed[target.Revision] > 0 // loses it with the next convergence
		if !known && !superseded {
			t.Fatalf("%s has %d percent; primary is %s, analysis %+v", target.Revision, target.Percent, st.LastPromotedSpec, a)
		}
		if s.passed[target.Revision] == 0 {
			t.Fatalf("%s has %d percent without a passed check", target.Revision, target.Percent)
		}
	}
}

// Whatever happens, in whatever order, the invariants of the design hold.
func TestInvariantsHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &simulation{world: newWorld(), pushed: 1, passed: map[string]int{"rev-1": 1}}
		t.Repeat(map[string]func(*rapid.T){
			"decide":   s.decide,
			"verdict":  s.judged,
			"converge": func(*rapid.T) { s.converge() },
			"push":     s.push,
			"ready":    func(t *rapid.T) { s.ready(s.any(t)) },
			"unready": func(t *rapid.T) {
				s.service.Revisions[s.any(t)] = Revision{Failed: true, Message: "crashed"}
			},
			"time": func(t *rapid.T) {
				s.now = s.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second)
			},
			"suspend": func(t *rapid.T) { s.canary.Spec.Suspend = rapid.Bool().Draw(t, "suspend") },
			"":        s.check,
		})
	})
}

// However a run has gone, once the world is quiet the rollout comes to an end
// by itself.
func TestQuietWorldComesToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &simulation{world: newWorld(), pushed: 1, passed: map[string]int{}}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				s.push(t)
			case 1:
				s.ready(s.any(t))
			case 2:
				s.converge()
			case 3:
				s.judged(t)
			default:
				s.decide(t)
			}
		}
		s.ready("rev-1")
		for range 60 {
			s.ready(fmt.Sprintf("rev-%d", s.pushed))
			s.settle()
			s.say(analysis.Pass)
		}
		switch s.canary.Status.Phase {
		case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		default:
			t.Fatalf("stuck in %s: %+v, analysis %+v", s.canary.Status.Phase, s.canary.Status, s.canary.Status.Analysis)
		}
	})
}
