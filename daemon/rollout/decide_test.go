package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

func TestInitializationPinsWhatServes(t *testing.T) {
	w := newWorld()
	w.push("rev-2") // not ready
	d := w.decide()
	w.expect(t, v1beta1.PhaseInitializing, 0)
	if d.Traffic == nil || d.Traffic.Primary != "rev-1" || d.Traffic.PrimaryPercent() != 100 {
		t.Fatalf("traffic %+v, want everything at rev-1", d.Traffic)
	}
	w.decide()
	w.expect(t, v1beta1.PhaseInitializing, 0) // the Route does not show it yet
	w.converge()
	w.decide()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	w.expectEvent(t, "Initialization done! podinfo.test")
	w.decide()
	w.expect(t, v1beta1.PhaseProgressing, 0) // and rev-2 is taken up
}

func TestMissingServiceIsSaidOnceAndRecovers(t *testing.T) {
	w := newWorld()
	service := w.service
	w.service = nil
	for range 3 {
		w.decide()
	}
	const told = `service "test/podinfo" does not exist`
	if len(w.events) != 1 || !strings.Contains(w.events[0], told) {
		t.Fatalf("events %q, want one with %q", w.events, told)
	}
	if c := w.canary.Status.Condition(v1beta1.ConditionPromoted); c == nil || !strings.Contains(c.Message, told) || c.Status != "Unknown" {
		t.Fatalf("condition %+v", c)
	}
	service.Revisions["rev-1"], service.Traffic = Revision{}, nil
	w.service = service
	w.decide()
	w.decide()
	if len(w.events) != 2 || !strings.Contains(w.events[1], "no ready revision yet") {
		t.Fatalf("events %q", w.events)
	}
	w.ready("rev-1")
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	if c := w.canary.Status.Condition(v1beta1.ConditionPromoted); c.Message != "Service initialization completed." {
		t.Errorf("condition %+v", c)
	}
}

func TestServiceMadeAnewIsInitializedAnew(t *testing.T) {
	w := initialized(t)
	w.service = newService("uid-2", "new-1")
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	if w.canary.Status.LastPromotedSpec != "new-1" {
		t.Errorf("primary is %q", w.canary.Status.LastPromotedSpec)
	}
}

func TestProblemHoldsANewRevisionBack(t *testing.T) {
	w := initialized(t)
	w.held = "spec.analysis.webhooks[0] (gate) has type confirm-promotion, which this version cannot honour yet"
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	w.expectEvent(t, "confirm-promotion")
	if w.live("rev-1") != 100 || w.measure != nil {
		t.Error("something moved")
	}
	w.held = ""
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
}

func TestServiceOfAnotherCanaryIsLeftAlone(t *testing.T) {
	w := analysing(t)
	w.owner = "older"
	if d := w.decide(); d.Traffic != nil || d.Measure != nil {
		t.Fatalf("the other canary's Service is changed: %+v", d)
	}
	w.expect(t, v1beta1.PhaseInitializing, 0)
	w.expectEvent(t, `service "test/podinfo" belongs to canary "older" already`)
	w.owner = ""
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
}

func TestSuspendHoldsEverything(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.canary.Spec.Suspend = true
	w.say(analysis.Fail)
	d := w.decide()
	if d.Traffic != nil || d.Measure != nil || d.RequeueAfter != 0 || len(d.Events) != 0 {
		t.Fatalf("a suspended rollout does something: %+v", d)
	}
	w.now = w.now.Add(time.Hour)
	w.canary.Spec.Suspend = false
	w.verdict = nil
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
	if got := w.decide().RequeueAfter; got != 60*time.Second+2*15*time.Second {
		t.Errorf("deadline after resume is in %v", got)
	}
}

// What claims something about the world is not decided from a cache alone.
func TestWhatIsClaimedIsConfirmed(t *testing.T) {
	for _, tc := range []struct {
		before, after v1beta1.Phase
		claims        bool
	}{
		{v1beta1.PhaseInitializing, v1beta1.PhaseInitialized, true},
		{v1beta1.PhaseFinalising, v1beta1.PhaseSucceeded, true},
		{v1beta1.PhaseProgressing, v1beta1.PhaseFailed, true},
		{v1beta1.PhaseFailed, v1beta1.PhaseFailed, false},
		{v1beta1.PhaseInitialized, v1beta1.PhaseProgressing, false},
		{v1beta1.PhasePromoting, v1beta1.PhaseFinalising, false},
	} {
		d := Decision{Status: v1beta1.CanaryStatus{Phase: tc.after}}
		if got := d.Claims(&v1beta1.CanaryStatus{Phase: tc.before}); got != tc.claims {
			t.Errorf("%s after %s claims something: %v, want %v", tc.after, tc.before, got, tc.claims)
		}
	}
}
