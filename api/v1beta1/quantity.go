package v1beta1

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Names of metrics that Serin measures itself.
const (
	MetricSuccessRate = "request-success-rate"
	MetricDuration    = "request-duration"
	MetricLatencyMean = "latency-mean"
	MetricThroughput  = "throughput"
	MetricErrorRate   = "error-rate"

	// MetricErrorRatePrefix comes before a kind of transport error:
	// error-rate-timeout.
	MetricErrorRatePrefix = "error-rate-"
	// MetricLatencyPrefix comes before the decimals of a quantile:
	// latency-p50, latency-p999.
	MetricLatencyPrefix = "latency-p"
)

// metricNames are the names, for sentences.
const metricNames = MetricSuccessRate + ", " + MetricDuration + ", latency-pNN (p50, p99, p999), " +
	MetricLatencyMean + ", " + MetricThroughput + ", " + MetricErrorRate + " or error-rate-KIND"

// errorKinds are the kinds of transport error, in the words of package measure.
var errorKinds = []string{"unknown", "dns", "connect", "tls", "timeout", "reset", "truncated", "protocol"}

// QuantityKind is a quantity without its parameter.
type QuantityKind int

const (
	// QuantityUnknown is what Serin does not measure. It is the zero value.
	QuantityUnknown QuantityKind = iota
	// QuantitySuccessRate is the percentage of the requests that did not fail.
	QuantitySuccessRate
	// QuantityLatency is a quantile of the response time, in milliseconds.
	QuantityLatency
	// QuantityLatencyMean is the mean response time, in milliseconds.
	QuantityLatencyMean
	// QuantityThroughput is the number of successful answers a second.
	QuantityThroughput
	// QuantityErrorRate is the percentage of the requests that failed, or that
	// failed in one way.
	QuantityErrorRate
)

// Quantity is what a metric measures.
type Quantity struct {
	Kind QuantityKind
	// Quantile of a QuantityLatency, above 0 and below 1; else 0.
	Quantile float64
	// ErrorKind is the transport error that a QuantityErrorRate counts, as
	// measure.Outcome has it: timeout. Empty: every failed request.
	ErrorKind string
}

// Percent reports whether the unit is percent of the requests.
func (q Quantity) Percent() bool {
	return q.Kind == QuantitySuccessRate || q.Kind == QuantityErrorRate
}

// LessIsWorse reports whether a lower value is the worse one. Otherwise more
// is worse.
func (q Quantity) LessIsWorse() bool {
	return q.Kind == QuantitySuccessRate || q.Kind == QuantityThroughput
}

// Quantity returns what the metric measures, by its name. It is the zero one
// for names that Serin does not know and for metrics of a metrics server, both
// of which Canary.Validate refuses.
func (m *Metric) Quantity() Quantity {
	if m.TemplateRef != nil || m.Query != "" {
		return Quantity{}
	}
	switch m.Name {
	case MetricSuccessRate:
		return Quantity{Kind: QuantitySuccessRate}
	case MetricDuration:
		return Quantity{Kind: QuantityLatency, Quantile: orDefault(m.Quantile, DefaultQuantile)}
	case MetricLatencyMean:
		return Quantity{Kind: QuantityLatencyMean}
	case MetricThroughput:
		return Quantity{Kind: QuantityThroughput}
	case MetricErrorRate:
		return Quantity{Kind: QuantityErrorRate}
	}
	if kind, ok := strings.CutPrefix(m.Name, MetricErrorRatePrefix); ok && slices.Contains(errorKinds, kind) {
		return Quantity{Kind: QuantityErrorRate, ErrorKind: kind}
	}
	if digits, ok := strings.CutPrefix(m.Name, MetricLatencyPrefix); ok {
		if quantile := readDecimals(digits); quantile > 0 {
			return Quantity{Kind: QuantityLatency, Quantile: quantile}
		}
	}
	return Quantity{}
}

// readDecimals reads 999 as 0.999. It returns 0 for what is not two to five
// digits.
func readDecimals(digits string) float64 {
	if len(digits) < 2 || len(digits) > 5 || strings.Trim(digits, "0123456789") != "" {
		return 0
	}
	v, err := strconv.ParseFloat("0."+digits, 64)
	if err != nil {
		return 0
	}
	return v
}

// Range returns the accepted range in the metric's unit, of ThresholdRange or
// of Threshold; ThresholdRange goes first. Without either both ends are open.
func (m *Metric) Range() ThresholdRange {
	if r := m.ThresholdRange; r != nil && (r.Min != nil || r.Max != nil) {
		return *r
	}
	if m.Quantity().LessIsWorse() {
		return ThresholdRange{Min: m.Threshold}
	}
	return ThresholdRange{Max: m.Threshold}
}

// Judged reports whether the metric can fail: it has a threshold or a baseline.
func (m *Metric) Judged() bool {
	r := m.Range()
	return r.Min != nil || r.Max != nil || m.Baseline != nil
}

// Tolerance is by how much the canary revision may be worse than the primary
// one; which way is worse is the quantity's. Exactly one field is set.
type Tolerance struct {
	// Fraction of the primary revision's value: 0.1 for 10%. 0 or more; at most
	// 1 where less is worse.
	Fraction *float64
	// Delta is in the metric's unit, 0 or more.
	Delta *float64
}

// Tolerance reads the baseline: maxIncrease and maxDecrease as a fraction
// (10% is 0.1), maxDelta as it is. Not exactly one of the three is an error.
func (b *Baseline) Tolerance() (Tolerance, error) {
	if given := b.given(); given != 1 {
		return Tolerance{}, fmt.Errorf("must have exactly one of maxIncrease, maxDecrease and maxDelta, not %d", given)
	}
	if b.MaxDelta != nil {
		return Tolerance{Delta: b.MaxDelta}, nil
	}
	fraction, err := cmp.Or(b.MaxIncrease, b.MaxDecrease).Fraction()
	if err != nil {
		return Tolerance{}, err
	}
	return Tolerance{Fraction: &fraction}, nil
}

func (b *Baseline) given() int {
	return countTrue(b.MaxIncrease != "", b.MaxDecrease != "", b.MaxDelta != nil)
}

// percentPattern is the one of Percent's marker.
var percentPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,4})([.][0-9]{1,6})?%$`)

// Fraction reads 10% as 0.1.
func (p Percent) Fraction() (float64, error) {
	if !percentPattern.MatchString(string(p)) {
		return 0, fmt.Errorf("must be a percentage such as 10%% or 2.5%%, not %q", string(p))
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(string(p), "%"), 64)
	return v / 100, err
}
