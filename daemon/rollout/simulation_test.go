package rollout

import (
	"fmt"
	"maps"
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
	// waved are the revisions that somebody promoted by hand.
	waved map[string]bool
	// edited says that the steps are others than at the beginning.
	edited bool
	// approved says that somebody might have opened a gate.
	approved bool
	commands int
	stale    *Service // the Service as a cache still has it; nil for as it is
}

func newSimulation(t *rapid.T) *simulation {
	s := &simulation{world: newWorld(), pushed: 1, passed: map[string]int{"rev-1": 1}, waved: map[string]bool{}}
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
	for _, hookType := range []string{
		v1beta1.ConfirmRolloutHook, v1beta1.PreRolloutHook, v1beta1.RolloutHook, v1beta1.ConfirmTrafficIncreaseHook,
		v1beta1.ConfirmPromotionHook, v1beta1.PostRolloutHook, v1beta1.RollbackHook,
	} {
		if rapid.IntRange(0, 3).Draw(t, hookType) == 0 {
			s.hook(hookType, hookType)
		}
	}
	return s
}

// steps draws a strategy.
func (s *simulation) steps(t *rapid.T) {
	a := &s.canary.Spec.Analysis
	a.StepWeight, a.StepWeights, a.Iterations = nil, nil, nil
	switch rapid.IntRange(0, 2).Draw(t, "strategy") {
	case 0:
		a.StepWeight = new(int32(20))
	case 1:
		a.StepWeights = []int32{5, 60}
	default:
		a.Iterations = new(int32(2))
	}
}

func (s *simulation) push(*rapid.T) {
	s.pushed++
	s.world.push(fmt.Sprintf("rev-%d", s.pushed))
}

func (s *simulation) any(t *rapid.T) string {
	return fmt.Sprintf("rev-%d", rapid.IntRange(1, s.pushed).Draw(t, "revision"))
}

// decide makes a decision, after which the daemon may die: before it has
// written anything, or after the status. It may also be made from a Service as
// it was; then the write to it is a conflict.
func (s *simulation) decide(t *rapid.T) {
	before := s.canary.Status.DeepCopy()
	dies := rapid.SampledFrom([]string{"no", "no", "no", "before the status", "before the traffic"}).Draw(t, "dies")
	traffic, events := s.wanted, len(s.events)
	now := s.service
	if s.stale != nil {
		s.service = s.stale
	}
	d := s.world.decide()
	if s.stale != nil {
		s.service, s.wanted, s.stale = now, traffic, nil
		if d.Claims(before) {
			s.canary.Status, s.events = *before, s.events[:events]
			s.world.decide()
		}
	}
	switch dies {
	case "before the status":
		s.canary.Status, s.wanted, s.events = *before, traffic, s.events[:events]
		s.measure, s.verdict, s.calls = nil, nil, nil
		return
	case "before the traffic":
		s.wanted = traffic
		s.measure, s.verdict, s.calls = nil, nil, nil
	}
	s.checkTransition(t, before)
}

// checkTransition checks what may only be reported when it is so, and counts.
func (s *simulation) checkTransition(t *rapid.T, before *v1beta1.CanaryStatus) {
	now := s.canary.Status
	if a, b := now.Analysis, before.Analysis; a != nil && b != nil && a.CanaryRevision == b.CanaryRevision && a.Check > b.Check && now.FailedChecks == before.FailedChecks {
		s.passed[a.CanaryRevision]++
	}
	if now.CanaryWeight > before.CanaryWeight && s.canary.Paused() && now.Phase != v1beta1.PhaseFinalising {
		if now.Analysis == nil || !s.waved[now.Analysis.CanaryRevision] {
			t.Fatalf("weight %d after %d while paused", now.CanaryWeight, before.CanaryWeight)
		}
	}
	if now.Phase == before.Phase {
		return
	}
	switch now.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		if got := s.live(now.LastPromotedSpec); got != 100 {
			t.Fatalf("%s is reported with %d percent at the primary revision %s", now.Phase, got, now.LastPromotedSpec)
		}
	case v1beta1.PhasePromoting:
		s.checkPromotion(t, now.Analysis)
	}
}

// checkPromotion: every weight and 0 percent have had their passed check, unless
// the revision is known or somebody has promoted it by hand.
func (s *simulation) checkPromotion(t *rapid.T, a *v1beta1.AnalysisStatus) {
	spec := &s.canary.Spec.Analysis
	want := len(spec.Weights()) + 1
	if spec.Iterations != nil {
		want = int(*spec.Iterations)
	}
	if a.Known || s.edited {
		want = 1
	}
	if got := s.passed[a.CanaryRevision]; got < want && !s.waved[a.CanaryRevision] {
		t.Fatalf("%s is promoted after %d passed checks, want %d", a.CanaryRevision, got, want)
	}
	if len(spec.HooksOf(v1beta1.ConfirmPromotionHook)) > 0 && !s.approved {
		t.Fatalf("%s is promoted although nobody has approved it", a.CanaryRevision)
	}
}

func (s *simulation) judged(t *rapid.T) {
	if s.measure == nil || s.measure.Check == 0 {
		return
	}
	s.say(rapid.SampledFrom([]analysis.Result{analysis.Pass, analysis.Pass, analysis.Pass, analysis.Fail, analysis.Inconclusive}).Draw(t, "verdict"))
	s.verdict.Proven = s.verdict.Result == analysis.Fail && rapid.Bool().Draw(t, "proven")
	before := s.canary.Status.DeepCopy()
	s.world.decide()
	s.checkTransition(t, before)
}

// answer lets one hook change its mind.
func (s *simulation) answer(t *rapid.T) {
	if len(s.calls) == 0 {
		return
	}
	hook := s.calls[rapid.IntRange(0, len(s.calls)-1).Draw(t, "hook")].Hook
	if hook == v1beta1.RollbackHook || rapid.IntRange(0, 3).Draw(t, "answer") == 0 {
		s.hooks[hook] = refuses
		return
	}
	s.hooks[hook] = passes
	s.approved = s.approved || hook == v1beta1.ConfirmPromotionHook
}

func (s *simulation) command(t *rapid.T) {
	s.commands++
	annotation := rapid.SampledFrom([]string{
		v1beta1.ApproveAnnotation, v1beta1.AbortAnnotation, v1beta1.RetryAnnotation, v1beta1.PromoteAnnotation,
	}).Draw(t, "command")
	s.annotate(annotation, fmt.Sprint(s.commands))
	s.approved = s.approved || annotation == v1beta1.ApproveAnnotation || annotation == v1beta1.PromoteAnnotation
	if a := s.canary.Status.Analysis; a != nil && annotation == v1beta1.PromoteAnnotation {
		s.waved[a.CanaryRevision] = true
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
		allowed := s.passed[target.Revision] > 0 || s.waved[target.Revision]
		known := a != nil && (target.Revision == a.CanaryRevision || target.Revision == a.PrimaryRevision)
		if !known && !allowed { // what was superseded loses it with the next convergence
			t.Fatalf("%s has %d percent; primary is %s, analysis %+v", target.Revision, target.Percent, st.LastPromotedSpec, a)
		}
		if !allowed {
			t.Fatalf("%s has %d percent without a passed check", target.Revision, target.Percent)
		}
	}
}

// actions is what may happen.
func (s *simulation) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"decide":   s.decide,
		"decide 2": s.decide,
		"verdict":  s.judged,
		"answer":   s.answer,
		"command":  s.command,
		"converge": func(*rapid.T) { s.converge() },
		"push":     s.push,
		"push a known template": func(t *rapid.T) {
			template := s.service.Revisions[s.any(t)].Template
			s.push(t)
			s.service.Revisions[s.service.LatestCreated] = Revision{Ready: true, Template: template}
			s.service.LatestReady = s.service.LatestCreated
		},
		"ready": func(t *rapid.T) { s.ready(s.any(t)) },
		"unready": func(t *rapid.T) {
			s.service.Revisions[s.any(t)] = Revision{Failed: true, Message: "crashed"}
		},
		"the cache is late": func(*rapid.T) {
			late := *s.service
			late.Revisions = maps.Clone(s.service.Revisions)
			s.stale = &late
		},
		"time": func(t *rapid.T) {
			s.now = s.now.Add(time.Duration(rapid.IntRange(-30, 90).Draw(t, "seconds")) * time.Second)
		},
		"suspend": func(t *rapid.T) { s.canary.Spec.Suspend = rapid.Bool().Draw(t, "suspend") },
		"pause":   func(t *rapid.T) { s.annotate(v1beta1.PauseAnnotation, fmt.Sprint(rapid.Bool().Draw(t, "pause"))) },
		"halt": func(t *rapid.T) {
			s.annotate(v1beta1.HaltAnnotation, rapid.SampledFrom([]string{"", "rollout", "traffic-increase", "promotion", "true"}).Draw(t, "halt"))
		},
		"edit": func(t *rapid.T) {
			s.edited = true
			s.steps(t)
			s.canary.Spec.Analysis.Threshold = rapid.Int32Range(1, 4).Draw(t, "threshold")
		},
		"": s.check,
	}
}

// Whatever happens, in whatever order, the invariants of the design hold.
func TestInvariantsHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSimulation(t)
		t.Repeat(s.actions())
	})
}

// However a run has gone, once the world is quiet and everybody agrees, the
// rollout comes to an end by itself.
func TestQuietWorldComesToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSimulation(t)
		actions := s.actions()
		t.Repeat(actions)
		s.canary.Spec.Suspend, s.stale = false, nil
		delete(s.canary.Annotations, v1beta1.PauseAnnotation)
		delete(s.canary.Annotations, v1beta1.HaltAnnotation)
		for _, hook := range s.canary.Spec.Analysis.Webhooks {
			s.hooks[hook.Name] = passes
		}
		s.hooks[v1beta1.RollbackHook] = refuses
		for range 60 {
			s.now = s.now.Add(15 * time.Second)
			s.ready(s.service.LatestCreated)
			if primary := s.canary.Status.LastPromotedSpec; primary != "" {
				s.ready(primary)
			}
			s.settle()
			s.say(analysis.Pass)
		}
		switch s.canary.Status.Phase {
		case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		default:
			t.Fatalf("stuck in %s: %+v, analysis %+v", s.canary.Status.Phase, s.canary.Status, s.canary.Status.Analysis)
		}
		if got := s.live(s.canary.Status.LastPromotedSpec); got != 100 {
			t.Fatalf("%s with %d percent at %s", s.canary.Status.Phase, got, s.canary.Status.LastPromotedSpec)
		}
	})
}
