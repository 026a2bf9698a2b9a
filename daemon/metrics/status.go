package metrics

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Flagger's words.
const (
	strategyCanary    = "canary"
	strategyBlueGreen = "blue-green"
	strategyAB        = "ab-testing"

	analysisCompleted = "completed"
	analysisSkipped   = "skipped"
)

// Status says that the Canary's status was written, and which one it had before.
// The same status told again changes nothing.
func (r *Recorder) Status(canary *v1beta1.Canary, before *v1beta1.CanaryStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.see(canary)
	again := k.told != nil && equality.Semantic.DeepEqual(*k.told, canary.Status)
	k.told = canary.Status.DeepCopy()
	if _, ok := r.held(keyOf(canary)); !ok || again {
		return
	}
	r.show(k, &canary.Status)
	r.tally(k, canary, before)
}

// show sets the gauges.
func (r *Recorder) show(k *known, status *v1beta1.CanaryStatus) {
	name, namespace := k.target.Name, k.target.Namespace
	r.status.WithLabelValues(name, namespace).Set(phaseValue(status.Phase))
	r.showTraffic(k.target, status)
	if status.Analysis == nil || len(status.Analysis.Metrics) == 0 {
		return // the last values stay
	}
	before := k.metrics
	k.metrics = nil
	for _, m := range status.Analysis.Metrics {
		if m.Value != nil {
			r.analysis.WithLabelValues(name, namespace, m.Name).Set(*m.Value * unit(m.Name))
			k.metrics = append(k.metrics, m.Name)
		}
	}
	for _, metric := range before {
		if !slices.Contains(k.metrics, metric) {
			r.analysis.DeleteLabelValues(name, namespace, metric)
		}
	}
}

// showTraffic sets what was seen of the Route, and nothing where it was not.
func (r *Recorder) showTraffic(target types.NamespacedName, status *v1beta1.CanaryStatus) {
	if len(status.Traffic) == 0 {
		r.forgetWeights(target)
	} else {
		weight := float64(status.CanaryWeight)
		r.weight.WithLabelValues(target.Name, target.Namespace).Set(weight)
		r.weight.WithLabelValues(primaryWorkload(target.Name), target.Namespace).Set(100 - weight)
	}
	condition := status.Condition(v1beta1.ConditionTrafficApplied)
	switch {
	case condition != nil && condition.Status == corev1.ConditionTrue:
		r.applied.WithLabelValues(target.Name, target.Namespace).Set(1)
	case condition != nil && condition.Status == corev1.ConditionFalse:
		r.applied.WithLabelValues(target.Name, target.Namespace).Set(0)
	default:
		r.applied.DeleteLabelValues(target.Name, target.Namespace)
	}
}

// phaseValue is Flagger's: a rollout that waits for somebody, or is decided, is
// not 0 any more.
func phaseValue(phase v1beta1.Phase) float64 {
	switch phase {
	case v1beta1.PhaseProgressing:
		return 0
	case v1beta1.PhaseFailed:
		return 2
	default:
		return 1
	}
}

// unit converts a metric's values to Flagger's unit, which for a latency is the
// second although its thresholds are in milliseconds.
func unit(metric string) float64 {
	switch (&v1beta1.Metric{Name: metric}).Quantity().Kind {
	case v1beta1.QuantityLatency, v1beta1.QuantityLatencyMean:
		return 1e-3
	default:
		return 1
	}
}

// tally counts what ended between two statuses.
func (r *Recorder) tally(k *known, canary *v1beta1.Canary, before *v1beta1.CanaryStatus) {
	name, namespace, after := k.target.Name, k.target.Namespace, &canary.Status
	if result := verdict(before.Analysis, after.Analysis); result != "" {
		r.verdicts.WithLabelValues(name, namespace, result).Inc()
	}
	if abortedBetween(before, after) {
		k.aborting = start(after)
	}
	result := ended(before, after)
	switch result {
	case "":
		return
	case promoted:
		how := analysisCompleted
		if canary.Spec.SkipAnalysis {
			how = analysisSkipped
		}
		r.successes.WithLabelValues(name, namespace, strategy(canary), how).Inc()
	case rolledBack:
		r.failures.WithLabelValues(name, namespace, strategy(canary), analysisCompleted).Inc()
		if k.aborting == start(before) {
			result = aborted
		}
	}
	r.rollouts.WithLabelValues(name, namespace, result).Inc()
	if took, ok := duration(before, after); ok {
		r.duration.WithLabelValues(name, namespace).Observe(took.Seconds())
	}
}

func strategy(canary *v1beta1.Canary) string {
	a := &canary.Spec.Analysis
	switch {
	case a.Iterations == nil || *a.Iterations == 0:
		return strategyCanary
	case len(a.Match) > 0:
		return strategyAB
	}
	return strategyBlueGreen
}
