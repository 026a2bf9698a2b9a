package rollout

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

func TestInitializationPinsWhatServes(t *testing.T) {
	w := newWorld()
	w.push("rev-2") // not ready
	d := w.decide()
	w.expect(t, v1beta1.PhaseInitializing, 0)
	if d.Traffic == nil || *d.Traffic != (Traffic{Primary: "rev-1"}) {
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

func TestInitializationTakesTheAnnotatedRevisionBeforeTheLatest(t *testing.T) {
	w := newWorld()
	w.push("rev-2")
	w.ready("rev-2")
	w.service.AnnotatedPrimary = "rev-1"
	w.service.Traffic = []Target{{Revision: "rev-2", Percent: 30}, {Revision: "rev-1", Percent: 70}}
	if d := w.decide(); d.Traffic == nil || d.Traffic.Primary != "rev-1" {
		t.Fatalf("traffic %+v, want the annotated rev-1", d.Traffic)
	}
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
	service.Revisions["rev-1"] = Revision{}
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
	w.service = &Service{Current: true, RouteReady: true, Revisions: map[string]Revision{}}
	w.push("new-1")
	w.ready("new-1")
	w.service.Traffic = []Target{{Revision: "new-1", Percent: 100}}
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	if w.canary.Status.LastPromotedSpec != "new-1" {
		t.Errorf("primary is %q", w.canary.Status.LastPromotedSpec)
	}
}

func TestProblemHoldsANewRevisionBack(t *testing.T) {
	w := initialized(t)
	w.problem = "spec.analysis.webhooks[0] (gate) has type confirm-promotion, which this version cannot honour yet"
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	w.expectEvent(t, "confirm-promotion")
	if w.live("rev-1") != 100 || w.measure != nil {
		t.Error("something moved")
	}
	w.problem = ""
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
}

func TestServiceOfAnotherCanaryIsLeftAlone(t *testing.T) {
	w := analysing(t)
	w.owner = "older"
	if d := w.decide(); d.Traffic != nil || d.Measure != nil || d.Restore {
		t.Fatalf("the other canary's Service is changed: %+v", d)
	}
	w.expect(t, v1beta1.PhaseInitializing, 0)
	w.expectEvent(t, `service "test/podinfo" belongs to canary "older" already`)
	w.owner = ""
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
}

func TestDeletionLeavesTheServiceOfAnotherCanaryAlone(t *testing.T) {
	w := initialized(t)
	w.owner = "older"
	w.canary.Spec.RevertOnDeletion = true
	w.canary.DeletionTimestamp = new(metav1.NewTime(w.now))
	if d := w.decide(); d.Traffic != nil || d.Restore || !d.Release {
		t.Fatalf("decision %+v, want a release and nothing else", d)
	}
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

func TestDeletionInMidRolloutLeavesThePrimary(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.canary.DeletionTimestamp = &metav1.Time{Time: w.now}
	w.decide()
	if w.released {
		t.Fatal("let go before the Route has followed")
	}
	w.converge()
	w.decide()
	if !w.released || w.live("rev-1") != 100 || w.measure != nil {
		t.Errorf("released %v, rev-1 has %d percent", w.released, w.live("rev-1"))
	}
}

func TestDeletionDoesNotHangForEver(t *testing.T) {
	w := analysing(t)
	w.service.Current = false
	w.canary.DeletionTimestamp = &metav1.Time{Time: w.now}
	if d := w.decide(); d.RequeueAfter != time.Minute || w.released {
		t.Fatalf("called again after %v, released %v", d.RequeueAfter, w.released)
	}
	w.now = w.now.Add(time.Minute)
	w.decide()
	if !w.released {
		t.Error("still held after the progress deadline")
	}
	w.expectEvent(t, "Letting go of podinfo.test")
}

func TestD04RevertOnDeletionGivesTheTrafficBack(t *testing.T) {
	w := initialized(t)
	w.canary.Spec.RevertOnDeletion = true
	w.canary.DeletionTimestamp = &metav1.Time{Time: w.now}
	d := w.decide()
	if !d.Restore || d.Traffic != nil || w.released {
		t.Fatalf("decision %+v", d)
	}
	w.decide()
	if !w.released {
		t.Error("not let go after the traffic was restored")
	}
}
