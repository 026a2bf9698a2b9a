package analysis

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/serin-dev/serin/measure"
)

// Kind is what a metric looks at.
type Kind int

// The kinds, with their units.
const (
	// SuccessRate is the percentage of requests that did not fail. See
	// measure.Outcome.Failed for what a failure is.
	SuccessRate Kind = iota
	// ErrorRate is the percentage of requests that failed.
	ErrorRate
	// OutcomeRate is the percentage of requests with one outcome, such as a
	// kind of transport error.
	OutcomeRate
	// Duration is a quantile of the response time, in milliseconds.
	Duration
	// MeanDuration is the arithmetic mean of the response time, in
	// milliseconds.
	MeanDuration
	// Throughput is successful answers a second.
	Throughput
)

// DefaultQuantile is the quantile of a Duration that names none: Flagger's.
const DefaultQuantile = 0.99

// Metric is one check and the range in which it passes, ends included. A nil
// end is open. The unit is the kind's.
type Metric struct {
	Name     string // as the Canary has it; only repeated in the findings
	Kind     Kind
	Min, Max *float64
	// Quantile of a Duration, in (0,1). 0 means DefaultQuantile.
	Quantile float64
	// Outcome that an OutcomeRate counts.
	Outcome measure.Outcome
	// Baseline compares the canary revision with the primary one.
	Baseline *Baseline
	// IncludeColdStart judges the cold start too, which a measure.Recorder
	// may set apart.
	IncludeColdStart bool
}

// Baseline is how much worse than the primary revision's the canary revision's
// value may be. Exactly one field is set. More is worse for latencies and error
// rates, less for the success rate and the throughput.
type Baseline struct {
	// Fraction of the primary revision's value: 0.1 is 10 %.
	Fraction *float64
	// Delta is in the metric's unit, for rates in percentage points.
	Delta *float64
}

// lessIsWorse says on which side of a limit trouble is.
func (m *Metric) lessIsWorse() bool { return m.Kind == SuccessRate || m.Kind == Throughput }

func (m *Metric) isLatency() bool { return m.Kind == Duration || m.Kind == MeanDuration }

func (m *Metric) quantile() float64 {
	if m.Quantile == 0 {
		return DefaultQuantile
	}
	return m.Quantile
}

// view is the part of a snapshot that the metric looks at.
func (m *Metric) view(s *measure.Snapshot) *measure.Snapshot {
	if m.IncludeColdStart {
		return s.WithColdStart()
	}
	return s
}

// value is the point estimate of the metric in its unit. The snapshot must not
// be empty; elapsed is the time in which it was measured.
func (m *Metric) value(s *measure.Snapshot, elapsed time.Duration) float64 {
	n := float64(s.Requests())
	switch m.Kind {
	case SuccessRate:
		// One division at the end, so that 99 of 100 is exactly 99.
		return 100 * (n - float64(s.Failures)) / n
	case ErrorRate:
		return 100 * float64(s.Failures) / n
	case OutcomeRate:
		return 100 * float64(s.Outcomes[m.Outcome]) / n
	case Duration:
		return milliseconds(s.Response.Quantile(m.quantile()))
	case MeanDuration:
		return milliseconds(s.Response.Mean())
	case Throughput:
		if elapsed <= 0 {
			return 0
		}
		return (n - float64(s.Failures)) / elapsed.Seconds()
	}
	return math.NaN()
}

// baselineLimit is what the canary revision may have where the primary one has
// value.
func (m *Metric) baselineLimit(value float64) float64 {
	var margin float64
	if b := m.Baseline; b.Fraction != nil {
		margin = value * *b.Fraction
	} else {
		margin = *b.Delta
	}
	if m.lessIsWorse() {
		return value - margin
	}
	return value + margin
}

// String is the metric's name in sentences.
func (m *Metric) String() string {
	switch m.Kind {
	case SuccessRate:
		return "success rate"
	case ErrorRate:
		return "error rate"
	case OutcomeRate:
		return fmt.Sprintf("%s rate", m.Outcome)
	case Duration:
		return "p" + strconv.FormatFloat(math.Round(m.quantile()*1e7)/1e5, 'f', -1, 64)
	case MeanDuration:
		return "mean latency"
	case Throughput:
		return "throughput"
	}
	return "unknown metric"
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func fromMilliseconds(ms float64) time.Duration {
	return time.Duration(min(ms, float64(math.MaxInt64/2)/1e6) * float64(time.Millisecond))
}
