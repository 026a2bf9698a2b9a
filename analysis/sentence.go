package analysis

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/measure"
)

// sentence of a Sequential judge: "p99 812ms (95% between 640ms and 990ms) is
// over 500ms; 1,204 requests". primary is the primary revision's value, of a
// baseline.
func (b *bound) sentence(f *Finding, primary float64) string {
	m := b.metric
	relation, limit := b.direction(), m.format(f.Limit, f.Value)
	if b.side == likePrimary {
		relation = fmt.Sprintf("more than %s %s", m.margin(), relation)
		limit = "the primary's " + m.format(primary, f.Value)
	}
	verb := map[Result]string{Fail: "is", Pass: "is not", Inconclusive: "may be"}[f.Result]
	return fmt.Sprintf("%s %s%s %s %s %s; %s requests", m, m.format(f.Value, f.Limit), m.between(f), verb, relation, limit, thousands(f.Requests))
}

// under says that the bound is broken by a value under it, not over it.
func (b *bound) under() bool {
	return b.side == atLeast || (b.side == likePrimary && b.metric.lessIsWorse())
}

func (b *bound) direction() string {
	if b.under() {
		return "under"
	}
	return "over"
}

// sign is 1 where more is worse.
func (b *bound) sign() float64 {
	if b.side == atLeast {
		return -1
	}
	return 1
}

// margin is the baseline's, in words.
func (m *Metric) margin() string {
	b := m.Baseline
	switch {
	case b.Fraction != nil:
		return plainNumber(100**b.Fraction) + "%"
	case m.isLatency():
		return m.format(*b.Delta, math.NaN())
	case m.Kind == Throughput:
		return plainNumber(*b.Delta) + "/s"
	}
	if *b.Delta == 1 {
		return "1 point"
	}
	return plainNumber(*b.Delta) + " points"
}

// between is the confidence interval in brackets, with a space before it.
func (m *Metric) between(f *Finding) string {
	low, high := m.format(f.Low, math.NaN()), m.format(f.High, math.NaN())
	switch {
	case math.IsNaN(f.Low):
		return ""
	case math.IsNaN(f.High):
		return fmt.Sprintf(" (95%% over %s)", low)
	case low == high:
		return ""
	}
	return fmt.Sprintf(" (95%% between %s and %s)", low, high)
}

// badRequests says how many requests were bad, and what that means.
func (b *bound) badRequests(bad float64) string {
	m := b.metric
	count := plainNumber(bad)
	switch {
	case m.Kind == Duration && b.side == atMost:
		return fmt.Sprintf("%s took longer than %s", count, m.format(b.limit, math.NaN()))
	case m.Kind == Duration && b.side == atLeast:
		return fmt.Sprintf("%s took less than %s", count, m.format(b.limit, math.NaN()))
	case m.Kind == Duration:
		return fmt.Sprintf("%s were slower than the primary's %s allows", count, m)
	case (m.Kind == ErrorRate || m.Kind == OutcomeRate) && b.side == atLeast, m.Kind == SuccessRate && b.side == atMost, m.Kind == Throughput && b.side == atMost:
		return fmt.Sprintf("%s did not fail", count)
	case m.Kind == OutcomeRate:
		return fmt.Sprintf("%s ended so", count)
	}
	return fmt.Sprintf("%s failed", count)
}

// tolerable says how many bad requests a point estimate tolerates.
func (b *bound) tolerable(s *measure.Snapshot) string {
	var allowed float64
	var bad int64
	switch m := b.metric; {
	case m.Kind == SuccessRate && b.under():
		allowed, bad = 1-b.limit/100, s.Failures
	case m.Kind == ErrorRate && !b.under():
		allowed, bad = b.limit/100, s.Failures
	case m.Kind == OutcomeRate && !b.under():
		allowed, bad = b.limit/100, s.Outcomes[m.Outcome]
	case m.Kind == Duration && !b.under() && b.side == atMost:
		allowed, bad = 1-m.quantile(), s.Response.CountAbove(fromMilliseconds(b.limit))
	case m.Kind == Duration && b.side == atLeast:
		allowed, bad = m.quantile(), s.Response.CountBelow(fromMilliseconds(b.limit))
	default:
		return ""
	}
	n := float64(s.Requests())
	return fmt.Sprintf("%s, of %s; %s may", b.badRequests(float64(bad)), plainNumber(n), plainNumber(math.Floor(n*allowed+1e-9)))
}

func tooFew(n, least int64) string {
	return fmt.Sprintf("%s requests, at least %s needed", thousands(n), thousands(least))
}

// flagger is the metric's name in the sentences that Flagger has.
func (m *Metric) flagger() string {
	if m.Kind != Duration || strings.HasPrefix(m.Name, "latency-") {
		return m.String()
	}
	if m.quantile() != DefaultQuantile {
		return "request duration " + m.String()
	}
	return "request duration"
}

func (m *Metric) plain(value float64) string {
	return fmt.Sprintf("%s %s", m.flagger(), m.format(value, math.NaN()))
}

// relation is a comparison as Flagger writes it: "success rate 98.33% < 99%".
func (m *Metric) relation(value float64, relation string, limit float64) string {
	return fmt.Sprintf("%s %s %s %s", m.flagger(), m.format(value, limit), relation, m.format(limit, value))
}

func joinTexts(texts []string, otherwise string) string {
	if len(texts) == 0 {
		return otherwise
	}
	return strings.Join(texts, " and ")
}

// format writes a value as short as can be without making it look like other.
func (m *Metric) format(value, other float64) string {
	switch {
	case math.IsNaN(value):
		return "unknown"
	case m.isLatency():
		d := fromMilliseconds(value)
		if d >= measure.MaxLatency {
			return "60s or more"
		}
		if short := d.Round(precision(d)); milliseconds(short) != other {
			return short.String()
		}
		return d.String()
	case m.Kind == Throughput:
		return plainNumber(value) + "/s"
	}
	for digits := 2; digits < 6; digits++ {
		scale := math.Pow10(digits)
		if short := math.Round(value*scale) / scale; short != other && (short != 100 || value == 100) && (short != 0 || value == 0) {
			return strconv.FormatFloat(short, 'f', -1, 64) + "%"
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

func rounded(d time.Duration) time.Duration { return d.Round(precision(d)) }

// plainNumber writes at most three digits after the point.
func plainNumber(x float64) string {
	text := strconv.FormatFloat(math.Abs(x), 'f', 3, 64)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	whole, fraction, _ := strings.Cut(text, ".")
	n, _ := strconv.ParseInt(whole, 10, 64) // digits, by construction
	text = thousands(n)
	if fraction != "" {
		text += "." + fraction
	}
	if x < 0 && text != "0" {
		text = "-" + text
	}
	return text
}

// thousands writes 1,204.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
