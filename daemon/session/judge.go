package session

import (
	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/measure"
)

// JudgeFor returns the judge that a Canary asks for, of what the load measures.
// Metrics of other names are left out; Canary.Validate refuses them.
func JudgeFor(canary *v1beta1.Canary, load Load) analysis.Judge {
	a := &canary.Spec.Analysis
	judge := analysis.Judge{
		MinSamples: a.MinSamplesOrDefault(),
		Interval:   a.IntervalOrDefault(),
		Rate:       load.Rate,
	}
	if a.Sequential() {
		judge.Mode = analysis.Sequential
		judge.ErrorRate = a.ErrorRateOrDefault()
		judge.Power = a.PowerOrDefault()
		judge.Steps = checks(a)
		judge.MaxDuration = a.MaxDurationOrDefault()
	}
	for i := range a.Metrics {
		if metric, ok := metricFor(&a.Metrics[i]); ok {
			judge.Metrics = append(judge.Metrics, metric)
		}
	}
	return judge
}

// checks is the number of checks that a rollout passes before promotion: one at
// each weight, the first at 0 percent.
func checks(a *v1beta1.Analysis) int {
	if a.Iterations != nil {
		return int(*a.Iterations)
	}
	return len(a.Weights()) + 1
}

func metricFor(from *v1beta1.Metric) (metric analysis.Metric, ok bool) {
	limits := from.Range()
	metric = analysis.Metric{Name: from.Name, Min: limits.Min, Max: limits.Max, IncludeColdStart: from.IncludeColdStart}
	quantity := from.Quantity()
	switch quantity.Kind {
	case v1beta1.QuantitySuccessRate:
		metric.Kind = analysis.SuccessRate
	case v1beta1.QuantityLatency:
		metric.Kind, metric.Quantile = analysis.Duration, quantity.Quantile
	case v1beta1.QuantityLatencyMean:
		metric.Kind = analysis.MeanDuration
	case v1beta1.QuantityThroughput:
		metric.Kind = analysis.Throughput
	case v1beta1.QuantityErrorRate:
		metric.Kind = analysis.ErrorRate
		if quantity.ErrorKind != "" {
			metric.Kind, metric.Outcome = analysis.OutcomeRate, errorKind(quantity.ErrorKind)
		}
	default:
		return metric, false
	}
	if from.Baseline != nil {
		tolerance, err := from.Baseline.Tolerance()
		if err != nil {
			return metric, false
		}
		metric.Baseline = &analysis.Baseline{Fraction: tolerance.Fraction, Delta: tolerance.Delta}
	}
	return metric, true
}

// errorKind is the outcome of that name.
func errorKind(name string) measure.Outcome {
	for _, kind := range []measure.Outcome{measure.DNS, measure.Connect, measure.TLS, measure.Timeout, measure.Reset, measure.Truncated, measure.Protocol} {
		if kind.String() == name {
			return kind
		}
	}
	return measure.Unknown
}
