package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

func TestRolloutWaitsForItsApproval(t *testing.T) {
	w := initialized(t)
	w.hook(v1beta1.ConfirmRolloutHook, "gate")
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseWaiting, 0)
	if len(w.calls) != 1 || w.calls[0].Every != 15*time.Second || w.calls[0].Phase != v1beta1.PhaseWaiting || w.measure != nil {
		t.Fatalf("calls %+v, measure %+v", w.calls, w.measure)
	}
	if a := w.canary.Status.Analysis; a.WaitingFor != "answer of hook gate" || a.Message != "confirm-rollout hook gate has not answered yet" {
		t.Errorf("waiting for %q: %q", a.WaitingFor, a.Message)
	}
	w.hooks["gate"] = refuses
	w.now = w.now.Add(24 * time.Hour) // a gate has no deadline
	w.settle()
	w.expect(t, v1beta1.PhaseWaiting, 0)
	if a := w.canary.Status.Analysis; a.WaitingFor != "gate" || a.Message != "waiting for approval gate: 403 Forbidden: not yet" {
		t.Errorf("waiting for %q: %q", a.WaitingFor, a.Message)
	}
	w.hooks["gate"] = passes
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.expectEvent(t, "Halt podinfo.test advancement waiting for approval gate")
	w.expectEvent(t, "Confirm-rollout check gate passed")
	if w.canary.Status.Analysis.Stage != v1beta1.StageMeasuring || w.called("gate") != 0 {
		t.Errorf("status %+v, calls %+v", w.canary.Status.Analysis, w.calls)
	}
}

// All hooks of a type must pass; those that did are not forgotten while the
// others are asked again.
func TestAllHooksOfAGateMustPass(t *testing.T) {
	w := initialized(t)
	w.hook(v1beta1.ConfirmRolloutHook, "one")
	w.hook(v1beta1.ConfirmRolloutHook, "two")
	w.push("rev-2")
	w.ready("rev-2")
	w.hooks["one"], w.hooks["two"] = passes, refuses
	w.settle()
	w.expect(t, v1beta1.PhaseWaiting, 0)
	w.hooks["two"] = passes
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
}

// While the next step waits for approval the checks go on, and a revision that
// goes bad meanwhile is rolled back.
func TestTrafficIncreaseWaitsWhileTheChecksGoOn(t *testing.T) {
	w := analysing(t)
	w.hook(v1beta1.ConfirmTrafficIncreaseHook, "gate")
	w.hooks["gate"] = refuses
	w.say(analysis.Pass)
	w.settle()
	for range 5 {
		w.say(analysis.Pass)
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, 0)
	}
	if n := w.count("waiting for traffic increase approval gate"); n != 1 {
		t.Errorf("the closed gate is told %d times", n)
	}
	w.hooks["gate"] = passes
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
	w.expectEvent(t, "Confirm-traffic-increase check gate passed")
	w.hooks["gate"] = refuses
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
	for range 3 {
		w.say(analysis.Fail)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseFailed, 0)
}

// while the promotion waits for approval the weight is what the traffic is.
func TestD12PromotionWaitsAtItsWeight(t *testing.T) {
	w := analysing(t)
	w.hook(v1beta1.ConfirmPromotionHook, "gate")
	w.hooks["gate"] = refuses
	for range 6 {
		w.say(analysis.Pass)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseWaitingPromotion, 50)
	if w.live("rev-2") != 50 || w.canary.Status.Iterations != 0 {
		t.Errorf("%d percent at rev-2, iterations %d", w.live("rev-2"), w.canary.Status.Iterations)
	}
	if c := w.canary.Status.Condition(v1beta1.ConditionPromoted); c.Message != "Waiting for approval." || c.Reason != "WaitingPromotion" {
		t.Errorf("condition %+v", c)
	}
	w.hooks["gate"] = passes
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	if w.live("rev-2") != 100 {
		t.Errorf("%d percent at rev-2", w.live("rev-2"))
	}
}

func TestPreRolloutHooksPassBeforeAnythingIsMeasured(t *testing.T) {
	w := initialized(t)
	w.hook(v1beta1.PreRolloutHook, "smoke")
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	if a := w.canary.Status.Analysis; a.Stage != v1beta1.StagePreRollout || w.measure != nil || w.called("smoke") != 1 {
		t.Fatalf("stage %s, measure %+v, calls %+v", a.Stage, w.measure, w.calls)
	}
	w.hooks["smoke"] = refuses
	w.decide()
	if got := w.canary.Status.FailedChecks; got != 1 {
		t.Fatalf("%d failed checks, want 1", got)
	}
	for range 5 { // nothing is asked before an interval is over
		w.decide()
	}
	if got := w.canary.Status.FailedChecks; got != 1 || w.called("smoke") != 0 {
		t.Fatalf("%d failed checks, calls %+v", got, w.calls)
	}
	w.hooks["smoke"] = passes
	w.now = w.now.Add(15 * time.Second)
	w.settle()
	if a := w.canary.Status.Analysis; a.Stage != v1beta1.StageMeasuring || w.measure == nil {
		t.Fatalf("stage %s, measure %+v", a.Stage, w.measure)
	}
	w.expectEvent(t, "Halt podinfo.test advancement pre-rollout check smoke failed 403 Forbidden: not yet")
	w.expectEvent(t, "Pre-rollout check smoke passed")
}

func TestPreRolloutHooksThatFailRollBack(t *testing.T) {
	w := initialized(t)
	w.hook(v1beta1.PreRolloutHook, "smoke")
	w.push("rev-2")
	w.ready("rev-2")
	w.hooks["smoke"] = refuses
	for range 3 {
		w.settle()
		w.now = w.now.Add(15 * time.Second)
	}
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	w.expectEvent(t, "Rolling back podinfo.test failed checks threshold reached 3")
}

// A rollout hook is called once for each check and has a say in it.
func TestRolloutHooksHaveASayInEachCheck(t *testing.T) {
	w := analysing(t)
	w.hook(v1beta1.RolloutHook, "acceptance")
	w.decide()
	if len(w.calls) != 1 || w.calls[0].Occasion != "rev-2/check-1" || w.calls[0].Every != 0 {
		t.Fatalf("calls %+v", w.calls)
	}
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0) // it has not answered
	if got := w.canary.Status.Analysis.WaitingFor; got != "answer of hook acceptance" {
		t.Errorf("waiting for %q", got)
	}
	w.hooks["acceptance"] = refuses
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.expectEvent(t, "Halt podinfo.test advancement external check acceptance failed 403 Forbidden: not yet")
	if got := w.canary.Status; got.FailedChecks != 1 || got.Analysis.Check != 2 {
		t.Fatalf("%d failed checks, check %d", got.FailedChecks, got.Analysis.Check)
	}
	w.hooks["acceptance"] = passes
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
}

func TestHookThatNeverAnswersExpires(t *testing.T) {
	w := analysing(t)
	w.hook(v1beta1.RolloutHook, "acceptance")
	w.say(analysis.Pass)
	w.settle()
	w.now = w.now.Add(2 * time.Minute)
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	w.expectEvent(t, "progress deadline exceeded rollout hook acceptance has not answered yet")
}

// The load's own command is no hook.
func TestTheLoadIsNoHook(t *testing.T) {
	w := analysing(t)
	w.canary.Spec.Analysis.Webhooks = []v1beta1.Webhook{{Name: "load", URL: "http://flagger-loadtester.test/", Metadata: map[string]string{"cmd": "hey http://podinfo.test"}}}
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
	if w.called("load") != 0 {
		t.Errorf("calls %+v", w.calls)
	}
}

// a rollback hook is asked from the first gate to the last.
func TestD11RollbackHookIsAskedAtEveryStage(t *testing.T) {
	for name, reach := range map[string]func(*world){
		"waiting for approval": func(w *world) { w.hook(v1beta1.ConfirmRolloutHook, "gate") },
		"measuring":            func(w *world) { w.canary.Spec.Analysis.StepWeight = new(int32(1)) },
		"pre-rollout":          func(w *world) { w.hook(v1beta1.PreRolloutHook, "gate") },
		"traffic increase": func(w *world) {
			w.hook(v1beta1.ConfirmTrafficIncreaseHook, "gate")
		},
		"promotion": func(w *world) { w.hook(v1beta1.ConfirmPromotionHook, "gate") },
		"paused":    func(w *world) { w.annotate(v1beta1.PauseAnnotation, "true") },
		"watching": func(w *world) {
			w.canary.Spec.Analysis.Watch = &v1beta1.Watch{Duration: "5m"}
		},
	} {
		w := initialized(t)
		w.hook(v1beta1.RollbackHook, "undo")
		w.hooks["undo"], w.hooks["gate"] = refuses, refuses
		reach(w)
		w.push("rev-2")
		w.ready("rev-2")
		for range 5 {
			w.settle()
			w.say(analysis.Pass)
		}
		if w.called("undo") != 1 || w.canary.Status.Phase == v1beta1.PhaseSucceeded {
			t.Errorf("%s: stage %s, calls %+v", name, w.canary.Status.Analysis.Stage, w.calls)
			continue
		}
		w.hooks["undo"] = passes
		w.settle()
		w.expect(t, v1beta1.PhaseFailed, 0)
		w.expectEvent(t, "Rollback check undo passed")
		w.expectEvent(t, "Rolling back podinfo.test manual webhook invoked")
		if w.live("rev-1") != 100 {
			t.Errorf("%s: %d percent at rev-1", name, w.live("rev-1"))
		}
	}
}

// Post-rollout hooks are called when it is over, however it ended, and until
// they have answered; what they say changes nothing.
func TestPostRolloutHooksAreToldHowItEnded(t *testing.T) {
	for result, phase := range map[analysis.Result]v1beta1.Phase{analysis.Pass: v1beta1.PhaseSucceeded, analysis.Fail: v1beta1.PhaseFailed} {
		w := analysing(t)
		w.hook(v1beta1.PostRolloutHook, "tell")
		w.hook(v1beta1.PostRolloutHook, "tell too")
		for range 5 {
			w.say(result)
			w.settle()
		}
		w.expect(t, phase, 0)
		if w.called("tell") != 1 || w.called("tell too") != 1 || w.calls[0].Phase != phase {
			t.Fatalf("calls %+v, want both hooks with phase %s", w.calls, phase)
		}
		w.hooks["tell"], w.hooks["tell too"] = passes, refuses
		w.settle()
		w.expect(t, phase, 0)
		w.expectEvent(t, "Post-rollout check tell passed")
		w.expectEvent(t, "Post-rollout hook tell too failed 403 Forbidden: not yet")
		if len(w.calls) != 0 {
			t.Errorf("calls %+v after the end", w.calls)
		}
		w.push("rev-3")
		w.ready("rev-3")
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, 0)
	}
}

func TestMutedHookIsNoAlert(t *testing.T) {
	for _, muted := range []bool{false, true} {
		w := initialized(t)
		w.hook(v1beta1.ConfirmRolloutHook, "gate")
		w.canary.Spec.Analysis.Webhooks[0].MuteAlert = muted
		w.hooks["gate"] = refuses
		w.push("rev-2")
		var alerts int
		for range 5 {
			for _, e := range w.decide().Events {
				if e.Alert == Warn && strings.Contains(e.Message, "waiting for approval") {
					alerts++
				}
			}
		}
		if want := map[bool]int{false: 1, true: 0}[muted]; alerts != want {
			t.Errorf("muted %v: %d alerts, want %d", muted, alerts, want)
		}
	}
}
