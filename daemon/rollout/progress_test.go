package rollout

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

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

// What is proven need not fail twice, whatever the threshold is.
func TestProvenFailureRollsBackAtOnce(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.say(analysis.Fail)
	w.verdict.Proven = true
	w.verdict.Findings[0].Explanation, w.verdict.Findings[0].Requests = "9 failed; 6 would not have been enough", 90
	w.decide()
	if got := w.canary.Status.Analysis.Stage; got != v1beta1.StageRollingBack {
		t.Fatalf("stage %s after a proven failure, want a rollback", got)
	}
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	w.expectEvent(t, "Rolling back podinfo.test success rate as told")
	m := w.canary.Status.Analysis.Metrics[0]
	if m.Explanation != "9 failed; 6 would not have been enough" || m.Requests != 90 || w.canary.Status.FailedChecks != 1 {
		t.Errorf("metric %+v, %d failed checks", m, w.canary.Status.FailedChecks)
	}
}

// A user learns how long a check takes before it begins, where that is longer
// than its interval.
func TestPlanIsSaidBeforeTheWait(t *testing.T) {
	const said = "Planning podinfo.test: at 10 requests/s a step needs about 38s; interval is 15s"
	plan := analysis.Plan{Pass: 375, Catch: 375, Rate: 10, Interval: 15 * time.Second}
	for _, tc := range []struct {
		rate float64
		want bool
	}{{10, true}, {100, false}} {
		w := initialized(t)
		w.plan = plan
		w.plan.Rate = tc.rate
		w.push("rev-2")
		w.ready("rev-2")
		w.settle()
		got := slices.ContainsFunc(w.events, func(e string) bool { return strings.HasPrefix(e, "Planning") })
		if got != tc.want || got && !slices.Contains(w.events, said) {
			t.Errorf("at %g/s the plan is said: %v, want %v: %q", tc.rate, got, tc.want, w.events)
		}
		p := w.canary.Status.Analysis.Plan
		if p == nil || p.Requests != 375 || p.DurationSeconds != max(math.Ceil(375/tc.rate), 15) || p.Message != w.plan.String() {
			t.Errorf("status says %+v of the plan %q", p, w.plan)
		}
	}
}

func TestDeadlineLeavesASequentialCheckItsTime(t *testing.T) {
	w := analysing(t)
	w.canary.Spec.Analysis.Judge = &v1beta1.Judge{Mode: v1beta1.ModeSequential, MaxDuration: "5m"}
	w.say(analysis.Inconclusive)
	w.now = w.now.Add(60*time.Second + 15*time.Second + 5*time.Minute - time.Millisecond)
	w.settle()
	w.expectEvent(t, "No verdict on podinfo.test yet: success rate as told")
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.now = w.now.Add(time.Millisecond)
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
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
	w.expectEvent(t, "Halt podinfo.test advancement no verdict yet: success rate as told")
	w.expectEvent(t, "progress deadline exceeded no verdict: success rate as told")
}

func TestD06NewRevisionDuringAnalysisGetsNoTraffic(t *testing.T) {
	w := analysing(t)
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 20)
	w.push("rev-3")
	w.ready("rev-3")
	w.decide()
	if !w.service.Asks(Traffic{Primary: "rev-1"}) {
		t.Fatalf("traffic %+v, want everything at rev-1", w.service.Spec)
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

func TestD07PromotionIsOfTheAnalysedRevision(t *testing.T) {
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

func TestD03RevisionThatNeverGetsReadyIsRolledBack(t *testing.T) {
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

func TestD01SkipAnalysisMovesTheTraffic(t *testing.T) {
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

func TestD09SuccessIsOnlyReportedOnceTheRouteShowsIt(t *testing.T) {
	w := analysing(t)
	w.canary.Spec.Analysis.StepWeight, w.canary.Spec.Analysis.Iterations = nil, new(int32(1))
	w.say(analysis.Pass)
	w.decide()
	w.converge()
	w.decide()
	for range 5 { // without the Route following
		w.decide()
		w.expect(t, v1beta1.PhaseFinalising, 0)
	}
	w.converge()
	w.decide()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
}
