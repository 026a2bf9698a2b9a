package daemon_test

import (
	"strings"
	"testing"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// sequential is a world with a judge in mode sequential.
func sequential(t *testing.T, edit func(*v1beta1.Analysis)) *world {
	t.Helper()
	w := newWorld(t)
	a := &w.canary.Spec.Analysis
	a.Threshold = 100 // which does not matter in this mode
	a.Judge = &v1beta1.Judge{Mode: v1beta1.ModeSequential}
	a.Metrics[0].ThresholdRange.Min = new(90.0)
	edit(a)
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	return w
}

func TestSequentialJudgePromotes(t *testing.T) {
	w := sequential(t, func(*v1beta1.Analysis) {})
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	a := w.canary.Status.Analysis
	if a.Plan == nil || a.Plan.Requests == 0 || !strings.Contains(a.Plan.Message, "at 40 requests/s a step needs about") {
		t.Errorf("plan %+v", a.Plan)
	}
	for _, m := range a.Metrics {
		if m.Verdict != "pass" || m.Requests == 0 || !strings.Contains(m.Message, "is not") || m.Explanation == "" {
			t.Errorf("metric %+v", m)
		}
	}
}

// A check that needs longer than its interval is announced, and a revision that
// is proven bad never sees a user.
func TestSequentialJudgeRollsBackBeforeAnybodyIsExposed(t *testing.T) {
	w := sequential(t, func(a *v1beta1.Analysis) { a.Metrics[0].ThresholdRange.Min = new(99.0) })
	stop := w.users()
	w.push("6.0.2", "--random-error=true")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	if answered, failures := stop(); len(failures) > 0 || answered == 0 {
		t.Errorf("of %d requests of users %d failed: %v", answered+len(failures), len(failures), failures)
	}
	w.awaitEvent("Planning podinfo." + w.namespace + ": at 40 requests/s a step needs about 10s; interval is 1s")
	w.awaitEvent("Warning Rolling back podinfo." + w.namespace + " success rate ")
	w.awaitEvent("is under 99%; ")
	a := w.canary.Status.Analysis
	if w.canary.Status.FailedChecks != 1 || len(a.Metrics) == 0 || !strings.Contains(a.Metrics[0].Explanation, "would not have been enough to fail it") {
		t.Errorf("%d failed checks, %+v", w.canary.Status.FailedChecks, a)
	}
}

// Both revisions are equally slow: an absolute limit would have to know how
// slow.
func TestBaselineJudgesAgainstThePrimary(t *testing.T) {
	w := sequential(t, func(a *v1beta1.Analysis) {
		a.Load = &v1beta1.Load{Rate: 40, Warmup: "100ms", Requests: []v1beta1.Request{{Method: "GET", Path: "/delay/1"}}}
		a.Metrics = []v1beta1.Metric{{Name: "latency-p50", Baseline: &v1beta1.Baseline{MaxIncrease: "50%"}}}
	})
	w.push("6.0.3")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	if m := w.canary.Status.Analysis.Metrics[0]; !strings.Contains(m.Message, "is not more than 50% over the primary's ") {
		t.Errorf("metric %+v", m)
	}
}

func TestColdStartIsCountedApart(t *testing.T) {
	w := sequential(t, func(a *v1beta1.Analysis) { a.Load.Warmup = "0s" })
	w.push("6.0.4")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	if c := w.canary.Status.Analysis.Canary; c == nil || c.ColdStartRequests == 0 {
		t.Errorf("measured %+v", c)
	}
}

// A limit that no revision could keep is said before anything is rolled out.
func TestJudgeThatCannotBeServedIsSaid(t *testing.T) {
	w := newWorld(t)
	a := &w.canary.Spec.Analysis
	a.Metrics = append(a.Metrics, v1beta1.Metric{Name: "throughput", ThresholdRange: &v1beta1.ThresholdRange{Min: new(50.0)}})
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitEvent("Warning spec.analysis: metric throughput: min 50 cannot be reached with 40 requests/s: raise the rate of the load")
}
