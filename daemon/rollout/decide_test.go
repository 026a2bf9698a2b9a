package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

func (w *world) expect(t *testing.T, phase v1beta1.Phase, weight int32) {
	t.Helper()
	if s := w.canary.Status; s.Phase != phase || s.CanaryWeight != weight {
		t.Fatalf("phase %s, weight %d; want %s, %d\nstatus: %+v\nevents: %s", s.Phase, s.CanaryWeight, phase, weight, s, strings.Join(w.events, "\n"))
	}
}

func (w *world) expectEvent(t *testing.T, part string) {
	t.Helper()
	if !slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, part) }) {
		t.Errorf("no event with %q in:\n%s", part, strings.Join(w.events, "\n"))
	}
}

// initialized is a world in which rev-1 is the primary revision.
func initialized(t *testing.T) *world {
	t.Helper()
	w := newWorld()
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	return w
}

// analysing is a world in which rev-2 is measured at 0 percent.
func analysing(t *testing.T) *world {
	t.Helper()
	w := initialized(t)
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if w.measure == nil || *w.measure != (Measure{Primary: "rev-1", Canary: "rev-2", Check: 1}) {
		t.Fatalf("measure %+v, want check 1 of rev-2 against rev-1", w.measure)
	}
	return w
}

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

func TestPromotionGoesStepByStep(t *testing.T) {
	w := analysing(t)
	for _, want := range []int32{20, 40, 50} {
		w.say(analysis.Pass)
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, want)
		if got := w.live("rev-2"); got != int64(want) {
			t.Fatalf("rev-2 has %d percent, want %d", got, want)
		}
	}
	w.say(analysis.Pass)
	w.decide()
	w.expect(t, v1beta1.PhasePromoting, 100)
	if w.measure != nil {
		t.Error("the load runs on while promoting")
	}
	w.decide()
	w.expect(t, v1beta1.PhasePromoting, 100) // the Route does not show it yet
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	if w.live("rev-2") != 100 || w.canary.Status.LastPromotedSpec != "rev-2" || w.service.AnnotatedPrimary != "rev-2" {
		t.Errorf("rev-2 has %d percent, promoted %q", w.live("rev-2"), w.canary.Status.LastPromotedSpec)
	}
	for _, e := range []string{"New revision detected!", "Starting canary analysis for podinfo.test: GET /", "Advance podinfo.test canary weight 20", "Routing all traffic to canary", "Promotion completed!"} {
		w.expectEvent(t, e)
	}
	if c := w.canary.Status.Condition(v1beta1.ConditionPromoted); c == nil || c.Status != "True" || c.Reason != "Succeeded" {
		t.Errorf("condition %+v", c)
	}
}

func TestFailedChecksRollBackAtTheThreshold(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
	for n := range 2 {
		w.say(analysis.Fail)
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, 20)
		if got := w.canary.Status.FailedChecks; got != int32(n+1) {
			t.Fatalf("%d failed checks, want %d", got, n+1)
		}
	}
	w.say(analysis.Fail)
	w.decide()
	w.expect(t, v1beta1.PhaseProgressing, 0) // not Failed before the Route shows it
	w.decide()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	if w.live("rev-1") != 100 || w.live("rev-2") != 0 || len(w.service.Traffic) != 1 {
		t.Errorf("traffic %+v, want rev-1 alone", w.service.Traffic)
	}
	w.expectEvent(t, "Halt podinfo.test advancement success rate as told")
	w.expectEvent(t, "Rolling back podinfo.test failed checks threshold reached 3")
	w.expectEvent(t, "Canary failed!")
	if w.measure != nil {
		t.Error("the load runs on after the rollback")
	}
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0) // and stays so
}

func TestOneVerdictCountsOnce(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Fail)
	for range 5 {
		w.decide() // the verdict is still there
	}
	if got := w.canary.Status.FailedChecks; got != 1 {
		t.Fatalf("one failed check was counted %d times", got)
	}
}

func TestInconclusiveVerdictsMoveNothingAndExpire(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Inconclusive)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if s := w.canary.Status; s.FailedChecks != 0 || s.Analysis.Check != 1 {
		t.Fatalf("an inconclusive verdict counted: %+v", s)
	}
	w.now = w.now.Add(60*time.Second + 2*15*time.Second - time.Millisecond)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.now = w.now.Add(time.Millisecond)
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	w.expectEvent(t, "progress deadline exceeded no verdict: success rate as told")
}

func TestNewRevisionDuringAnalysisGetsNoTraffic(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
	w.push("rev-3")
	w.ready("rev-3")
	w.decide()
	if *w.wanted != (Traffic{Primary: "rev-1"}) {
		t.Fatalf("traffic %+v, want everything at rev-1", *w.wanted)
	}
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if w.live("rev-3") != 0 || w.measure.Canary != "rev-3" {
		t.Errorf("rev-3 has %d percent, measured is %+v", w.live("rev-3"), w.measure)
	}
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0) // the old verdict is not rev-3's
	w.expectEvent(t, "New revision detected! Restarting analysis for podinfo.test")
}

func TestNewRevisionDuringPromotionWaits(t *testing.T) {
	w := analysing(t)
	w.canary.Spec.Analysis.StepWeight = new(int32(50))
	for range 2 {
		w.say(analysis.Pass)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseSucceeded, 0)

	w = analysing(t)
	w.canary.Spec.Analysis.StepWeight, w.canary.Spec.Analysis.Iterations = nil, new(int32(1))
	w.say(analysis.Pass)
	w.decide()
	w.expect(t, v1beta1.PhasePromoting, 100)
	w.push("rev-3")
	w.converge()
	w.decide()
	w.converge()
	w.decide()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	if w.canary.Status.LastPromotedSpec != "rev-2" {
		t.Fatalf("promoted %s, analysed was rev-2", w.canary.Status.LastPromotedSpec)
	}
	w.decide()
	if w.canary.Status.LastAppliedSpec != "rev-3" || w.live("rev-3") != 0 {
		t.Errorf("rev-3 was not taken up at 0 percent: %+v", w.canary.Status)
	}
}

func TestRevisionThatNeverGetsReadyIsRolledBack(t *testing.T) {
	w := initialized(t)
	w.push("rev-2")
	w.service.Revisions["rev-2"] = Revision{Failed: true, Message: "ImagePullBackOff: no such image"}
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	d := w.decide()
	if d.RequeueAfter != time.Minute {
		t.Errorf("called again after %v, want 1m", d.RequeueAfter)
	}
	w.now = w.now.Add(time.Minute)
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	w.expectEvent(t, "Rolling back podinfo.test progress deadline exceeded revision rev-2 is not ready: ImagePullBackOff: no such image")
	if w.live("rev-1") != 100 {
		t.Errorf("rev-1 has %d percent", w.live("rev-1"))
	}
}

func TestDeadlineDoesNotCountTheDaemonsAbsence(t *testing.T) {
	w := initialized(t)
	w.push("rev-2")
	w.settle()
	w.now = w.now.Add(time.Hour)
	d := Decide(Input{Now: w.now, Up: w.now, Canary: w.canary, Service: w.service})
	if d.Status.Analysis.Stage == v1beta1.StageRollingBack || d.RequeueAfter != time.Minute {
		t.Errorf("stage %s, called again after %v", d.Status.Analysis.Stage, d.RequeueAfter)
	}
}

func TestCanaryThatBreaksDownWhileMeasuredFailsItsChecks(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.service.Revisions["rev-2"] = Revision{Message: "CrashLoopBackOff"}
	w.service.RouteReady = false
	for range 3 {
		w.say(analysis.Fail)
		w.decide()
	}
	if got := w.canary.Status.Analysis.Stage; got != v1beta1.StageRollingBack {
		t.Fatalf("stage %s, want a rollback without waiting for a deadline", got)
	}
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
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

func TestSkipAnalysisPromotesWhatIsReady(t *testing.T) {
	w := initialized(t)
	w.canary.Spec.SkipAnalysis = true
	w.push("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	if w.live("rev-2") != 100 || w.canary.Status.LastPromotedSpec != "rev-2" {
		t.Errorf("rev-2 has %d percent", w.live("rev-2"))
	}
}

func TestBlueGreenExposesNobodyBeforePromotion(t *testing.T) {
	w := initialized(t)
	w.canary.Spec.Analysis.StepWeight, w.canary.Spec.Analysis.Iterations = nil, new(int32(3))
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	for n := range 2 {
		w.say(analysis.Pass)
		w.settle()
		w.expect(t, v1beta1.PhaseProgressing, 0)
		if w.canary.Status.Iterations != int32(n+1) || w.live("rev-2") != 0 {
			t.Fatalf("iteration %d, rev-2 has %d percent", w.canary.Status.Iterations, w.live("rev-2"))
		}
	}
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
	w.expectEvent(t, "Advance podinfo.test canary iteration 3/3")
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

func TestRevertOnDeletionRestores(t *testing.T) {
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

func TestNothingIsMeasuredBeforeTheRouteShowsIt(t *testing.T) {
	w := initialized(t)
	w.push("rev-2")
	w.ready("rev-2")
	for range 5 { // without the Route following
		if d := w.decide(); d.Measure != nil {
			t.Fatalf("measured %+v although the canary's host does not exist yet", d.Measure)
		}
	}
	w.settle()
	w.say(analysis.Pass)
	for range 5 {
		d := w.decide()
		if d.Measure == nil || d.Measure.Check != 0 {
			t.Fatalf("measured %+v, want the load kept up and nothing judged", d.Measure)
		}
	}
	w.expect(t, v1beta1.PhaseProgressing, 20)
	w.settle()
	if w.measure.Check != 2 {
		t.Errorf("measured %+v, want check 2", w.measure)
	}
}

func TestSuccessIsOnlyReportedOnceTheRouteShowsIt(t *testing.T) {
	w := analysing(t)
	w.canary.Spec.Analysis.StepWeight, w.canary.Spec.Analysis.Iterations = nil, new(int32(1))
	w.say(analysis.Pass)
	w.decide()
	w.converge()
	w.decide()
	for range 5 { // without the Route following
		w.decide()
		w.expect(t, v1beta1.PhaseFinalising, 100)
	}
	w.converge()
	w.decide()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
}
