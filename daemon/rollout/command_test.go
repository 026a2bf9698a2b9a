package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

func TestPauseHoldsTheRolloutWhereItIs(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.annotate(v1beta1.PauseAnnotation, "true")
	w.now = w.now.Add(time.Hour) // no deadline runs
	w.settle()
	for range 5 {
		w.say(analysis.Pass)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseProgressing, 20)
	if w.measure != nil || w.live("rev-2") != 20 || w.count("Pausing podinfo.test at 20 percent") != 1 {
		t.Errorf("measure %+v, %d percent, events %q", w.measure, w.live("rev-2"), w.events)
	}
	delete(w.canary.Annotations, v1beta1.PauseAnnotation)
	w.now = w.now.Add(time.Minute)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20) // with its whole deadline
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 40)
}

// A revision that is pushed meanwhile is held at nothing.
func TestPushWhilePausedTakesTheTrafficBack(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.annotate(v1beta1.PauseAnnotation, "true")
	w.settle()
	w.push("rev-3")
	w.ready("rev-3")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if w.live("rev-1") != 100 || w.canary.Status.Analysis.CanaryRevision != "rev-3" {
		t.Errorf("traffic %+v, %+v", w.service.Traffic, w.canary.Status.Analysis)
	}
}

func TestAbortRollsBackFromEveryStage(t *testing.T) {
	for name, reach := range map[string]func(*world){
		"waiting for approval": func(w *world) { w.annotate(v1beta1.HaltAnnotation, "rollout") },
		"measuring":            func(w *world) { w.canary.Spec.Analysis.StepWeight = new(int32(1)) },
		"waiting for traffic":  func(w *world) { w.annotate(v1beta1.HaltAnnotation, "rollout, traffic-increase") },
		"promotion":            func(w *world) { w.annotate(v1beta1.HaltAnnotation, "promotion") },
		"paused":               func(w *world) { w.annotate(v1beta1.PauseAnnotation, "true") },
		"watching":             func(w *world) { w.canary.Spec.Analysis.Watch = &v1beta1.Watch{Duration: "5m"} },
	} {
		w := initialized(t)
		reach(w)
		w.push("rev-2")
		w.ready("rev-2")
		for range 5 {
			w.settle()
			w.say(analysis.Pass)
		}
		w.annotate(v1beta1.AbortAnnotation, "now")
		w.settle()
		if s := w.canary.Status; s.Phase != v1beta1.PhaseFailed || w.live("rev-1") != 100 || s.Commands[v1beta1.AbortAnnotation] != "now" {
			t.Errorf("%s: phase %s, commands %v, traffic %+v", name, s.Phase, s.Commands, w.service.Traffic)
		}
		w.expectEvent(t, "Rolling back podinfo.test aborted by annotation")
		// The same value is the same command: it does not abort the next.
		delete(w.canary.Annotations, v1beta1.HaltAnnotation)
		delete(w.canary.Annotations, v1beta1.PauseAnnotation)
		w.push("rev-3")
		w.ready("rev-3")
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, 0)
	}
}

func TestPromoteSkipsWhatIsLeft(t *testing.T) {
	w := initialized(t)
	w.annotate(v1beta1.HaltAnnotation, "true")
	w.push("rev-2")
	w.settle()
	w.annotate(v1beta1.PromoteAnnotation, "1")
	w.settle()
	w.expect(t, v1beta1.PhaseWaiting, 0) // there is nothing to promote yet
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	if w.live("rev-2") != 100 {
		t.Errorf("traffic %+v", w.service.Traffic)
	}
	w.expectEvent(t, "Promoting podinfo.test without further checks, by annotation")
}

func TestHaltAndApprove(t *testing.T) {
	w := initialized(t)
	w.annotate(v1beta1.HaltAnnotation, "rollout,promotion")
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseWaiting, 0)
	w.expectEvent(t, "Halt podinfo.test advancement waiting for approval annotation serin.dev/halt")
	w.annotate(v1beta1.ApproveAnnotation, "monday")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	for range 6 {
		w.say(analysis.Pass)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseWaitingPromotion, 50) // one approval is for one gate
	w.annotate(v1beta1.ApproveAnnotation, "tuesday")
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
}

// An approval passes a gate that hooks keep closed, too.
func TestApproveOverridesAHook(t *testing.T) {
	w := initialized(t)
	w.hook(v1beta1.ConfirmRolloutHook, "gate")
	w.hooks["gate"] = refuses
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.annotate(v1beta1.ApproveAnnotation, "yes")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.expectEvent(t, "Confirm-rollout of podinfo.test approved by annotation")
}

func TestRetryRollsTheSameRevisionOutAgain(t *testing.T) {
	w := analysing(t)
	fail := func() {
		for range 3 {
			w.say(analysis.Fail)
			w.settle()
		}
		w.expect(t, v1beta1.PhaseFailed, 0)
	}
	fail()
	w.annotate(v1beta1.RetryAnnotation, "once")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if w.canary.Status.FailedChecks != 0 || w.canary.Status.Analysis.CanaryRevision != "rev-2" {
		t.Errorf("status %+v", w.canary.Status)
	}
	fail()
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0) // one value, one try
	w.annotate(v1beta1.RetryAnnotation, "twice")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
}

// Commands that make no sense now are dropped: they shall not come back later.
func TestCommandsDoNotWait(t *testing.T) {
	w := initialized(t)
	for _, annotation := range []string{v1beta1.AbortAnnotation, v1beta1.PromoteAnnotation, v1beta1.ApproveAnnotation, v1beta1.RetryAnnotation} {
		w.annotate(annotation, "x")
	}
	w.settle()
	if n := w.count("Ignoring annotation serin.dev/"); n != 4 {
		t.Errorf("%d commands are told to be ignored: %q", n, w.events)
	}
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if strings.Contains(w.events[len(w.events)-1], "Ignoring") {
		t.Errorf("events %q", w.events)
	}
}

// What a new Canary carries from a repository is no command to the first
// rollout.
func TestCommandsOfANewCanaryAreDropped(t *testing.T) {
	w := newWorld()
	w.annotate(v1beta1.AbortAnnotation, "x")
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
}

// The command was given by somebody who saw the revision before.
func TestCommandIsNotForTheNextRevision(t *testing.T) {
	w := initialized(t)
	w.push("rev-2")
	w.settle()
	w.annotate(v1beta1.PromoteAnnotation, "now") // rev-2 is not ready, so it waits
	w.settle()
	w.push("rev-3")
	w.ready("rev-3")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.expectEvent(t, "Ignoring annotation serin.dev/promote: podinfo.test is Progressing")
}

func TestCommandMayNameItsRevision(t *testing.T) {
	w := analysing(t)
	w.annotate(v1beta1.AbortAnnotation, "rev-1/12:00")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.expectEvent(t, "Ignoring annotation serin.dev/abort: it is about rev-1, and podinfo.test is at rev-2")
	w.annotate(v1beta1.AbortAnnotation, "rev-2/12:01")
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
}

// An approval is for the gate that is seen, not for one that may come.
func TestApprovalDoesNotWaitForAGate(t *testing.T) {
	w := analysing(t)
	w.hook(v1beta1.ConfirmTrafficIncreaseHook, "gate")
	w.hooks["gate"] = refuses
	w.annotate(v1beta1.ApproveAnnotation, "early")
	w.settle()
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.expectEvent(t, "Ignoring annotation serin.dev/approve: podinfo.test is Progressing")
}
