package rollout

import (
	"fmt"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// The promotion goes in steps, each of which is checked, to its end.
func TestD02PromotionInSteps(t *testing.T) {
	w := analysing(t)
	w.canary.Spec.Analysis.StepWeightPromotion = new(int32(20))
	for range 4 {
		w.say(analysis.Pass)
		w.settle()
	}
	for _, want := range []int32{70, 90} {
		w.expect(t, v1beta1.PhasePromoting, want)
		if got := w.live("rev-2"); got != int64(want) {
			t.Fatalf("%d percent at rev-2, want %d", got, want)
		}
		w.say(analysis.Pass)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	if w.live("rev-2") != 100 || len(w.service.Traffic) != 1 {
		t.Errorf("traffic %+v", w.service.Traffic)
	}
}

func TestPromotionInStepsCanStillFail(t *testing.T) {
	w := analysing(t)
	w.canary.Spec.Analysis.StepWeightPromotion = new(int32(20))
	for range 4 {
		w.say(analysis.Pass)
		w.settle()
	}
	w.expect(t, v1beta1.PhasePromoting, 70)
	for range 3 {
		w.say(analysis.Fail)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseFailed, 0)
	if w.live("rev-1") != 100 {
		t.Errorf("traffic %+v", w.service.Traffic)
	}
}

// watching is a world in which rev-2 has everything and is watched.
func watching(t *testing.T) *world {
	t.Helper()
	w := analysing(t)
	w.canary.Spec.Analysis.Watch = &v1beta1.Watch{Duration: "5m"}
	for range 4 {
		w.say(analysis.Pass)
		w.settle()
	}
	w.expect(t, v1beta1.PhasePromoting, 100)
	if a := w.canary.Status.Analysis; a.Stage != v1beta1.StageWatching || w.live("rev-2") != 100 || w.measure == nil || w.measure.Check == 0 {
		t.Fatalf("stage %s, traffic %+v, measure %+v", a.Stage, w.service.Traffic, w.measure)
	}
	return w
}

// The watch is as long as what was measured in it: neither a pause nor a clock that
// jumps, nor an inconclusive check, makes it shorter.
func TestWatchCountsOnlyWhatItMeasured(t *testing.T) {
	w := watching(t)
	pass := func(n int) {
		for range n {
			w.say(analysis.Pass) // 15 s each
			w.settle()
		}
	}
	pass(10)
	w.annotate(v1beta1.PauseAnnotation, "true")
	w.settle()
	w.now = w.now.Add(time.Hour)
	w.up = w.now
	w.annotate(v1beta1.PauseAnnotation, "")
	w.settle()
	w.expect(t, v1beta1.PhasePromoting, 100)
	w.say(analysis.Inconclusive)
	w.settle()
	pass(9)
	w.expect(t, v1beta1.PhasePromoting, 100)
	if left := w.canary.Status.Analysis.NextTime.Sub(w.now); left != 15*time.Second {
		t.Errorf("the watch is expected to end in %v, want 15s", left)
	}
	pass(1)
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	if w.live("rev-2") != 100 || len(w.service.Traffic) != 1 || w.measure != nil {
		t.Errorf("traffic %+v, measure %+v", w.service.Traffic, w.measure)
	}
}

// A watch without any verdict does not last for ever, and undoes nothing.
func TestWatchWithoutVerdictsEnds(t *testing.T) {
	w := watching(t)
	for range 10 {
		w.now = w.now.Add(15 * time.Second)
		w.say(analysis.Inconclusive)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	w.expectEvent(t, "The watch of podinfo.test ends without a verdict")
}

// One failing verdict is enough, whatever the threshold is.
func TestWatchPutsThePreviousRevisionBack(t *testing.T) {
	w := watching(t)
	w.say(analysis.Pass)
	w.settle()
	w.say(analysis.Fail)
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	if w.live("rev-1") != 100 || w.canary.Status.LastPromotedSpec != "rev-1" {
		t.Errorf("traffic %+v, primary %s", w.service.Traffic, w.canary.Status.LastPromotedSpec)
	}
}

// Nobody waits for a watch to push the next revision.
func TestNextRevisionEndsTheWatch(t *testing.T) {
	w := watching(t)
	w.push("rev-3")
	w.ready("rev-3")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if a := w.canary.Status.Analysis; a.PrimaryRevision != "rev-2" || a.CanaryRevision != "rev-3" || w.live("rev-2") != 100 {
		t.Errorf("%s against %s, traffic %+v", a.CanaryRevision, a.PrimaryRevision, w.service.Traffic)
	}
}

func TestUndecidedWatchIsNoReasonToRollBack(t *testing.T) {
	w := watching(t)
	w.canary.Spec.Analysis.Watch.Duration = "1h"
	w.say(analysis.Inconclusive)
	w.now = w.now.Add(time.Minute)
	w.settle()
	w.expect(t, v1beta1.PhasePromoting, 100)
}

// again pushes a revision with the template of another.
func (w *world) again(revision, template string) {
	w.push(revision)
	w.ready(revision)
	w.service.Revisions[revision] = Revision{Ready: true, Template: "template of " + template}
}

// A Service that is set back to a template that served lately needs one
// check.
func TestD18KnownTemplateIsPromotedAfterOneCheck(t *testing.T) {
	for _, tc := range []struct {
		name, window string
		after        time.Duration
		known        bool
	}{
		{"off by default", "", time.Second, false},
		{"lately", "1h", time.Hour, true},
		{"too long ago", "1h", time.Hour + time.Second, false},
	} {
		w := analysing(t)
		w.canary.Spec.Analysis.RollbackWindow = v1beta1.Duration(tc.window)
		for range 4 {
			w.say(analysis.Pass)
			w.settle()
		}
		w.expect(t, v1beta1.PhaseSucceeded, 0)
		w.now = w.now.Add(tc.after)
		w.again("rev-3", "rev-1")
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, 0)
		w.say(analysis.Pass)
		w.settle()
		if tc.known {
			w.expect(t, v1beta1.PhaseSucceeded, 0)
			w.expectEvent(t, "rev-3 is rev-1 again, which served podinfo.test before: one check suffices")
		} else {
			w.expect(t, v1beta1.PhaseProgressing, 20)
		}
	}
}

func TestKnownTemplateStillHasToPassItsCheck(t *testing.T) {
	w := analysing(t)
	w.canary.Spec.Analysis.RollbackWindow = "1h"
	w.again("rev-3", "rev-1") // what serves now, after a failed attempt
	w.settle()
	for range 3 {
		w.say(analysis.Fail)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseFailed, 0)
}

func TestRetiredRevisionsAreBounded(t *testing.T) {
	w := initialized(t)
	for n := range 13 {
		w.push(fmt.Sprintf("next-%d", n))
		w.ready(fmt.Sprintf("next-%d", n))
		for range 5 {
			w.settle()
			w.say(analysis.Pass)
		}
		w.settle()
		w.expect(t, v1beta1.PhaseSucceeded, 0)
	}
	retired := w.canary.Status.Retired
	if len(retired) != 10 || retired[0].Revision != "next-11" || retired[9].Revision != "next-2" {
		t.Errorf("retired %+v", retired)
	}
}
