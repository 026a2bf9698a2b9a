package analysis

import (
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"

	"github.com/serin-dev/serin/measure"
)

// confidence is that of the intervals in sentences. They are of a fixed number
// of requests and show how much is known; no decision is made from them.
const confidence = 0.95

// clopperPearson is the exact interval of a proportion (C. Clopper, E. Pearson,
// 1934). Counts that vary more than independent ones are divided by that noise.
func clopperPearson(t tally, noise float64) (low, high float64) {
	n, bad := t.n/noise, t.bad/noise
	high = 1
	if bad > 0 {
		low = mathext.InvRegIncBeta(bad, n-bad+1, (1-confidence)/2)
	}
	if bad < n {
		high = mathext.InvRegIncBeta(bad+1, n-bad, (1+confidence)/2)
	}
	return low, high
}

// interval is the confidence interval of the metric's value, NaN at an end that
// is not known.
func (m *Metric) interval(s *measure.Snapshot, elapsed time.Duration, noise float64) (low, high float64) {
	switch m.Kind {
	case SuccessRate, ErrorRate, OutcomeRate:
		low, high = clopperPearson(m.percentage(s), noise)
		return 100 * low, 100 * high
	case Duration:
		return m.quantileInterval(&s.Response, noise)
	case MeanDuration:
		return meanInterval(&s.Response, noise)
	case Throughput:
		// The rate is that of the schedule; what is uncertain is the success.
		n := s.Requests()
		low, high = clopperPearson(tallied(n, n-s.Failures), noise)
		offered := m.value(s, elapsed) / max(float64(n-s.Failures), 1) * float64(n)
		return low * offered, high * offered
	}
	return math.NaN(), math.NaN()
}

// percentage counts what a metric in percent is the percentage of.
func (m *Metric) percentage(s *measure.Snapshot) tally {
	n := s.Requests()
	switch m.Kind {
	case SuccessRate:
		return tallied(n, n-s.Failures)
	case OutcomeRate:
		return tallied(n, s.Outcomes[m.Outcome])
	default:
		return tallied(n, s.Failures)
	}
}

// quantileInterval is between order statistics (H. David, H. Nagaraja, "Order
// Statistics", 2003, §7.1): the number of values below the true quantile is
// binomial. Its upper end is not known while no value need be above it.
func (m *Metric) quantileInterval(h *measure.Histogram, noise float64) (low, high float64) {
	n := float64(h.Count())
	below := m.quantile() * n
	from, to := clopperPearson(tally{n, below}, noise)
	low, high = milliseconds(h.Quantile(from)), milliseconds(h.Quantile(to))
	if n-below < noise {
		high = math.NaN()
	}
	return low, high
}

// meanInterval is the normal one.
func meanInterval(h *measure.Histogram, noise float64) (low, high float64) {
	var all moments
	for latency, count := range h.Counts() {
		x, n := milliseconds(latency), float64(count)
		all.n += n
		all.sum += n * x
		all.squares += n * x * x
	}
	if all.n < 2 {
		return math.NaN(), math.NaN()
	}
	half := 1.96 * math.Sqrt(all.variance()/all.n*noise)
	return max(all.mean()-half, 0), all.mean() + half
}
