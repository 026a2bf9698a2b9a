package metrics

import (
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Flagger's words for strategies and how the analysis went.
const (
	strategyCanary    = "canary"
	strategyBlueGreen = "blue-green"
	strategyAB        = "ab-testing"

	analysisCompleted = "completed"
	analysisSkipped   = "skipped"
)

// Status tells what changed from one status to the Canary's new one.
func (r *Recorder) Status(canary *v1beta1.Canary, before *v1beta1.CanaryStatus) {
	r.Seen(canary)
	r.show(canary)
	name, namespace, now := canary.Spec.TargetRef.Name, canary.Namespace, &canary.Status
	if result := checked(before.Analysis, now.Analysis); result != "" {
		r.verdicts.WithLabelValues(name, namespace, result).Inc()
	}
	if b := before.Analysis; b != nil && running(before.Phase) && (now.Analysis == nil || now.Analysis.CanaryRevision != b.CanaryRevision) {
		r.rollouts.WithLabelValues(name, namespace, "superseded").Inc()
	}
	a := now.Analysis
	if now.Phase == before.Phase || a == nil {
		return
	}
	switch {
	case now.Phase == v1beta1.PhaseFailed:
		r.failures.WithLabelValues(name, namespace, strategy(canary), analysisCompleted).Inc()
		r.rollouts.WithLabelValues(name, namespace, "rolled_back").Inc()
	case now.Phase == v1beta1.PhaseSucceeded && before.Phase == v1beta1.PhaseFinalising:
		how := analysisCompleted
		if canary.Spec.SkipAnalysis {
			how = analysisSkipped
		}
		r.successes.WithLabelValues(name, namespace, strategy(canary), how).Inc()
		r.rollouts.WithLabelValues(name, namespace, "promoted").Inc()
	default:
		return
	}
	r.duration.WithLabelValues(name, namespace).Observe(time.Since(a.StartTime.Time).Seconds())
}

// show brings the gauges up to date.
func (r *Recorder) show(canary *v1beta1.Canary) {
	name, namespace, now := canary.Spec.TargetRef.Name, canary.Namespace, &canary.Status
	status := 1.0
	switch {
	case running(now.Phase):
		status = 0
	case now.Phase == v1beta1.PhaseFailed:
		status = 2
	}
	r.status.WithLabelValues(name, namespace).Set(status)
	weight := float64(now.CanaryWeight)
	r.weight.WithLabelValues(name, namespace).Set(weight)
	r.weight.WithLabelValues(name+"-primary", namespace).Set(100 - weight)
	if now.Analysis == nil {
		return
	}
	for _, m := range now.Analysis.Metrics {
		if m.Value != nil {
			r.analysis.WithLabelValues(name, namespace, m.Name).Set(*m.Value)
		}
	}
}

func running(phase v1beta1.Phase) bool {
	switch phase {
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaiting, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting, v1beta1.PhaseFinalising:
		return true
	default:
		return false
	}
}

// checked is the result of the check that ended between two statuses, if one did.
func checked(before, now *v1beta1.AnalysisStatus) string {
	if before == nil || now == nil || now.CanaryRevision != before.CanaryRevision {
		return ""
	}
	if now.Check > before.Check || (now.Verdict == "inconclusive" && before.Verdict != now.Verdict) {
		return now.Verdict
	}
	return ""
}

func strategy(canary *v1beta1.Canary) string {
	switch a := &canary.Spec.Analysis; {
	case len(a.Match) > 0:
		return strategyAB
	case a.Iterations != nil:
		return strategyBlueGreen
	}
	return strategyCanary
}
