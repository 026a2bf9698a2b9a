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

const (
	// SuccessRate is the percentage of requests that did not fail, in
	// [0,100]. See measure.Outcome.Failed for what a failure is.
	SuccessRate Kind = iota
	// Duration is a quantile of the response time, in milliseconds; p99
	// unless the metric says otherwise.
	Duration
)

// String is the metric's name in sentences.
func (k Kind) String() string {
	switch k {
	case SuccessRate:
		return "success rate"
	case Duration:
		return "request duration"
	}
	return "unknown metric"
}

const defaultQuantile = 0.99

// Metric is one check and the range in which it passes, ends included. A nil
// end is open. The unit is the kind's.
type Metric struct {
	Name     string // as the Canary has it; only repeated in the findings
	Kind     Kind
	Min, Max *float64
	// Quantile of a Duration, in (0,1). Default 0.99, Flagger's.
	Quantile float64
}

// Judge holds what a check asks for.
type Judge struct {
	Metrics []Metric
	// MinSamples is the number of requests below which nothing is said.
	MinSamples int64
}

// Verdict judges what was measured of the canary revision. The result is the
// worst of the findings: one failed metric fails the check.
func (j Judge) Verdict(canary *measure.Snapshot) Verdict {
	n := canary.Requests()
	if n < max(j.MinSamples, 1) {
		message := fmt.Sprintf("%d requests, at least %d are needed", n, max(j.MinSamples, 1))
		return verdict(n, Finding{Result: Inconclusive, Message: message})
	}
	findings := make([]Finding, len(j.Metrics))
	for i, m := range j.Metrics {
		findings[i] = m.finding(canary)
	}
	return verdict(n, findings...)
}

// finding compares one metric. Snapshot must not be empty.
func (m Metric) finding(s *measure.Snapshot) Finding {
	value := m.value(s)
	f := Finding{Metric: m.Name, Value: value, Result: Pass}
	switch {
	case m.Min != nil && value < *m.Min:
		f.Result, f.Message = Fail, m.sentence(value, "<", *m.Min)
	case m.Max != nil && value > *m.Max:
		f.Result, f.Message = Fail, m.sentence(value, ">", *m.Max)
	case m.Min != nil:
		f.Message = m.sentence(value, ">=", *m.Min)
	case m.Max != nil:
		f.Message = m.sentence(value, "<=", *m.Max)
	default:
		f.Message = fmt.Sprintf("%s %s", m.what(), m.format(value, math.NaN()))
	}
	return f
}

func (m Metric) value(s *measure.Snapshot) float64 {
	if m.Kind == Duration {
		return milliseconds(s.Response.Quantile(m.quantile()))
	}
	// One division at the end, so that 99 of 100 is exactly 99.
	return 100 * float64(s.Requests()-s.Failures) / float64(s.Requests())
}

func (m Metric) quantile() float64 {
	if m.Quantile == 0 {
		return defaultQuantile
	}
	return m.Quantile
}

// what is the metric in sentences.
func (m Metric) what() string {
	if m.Kind == Duration && m.quantile() != defaultQuantile {
		return fmt.Sprintf("%s p%g", m.Kind, 100*m.quantile())
	}
	return m.Kind.String()
}

func (m Metric) sentence(value float64, relation string, limit float64) string {
	return fmt.Sprintf("%s %s %s %s", m.what(), m.format(value, limit), relation, m.format(limit, value))
}

// format writes a value as short as can be without making it look like other.
func (m Metric) format(value, other float64) string {
	if m.Kind == Duration {
		d := time.Duration(value * float64(time.Millisecond))
		if rounded := d.Round(precision(d)); milliseconds(rounded) != other {
			return rounded.String()
		}
		return d.String()
	}
	for digits := 2; digits < 6; digits++ {
		scale := math.Pow10(digits)
		if rounded := math.Round(value*scale) / scale; rounded != other && rounded != 100 {
			return strconv.FormatFloat(rounded, 'f', -1, 64) + "%"
		}
	}
	return strconv.FormatFloat(value, 'f', -1, 64) + "%"
}

// precision keeps three digits or so.
func precision(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return 10 * time.Millisecond
	case d >= time.Second:
		return time.Millisecond
	case d >= 10*time.Millisecond:
		return 100 * time.Microsecond
	default:
		return time.Microsecond
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
