package metrics

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// Every rollout is counted once, whatever ends it.
func TestHowRolloutsEnd(t *testing.T) {
	for _, tc := range []struct {
		name      string
		end       func(*world) // of the rollout of rev-2, at 10 percent
		result    string
		failures  float64
		durations int
	}{
		{"checks pass", func(w *world) { w.say(analysis.Pass, 100) }, promoted, 0, 1},
		{"check fails", func(w *world) { w.say(analysis.Fail, 0) }, rolledBack, 1, 1},
		{"promoted by annotation", func(w *world) { w.annotate(v1beta1.PromoteAnnotation) }, promoted, 0, 1},
		{"aborted by annotation", func(w *world) { w.annotate(v1beta1.AbortAnnotation) }, aborted, 1, 1},
		{"aborted, and the daemon ends while it rolls back", func(w *world) {
			w.canary.Annotations = map[string]string{v1beta1.AbortAnnotation: "now"}
			w.decide()
			w.restart()
			w.settle()
		}, rolledBack, 1, 1},
		{"aborted while it rolls back anyway", func(w *world) {
			w.service.RouteReady = false
			w.say(analysis.Fail, 0)
			w.annotate(v1beta1.AbortAnnotation)
			w.service.RouteReady = true
			w.settle()
		}, rolledBack, 1, 1},
		{"an abort is refused, and then a check fails", func(w *world) {
			w.canary.Annotations = map[string]string{v1beta1.AbortAnnotation: "rev-1/now"} // which is the primary one
			w.settle()
			w.say(analysis.Fail, 0)
		}, rolledBack, 1, 1},
		{"another revision", func(w *world) { w.push("rev-3"); w.settle() }, superseded, 0, 0},
		{"another revision during the rollback", func(w *world) {
			w.service.RouteReady = false
			w.say(analysis.Fail, 0)
			w.push("rev-3")
			w.settle()
		}, rolledBack, 1, 0},
		{"back at the primary revision", func(w *world) { w.push("rev-1"); w.settle() }, superseded, 0, 1},
		{"service deleted", func(w *world) { w.service = nil; w.settle() }, aborted, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.push("rev-2")
			w.settle()
			w.say(analysis.Pass, 100)
			tc.end(w)
			for _, result := range []string{promoted, rolledBack, superseded, aborted} {
				want := 0.0
				if result == tc.result {
					want = 1
				}
				if got := w.result(result); got != want {
					t.Errorf("%g rollouts %s, want %g", got, result, want)
				}
			}
			if got := testutil.ToFloat64(w.failures.WithLabelValues("podinfo", "test", strategyCanary, analysisCompleted)); got != tc.failures {
				t.Errorf("%g failures, want %g", got, tc.failures)
			}
			if got := testutil.CollectAndCount(w.duration); got != tc.durations {
				t.Errorf("%d durations, want %d", got, tc.durations)
			}
		})
	}
}

// A rollback by annotation is not one of the checks', whether a rollout runs or
// not.
func TestRollbackByHandIsAborted(t *testing.T) {
	for name, begun := range map[string]v1beta1.CanaryStatus{
		"in a rollout": {Phase: v1beta1.PhaseProgressing, Analysis: &v1beta1.AnalysisStatus{StartTime: metav1.NewMicroTime(time.Unix(1, 0)), Stage: v1beta1.StageMeasuring}},
		"at rest":      {Phase: v1beta1.PhaseSucceeded, Analysis: &v1beta1.AnalysisStatus{StartTime: metav1.NewMicroTime(time.Unix(1, 0))}},
	} {
		w := newWorld(t)
		back := begun.DeepCopy()
		back.Phase, back.Analysis.Stage = v1beta1.PhaseProgressing, v1beta1.StageRollingBack
		back.Commands = map[string]string{v1beta1.RollbackAnnotation: "now"}
		if begun.Phase == v1beta1.PhaseSucceeded {
			back.Analysis.StartTime = metav1.NewMicroTime(time.Unix(9, 0))
		}
		failed := back.DeepCopy()
		failed.Phase, failed.Analysis.Stage = v1beta1.PhaseFailed, ""
		before := &begun
		for _, next := range []*v1beta1.CanaryStatus{back, failed} {
			w.canary.Status = *next
			w.Status(w.canary, before)
			before = next
		}
		if got := w.result(aborted); got != 1 || w.result(rolledBack) != 0 {
			t.Errorf("%s: %g rollouts are aborted and %g rolled back, want one aborted", name, got, w.result(rolledBack))
		}
	}
}

// A proven failure ends the rollout without another check.
func TestProvenFailureCounts(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Analysis.Judge = &v1beta1.Judge{Mode: v1beta1.ModeSequential}
	w.push("rev-2")
	w.settle()
	w.proven = true
	w.say(analysis.Fail, 0)
	if check := w.canary.Status.Analysis.Check; check != 1 {
		t.Fatalf("check %d, want 1", check)
	}
	if got := testutil.ToFloat64(w.verdicts.WithLabelValues("podinfo", "test", "fail")); got != 1 {
		t.Errorf("%g fail verdicts, want 1", got)
	}
}

// The same revision again is another rollout.
func TestRetryIsAnotherRollout(t *testing.T) {
	w := newWorld(t)
	w.push("rev-2")
	w.settle()
	w.say(analysis.Fail, 0)
	w.annotate(v1beta1.RetryAnnotation)
	w.say(analysis.Fail, 0)
	if got := w.result(rolledBack); got != 2 {
		t.Errorf("%g rollbacks, want 2", got)
	}
}

// Rollouts are told apart by as many digits of their start as the API server
// keeps, which are six.
func TestRolloutsAreToldApartByTheMicrosecond(t *testing.T) {
	begun := func(nanoseconds int64) *v1beta1.CanaryStatus {
		return &v1beta1.CanaryStatus{Phase: v1beta1.PhaseProgressing, Analysis: &v1beta1.AnalysisStatus{StartTime: metav1.NewMicroTime(time.Unix(1, nanoseconds))}}
	}
	if got := ended(begun(1000), begun(1999)); got != "" {
		t.Errorf("%s within a microsecond, want nothing", got)
	}
	if got := ended(begun(1999), begun(2000)); got != superseded {
		t.Errorf("%q in the next microsecond, want %s", got, superseded)
	}
}

// A daemon that comes later shows what is so, and counts what it ends itself.
func TestNextDaemonGoesOn(t *testing.T) {
	w := newWorld(t)
	w.push("rev-2")
	w.settle()
	w.say(analysis.Pass, 100)
	w.restart()
	w.Seen(w.canary)
	w.exposes(`
flagger_canary_metric_analysis{metric="request-duration",name="podinfo",namespace="test"} 0.25
flagger_canary_metric_analysis{metric="request-success-rate",name="podinfo",namespace="test"} 100
flagger_canary_status{name="podinfo",namespace="test"} 0
flagger_canary_weight{namespace="test",workload="podinfo"} 10
flagger_canary_weight{namespace="test",workload="podinfo-primary"} 90
serin_verdicts_total{name="podinfo",namespace="test",result="fail"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="inconclusive"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="pass"} 0
`, "flagger_canary_metric_analysis", "flagger_canary_status", "flagger_canary_weight", "serin_verdicts_total")
	w.say(analysis.Pass, 100)
	if got := w.result(promoted); got != 1 {
		t.Errorf("%g promotions, want 1", got)
	}
}

// Flagger's recorder has 0 for Progressing alone.
func TestStatusOfPhases(t *testing.T) {
	for phase, want := range map[v1beta1.Phase]float64{
		"": 1, v1beta1.PhaseInitializing: 1, v1beta1.PhaseInitialized: 1, v1beta1.PhaseWaiting: 1,
		v1beta1.PhaseProgressing: 0, v1beta1.PhaseWaitingPromotion: 1, v1beta1.PhasePromoting: 1,
		v1beta1.PhaseFinalising: 1, v1beta1.PhaseSucceeded: 1, v1beta1.PhaseFailed: 2,
	} {
		if got := phaseValue(phase); got != want {
			t.Errorf("%q is %g, want %g", phase, got, want)
		}
	}
}
