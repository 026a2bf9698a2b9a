package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// generations is a world in which rev-1 and rev-2 were promoted, one after the other,
// and rev-3 has failed.
func generations(t *testing.T) *world {
	t.Helper()
	w := initialized(t)
	w.push("rev-2")
	w.ready("rev-2")
	w.promoteAll(t)
	w.push("rev-3")
	w.ready("rev-3")
	w.failAll(t)
	return w
}

func TestPrimaryThatIsGoneIsFollowedByOneThatWasPromoted(t *testing.T) {
	w := generations(t)
	delete(w.service.Revisions, "rev-2")
	w.settle()
	if s := w.canary.Status; s.LastPromotedSpec != "rev-1" || w.live("rev-1") != 100 || s.Phase != v1beta1.PhaseInitialized {
		t.Fatalf("status %+v, traffic %+v", s, w.service.Traffic)
	}
	w.expectAlert(t, Error, "Primary revision rev-2 of podinfo.test does not exist any more: rev-1, which was promoted before, takes over")

	w = generations(t)
	delete(w.service.Revisions, "rev-2")
	delete(w.service.Revisions, "rev-1")
	w.settle()
	if w.canary.Status.LastPromotedSpec != "" || w.live("rev-3") != 0 {
		t.Errorf("a revision that failed takes over: %+v, traffic %+v", w.canary.Status, w.service.Traffic)
	}
	w.expectAlert(t, Error, "none that was promoted before is ready")
	w.push("rev-4")
	w.ready("rev-4")
	w.settle()
	if w.canary.Status.LastPromotedSpec != "rev-4" || w.live("rev-4") != 100 {
		t.Errorf("a good push does not end it: %+v", w.canary.Status)
	}
}

// Neither what was rolled back nor what is not ready takes over, whatever it was before.
func TestSuccessorOfThePrimaryIsGoodAndReady(t *testing.T) {
	w := generations(t)
	w.service.Revisions["rev-0"] = Revision{Ready: true}
	w.service.Revisions["rev-x"] = Revision{}
	w.canary.Status.Retired = []v1beta1.RetiredRevision{{Revision: "rev-3"}, {Revision: "rev-x"}, {Revision: "rev-0"}}
	delete(w.service.Revisions, "rev-2")
	w.settle()
	if got := w.canary.Status.LastPromotedSpec; got != "rev-0" {
		t.Errorf("%s takes over, want rev-0: rev-3 was rolled back, rev-x is not ready", got)
	}

	w = generations(t)
	w.specify("kubectl", Target{Revision: "rev-3", Percent: 100})
	w.converge()
	delete(w.service.Revisions, "rev-2")
	delete(w.service.Revisions, "rev-1")
	w.settle()
	if got := w.canary.Status.LastPromotedSpec; got != "" {
		t.Errorf("%s is pinned, which was rolled back", got)
	}
}

// What was rolled back is forgotten with its Service, where others have its name.
func TestFailuresAreForgottenWithTheService(t *testing.T) {
	w := generations(t)
	w.service = newService("uid-2", "rev-3")
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	if w.canary.Status.LastPromotedSpec != "rev-3" || len(w.canary.Status.Failed) != 0 {
		t.Errorf("status %+v", w.canary.Status)
	}
}

func (w *world) expectAlert(t *testing.T, alert Alert, part string) {
	t.Helper()
	if !slices.ContainsFunc(w.alerts, func(e Event) bool { return e.Alert == alert && strings.Contains(e.Message, part) }) {
		t.Errorf("no %s alert with %q in %+v", alert, part, w.alerts)
	}
}

// A primary revision that is deleted in mid-rollout is followed by the one before, and
// what was analysed is analysed again.
func TestPrimaryIsDeletedInMidRollout(t *testing.T) {
	w := generations(t)
	w.push("rev-4")
	w.ready("rev-4")
	w.settle()
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
	delete(w.service.Revisions, "rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if a := w.canary.Status.Analysis; a.PrimaryRevision != "rev-1" || a.CanaryRevision != "rev-4" || w.live("rev-1") != 100 {
		t.Errorf("analysis %+v, traffic %+v", a, w.service.Traffic)
	}
}

func TestCanaryRevisionIsDeletedInMidRollout(t *testing.T) {
	for _, passes := range []int{0, 1, 4} { // measuring at 0 percent, at a step, and promoting
		w := initialized(t)
		w.push("rev-2")
		w.service.Revisions["rev-2"] = Revision{UID: "first", Ready: true}
		w.settle()
		w.canary.Spec.Analysis.StepWeightPromotion = new(int32(10))
		for range passes {
			w.say(analysis.Pass)
			w.settle()
		}
		delete(w.service.Revisions, "rev-2")
		if passes == 1 { // Knative makes the newest one again
			w.service.Revisions["rev-2"] = Revision{UID: "another", Ready: true}
		}
		w.settle()
		w.expect(t, v1beta1.PhaseFailed, 0)
		w.expectEvent(t, "Rolling back podinfo.test revision rev-2 was deleted")
	}
}

// Users of a revision that is ready are not sent to one that is not.
func TestRollbackWaitsForAPrimaryThatIsReady(t *testing.T) {
	broken := func(t *testing.T) *world {
		w := analysing(t)
		w.say(analysis.Pass)
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, 20)
		w.service.Revisions["rev-1"] = Revision{Failed: true, Message: "crashed"}
		for range 3 {
			w.say(analysis.Fail)
			w.decide()
			w.converge()
		}
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, 20)
		if w.live("rev-2") != 20 || !w.service.Asks(Traffic{Primary: "rev-1", Canary: "rev-2", Weight: 20}) {
			t.Fatalf("users are moved: %+v", w.service.Spec)
		}
		w.expectEvent(t, "the rollback waits: rev-1 is not ready (crashed), and rev-2 is: users stay where they are; serin promote podinfo -n test keeps rev-2")
		return w
	}
	w := broken(t)
	w.ready("rev-1")
	w.service.LatestReady = "rev-2"
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	if w.live("rev-1") != 100 {
		t.Errorf("traffic %+v", w.service.Traffic)
	}

	w = broken(t)
	w.annotate(v1beta1.PromoteAnnotation, "keep it")
	w.settle()
	w.now = w.now.Add(time.Hour)
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	if w.live("rev-2") != 100 || slices.Contains(w.canary.Status.Failed, "rev-2") {
		t.Errorf("traffic %+v, failed %v", w.service.Traffic, w.canary.Status.Failed)
	}
}

// A step that the Route has not followed yet is not where users are.
func TestRollbackThatWaitsGivesNoMoreThanThereWas(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.lost = true // the step is decided on, and not written
	w.decide()
	w.lost = false
	w.expect(t, v1beta1.PhaseProgressing, 20)
	w.service.Revisions["rev-1"] = Revision{Failed: true, Message: "crashed"}
	w.annotate(v1beta1.AbortAnnotation, "now")
	if d := w.decide(); d.Traffic.Weight != 0 {
		t.Errorf("rev-2 gets %d percent by its rollback", d.Traffic.Weight)
	}
}

// A primary revision that never gets ready again does not stand in the way of a good
// push for ever: the Route follows nothing while it is a target.
func TestGoodPushReplacesABrokenPrimary(t *testing.T) {
	w := initialized(t)
	w.service.Revisions["rev-1"] = Revision{Failed: true, Message: "crashed"}
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	if a := w.canary.Status.Analysis; a.Stage != v1beta1.StageWaitingForRevision || !strings.Contains(a.Message, "primary revision rev-1 is not ready: crashed") {
		t.Fatalf("analysis %+v", a)
	}
	w.now = w.now.Add(time.Minute)
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	w.expectAlert(t, Error, "rev-2 takes over without being analysed to the end")
	if w.live("rev-2") != 100 {
		t.Errorf("traffic %+v", w.service.Traffic)
	}
}

// Where another revision serves, that takes the place of a broken primary revision, and
// the new one is analysed against it: also from a gate.
func TestRevisionThatServesReplacesABrokenPrimary(t *testing.T) {
	for _, passes := range []int{0, 4} { // measuring, and waiting for the promotion's approval
		w := analysing(t)
		w.hook(v1beta1.ConfirmPromotionHook, "gate")
		w.hooks["gate"] = refuses
		for range passes {
			w.say(analysis.Pass)
			w.settle()
		}
		w.service.Revisions["rev-0"] = Revision{Ready: true}
		w.service.Revisions["rev-1"] = Revision{Failed: true, Message: "crashed"}
		w.service.Traffic = []Target{{Revision: "rev-0", Percent: 60}, {Revision: "rev-1", Tag: PrimaryTag, Percent: 40}}
		w.service.RouteReady = false
		w.decide()
		w.now = w.now.Add(time.Hour)
		d := w.decide()
		if d.Status.LastPromotedSpec != "rev-0" || d.Measure != nil || d.Status.Phase != v1beta1.PhaseInitializing {
			t.Fatalf("after %d checks: %+v", passes, d.Status)
		}
		w.settle()
		if a := w.canary.Status.Analysis; a == nil || a.PrimaryRevision != "rev-0" || a.CanaryRevision != "rev-2" {
			t.Errorf("after %d checks: analysis %+v", passes, a)
		}
	}
}

func TestFinalisingHasADeadline(t *testing.T) {
	finalising := func(t *testing.T) *world {
		w := analysing(t)
		w.canary.Spec.Analysis.StepWeight, w.canary.Spec.Analysis.Iterations = nil, new(int32(1))
		w.say(analysis.Pass)
		w.decide()
		w.converge()
		w.decide()
		w.expect(t, v1beta1.PhaseFinalising, 0)
		w.service.RouteReady, w.service.Message = false, "the ingress is not ready"
		return w
	}
	w := finalising(t)
	w.decide()
	if c := w.canary.Status.Condition(v1beta1.ConditionPromoted); !strings.Contains(c.Message, "the Route does not show rev-2 100 % yet: the ingress is not ready") {
		t.Errorf("condition %+v", c)
	}
	w.now = w.now.Add(time.Minute)
	w.decide()
	w.decide()
	w.expectAlert(t, Warn, "the Route still does not show rev-2 100 % after 1m0s: the ingress is not ready")
	if n := w.count("still does not show"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	w.push("rev-3")
	w.decide()
	w.expect(t, v1beta1.PhaseProgressing, 0)

	w = finalising(t)
	delete(w.service.Revisions, "rev-2")
	w.settle()
	if w.canary.Status.LastPromotedSpec != "rev-1" || w.live("rev-1") != 100 {
		t.Errorf("status %+v, traffic %+v", w.canary.Status, w.service.Traffic)
	}
}

// A target of the user's that cannot serve keeps the Route from following anything.
func TestTagOfABrokenRevisionIsDropped(t *testing.T) {
	w := newWorld()
	w.service.Revisions["rev-0"] = Revision{Failed: true}
	w.specify("kubectl", Target{Revision: "rev-1", Percent: 100}, Target{Revision: "rev-0", Tag: "stable"}, Target{Revision: "rev-1", Tag: "beta"})
	for range 3 {
		w.decide()
		w.converge()
	}
	if len(w.service.Spec) != 3 {
		t.Fatalf("it is dropped at once: %+v", w.service.Spec)
	}
	if d := w.decide(); d.RequeueAfter != 30*time.Second {
		t.Errorf("looks again in %v", d.RequeueAfter)
	}
	w.now = w.now.Add(30 * time.Second)
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	w.expectEvent(t, "Tag stable of service test/podinfo is dropped: its revision rev-0 cannot serve")
	if _, ok := w.service.tag("beta"); !ok {
		t.Errorf("the tag beta is lost too: %+v", w.service.Spec)
	}
}

// The user names revisions, and goes back to the one that serves.
func TestServiceBackAtItsPrimaryEndsTheRollout(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.service.LatestCreated = "rev-1"
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	w.expectEvent(t, "Rolling back podinfo.test the service is back at its primary revision")
	if s := w.canary.Status; s.LastAppliedSpec != "rev-1" || len(s.Failed) != 0 || w.live("rev-1") != 100 || w.count("Canary failed!") != 0 {
		t.Errorf("status %+v, traffic %+v", s, w.service.Traffic)
	}
	w.service.LatestCreated = "rev-2" // and forward again
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
}

// So it is where nothing is being rolled out, and what was put back does not get through.
func TestTagOfABrokenRevisionIsDroppedAtRest(t *testing.T) {
	w := generations(t)
	w.now = w.now.Add(time.Hour)
	w.service.Traffic = []Target{{Revision: "rev-3", Percent: 100}}
	w.service.Spec = append(w.service.Spec, Target{Revision: "rev-9", Tag: "stable"})
	for range 3 {
		w.decide()
		w.converge()
		w.now = w.now.Add(30 * time.Second)
	}
	w.settle()
	w.expectEvent(t, "Tag stable of service test/podinfo is dropped: its revision rev-9 cannot serve")
	if w.live("rev-2") != 100 || w.applied().Status != "True" {
		t.Errorf("traffic %+v, condition %+v", w.service.Traffic, w.applied())
	}
}

// What somebody gave to a revision that was rolled back is not kept for it.
func TestShareOfARevisionThatFailedIsNotKept(t *testing.T) {
	w := generations(t)
	w.specify("kubectl", Target{Revision: "rev-1", Percent: 60}, Target{Revision: "rev-3", Percent: 40})
	w.converge()
	w.canary.Status.Retired = nil
	delete(w.service.Revisions, "rev-2")
	w.settle()
	if s := w.canary.Status; s.LastPromotedSpec != "rev-1" || len(s.KeptShares) != 0 || w.live("rev-3") != 0 {
		t.Errorf("primary %s, kept %+v, traffic %+v", s.LastPromotedSpec, s.KeptShares, w.service.Traffic)
	}
}
