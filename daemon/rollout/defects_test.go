package rollout

import (
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// Tests that are named D01 to D18 are the known defects of Flagger's Knative
// provider, each with what happens here instead. This file has those that are
// about nothing else; the others stand beside their rules: D02 and D18 in
// end_test.go, D01, D03, D06, D07 and D09 in progress_test.go, D04 in
// leave_test.go, D11 and D12 in gate_test.go, D15 in package knative, D16 in
// package v1beta1, D17 in package analysis.

// There, whatever is latest becomes the primary revision without analysis.
func TestD05LostAnnotationChangesNothing(t *testing.T) {
	for name, w := range map[string]*world{"idle": initialized(t), "measuring": analysing(t)} {
		w.service.AnnotatedPrimary = ""
		w.service.Left = nil
		d := w.decide()
		if d.Traffic == nil || d.Traffic.Primary != "rev-1" || d.Traffic.Weight != 0 {
			t.Errorf("%s: traffic %+v, want rev-1 as before", name, d.Traffic)
		}
	}
}

// There, the new revision gets the canary's share at once, for as long as the
// rollout is suspended.
func TestD06PushWhileSuspendedGetsNothing(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.canary.Spec.Suspend = true
	w.push("rev-3")
	w.ready("rev-3")
	w.settle()
	if w.live("rev-3") != 0 || w.live("rev-2") != 20 {
		t.Errorf("traffic %+v", w.service.Traffic)
	}
}

// There, an error at the wrong moment after a failure makes the next revision
// never analysed. Here the daemon dies before and after each write of it.
func TestD08NextRevisionIsAnalysedHoweverTheLastOneEnded(t *testing.T) {
	for stop := range 8 {
		for _, dies := range []string{"before the status", "after it"} {
			w := analysing(t)
			for range 2 {
				w.say(analysis.Fail)
				w.settle()
			}
			w.say(analysis.Fail)
			for range stop {
				w.decide()
				w.converge()
			}
			before := w.canary.Status.DeepCopy()
			w.lost = true
			w.decide()
			if w.lost = false; dies == "before the status" {
				w.canary.Status = *before
			}
			w.measure, w.verdict = nil, nil // the session died with it
			w.push("rev-3")
			w.ready("rev-3")
			w.settle()
			if a := w.canary.Status.Analysis; a.CanaryRevision != "rev-3" || a.Stage != v1beta1.StageMeasuring || w.live("rev-1") != 100 {
				t.Errorf("dies %s at step %d: %+v, traffic %+v", dies, stop, a, w.service.Traffic)
			}
		}
	}
}

// There, Failed is reported while the Route still has the old split.
func TestD09FailureIsOnlyReportedOnceTheRouteShowsIt(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	for range 3 {
		w.say(analysis.Fail)
		w.decide()
	}
	for range 5 {
		w.decide() // the Route does not follow
		w.expect(t, v1beta1.PhaseProgressing, 0)
	}
	w.converge()
	w.decide()
	w.expect(t, v1beta1.PhaseFailed, 0)
}

// There, the failed revision stays a target with 0 percent, and its pods stay.
func TestD10FailedRevisionIsNoTarget(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	for range 3 {
		w.say(analysis.Fail)
		w.settle()
	}
	for _, target := range w.service.Traffic {
		if target.Revision == "rev-2" {
			t.Errorf("traffic %+v", w.service.Traffic)
		}
	}
}

// There, a closed gate and a suspension are told at every interval.
func TestD13NothingIsToldTwice(t *testing.T) {
	w := analysing(t)
	w.hook(v1beta1.ConfirmTrafficIncreaseHook, "gate")
	w.hooks["gate"] = refuses
	w.say(analysis.Pass)
	w.settle()
	told := len(w.events)
	for range 10 {
		w.now = w.now.Add(15 * time.Second)
		w.say(analysis.Pass)
		w.settle()
	}
	w.canary.Spec.Suspend = true
	for range 10 {
		w.now = w.now.Add(15 * time.Second)
		w.settle()
	}
	if len(w.events) != told {
		t.Errorf("told again: %q", w.events[told:])
	}
}

// There, Knative's gradual rollout, which has several entries for a revision,
// is misread.
func TestD14EntriesOfOneRevisionCountTogether(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.service.Traffic = []Target{
		{Revision: "rev-1", Tag: PrimaryTag, Percent: 80},
		{Revision: "rev-2", Tag: CanaryTag, Percent: 1}, {Revision: "rev-2", Percent: 19},
	}
	if !w.service.Shows(Traffic{Primary: "rev-1", Canary: "rev-2", Weight: 20}) {
		t.Error("20 percent in two entries are not seen")
	}
	if w.service.Shows(Traffic{Primary: "rev-1", Canary: "rev-2", Weight: 1}) {
		t.Error("1 percent is seen where there are 20")
	}
}
