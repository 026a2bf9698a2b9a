package v1beta1

import (
	"math"
	"strings"
)

// addMetric refuses what is not measured, and ranges that make no sense of it.
func (p *problems) addMetric(path string, m *Metric) {
	if m.TemplateRef != nil || m.Query != "" {
		p.add(path, "(%s) asks a metrics server, which Serin does without: use %s", m.Name, metricNames)
	} else if m.Quantity().Kind == QuantityUnknown {
		p.addName(path+".name", m.Name)
	}
	if m.Quantile != nil && m.Name != MetricDuration {
		p.add(path+".quantile", "is for %s, not for %s: for another quantile use a name such as latency-p95", MetricDuration, m.Name)
	}
	if q := m.Quantile; q != nil && !(*q > 0 && *q < 1) { // NaN too
		p.add(path+".quantile", "must be above 0 and below 1, not %g", *q)
	}
	p.addValue(path+".threshold", m.Quantity(), m.Threshold)
	if r := m.ThresholdRange; r != nil {
		p.addValue(path+".thresholdRange.min", m.Quantity(), r.Min)
		p.addValue(path+".thresholdRange.max", m.Quantity(), r.Max)
		if r.Min != nil && r.Max != nil && *r.Min > *r.Max {
			p.add(path+".thresholdRange.min", "%g must not be above max %g", *r.Min, *r.Max)
		}
	}
	if m.Baseline != nil {
		p.addBaseline(path+".baseline", m)
	}
}

func (p *problems) addName(path, name string) {
	switch {
	case strings.HasPrefix(name, MetricErrorRatePrefix):
		p.add(path, "must be %s or %sKIND with KIND one of %s, not %q", MetricErrorRate, MetricErrorRatePrefix, strings.Join(errorKinds, ", "), name)
	case strings.HasPrefix(name, MetricLatencyPrefix):
		p.add(path, "must have two to five digits after %s, not all 0: p50 is the median, p999 the quantile 0.999, not %q", MetricLatencyPrefix, name)
	default:
		p.add(path, "must be %s, not %q", metricNames, name)
	}
}

// addValue refuses thresholds that the quantity cannot have.
func (p *problems) addValue(path string, of Quantity, value *float64) {
	switch {
	case value == nil:
	case math.IsNaN(*value) || math.IsInf(*value, 0):
		p.add(path, "must be a finite number, not %g", *value)
	case of.Percent() && (*value < 0 || *value > 100):
		p.add(path, "must be in percent, from 0 to 100, not %g", *value)
	case of.Kind != QuantityUnknown && *value < 0:
		p.add(path, "must be 0 or more, not %g", *value)
	}
}

func (p *problems) addBaseline(path string, m *Metric) {
	b, of := m.Baseline, m.Quantity()
	if given := b.given(); given != 1 {
		p.add(path, "must have exactly one of maxIncrease, maxDecrease and maxDelta, not %d", given)
	}
	if b.MaxIncrease != "" {
		if _, err := b.MaxIncrease.Fraction(); err != nil {
			p.add(path+".maxIncrease", "%v", err)
		}
		if of.LessIsWorse() {
			p.add(path+".maxIncrease", "is for latencies and error rates, where more is worse: use maxDecrease or maxDelta for %s", m.Name)
		}
	}
	if b.MaxDecrease != "" {
		if fraction, err := b.MaxDecrease.Fraction(); err != nil {
			p.add(path+".maxDecrease", "%v", err)
		} else if fraction > 1 {
			p.add(path+".maxDecrease", "must be at most 100%%, not %s: nothing can lose more than it has", b.MaxDecrease)
		}
		if of.Kind != QuantityUnknown && !of.LessIsWorse() {
			p.add(path+".maxDecrease", "is for %s and %s, where less is worse: use maxIncrease or maxDelta for %s", MetricSuccessRate, MetricThroughput, m.Name)
		}
	}
	if d := b.MaxDelta; d != nil && !(*d >= 0 && *d <= math.MaxFloat64) { // NaN and infinity too
		p.add(path+".maxDelta", "must be a finite number, 0 or more, not %g", *d)
	}
}
