package analysis

import (
	"math"

	"github.com/serin-dev/serin/measure"
)

// mean tests that the mean latency of the canary revision is within a limit, by
// the differences of seconds.
type mean struct {
	// allowed is the largest good mean for that of the primary revision,
	// tooMuch the least that is worth catching; of a fixed limit the slope
	// is 0.
	allowed, tooMuch line
	sign             float64 // -1 where less is worse

	requests, stepRequests float64
	primary                float64 // requests to it in the step
	current                second
	rollout, step          moments // of the excess over allowed, for certain
	suspects               moments // of the excess over tooMuch
	batches                dispersion
}

// line is the latency offset + slope·x, in milliseconds.
type line struct{ offset, slope float64 }

func (l line) of(x float64) float64 { return l.offset + l.slope*x }

// second sums up the latencies of one second, in milliseconds.
type second struct {
	id              int64
	primary, canary moments // n and sum alone
	lag             float64
}

func (m *mean) add(at int64, primary, canary *measure.Snapshot, _ *measure.Histogram) {
	if at != m.current.id {
		m.close()
		m.current.id = at
	}
	m.requests += float64(canary.Requests())
	m.stepRequests += float64(canary.Requests())
	m.primary += float64(primary.Requests())
	s := &m.current
	s.primary.n += float64(primary.Requests())
	s.primary.sum += total(&primary.Response)
	s.canary.n += float64(canary.Requests())
	s.canary.sum += total(&canary.Response)
	if canary.GeneratorLimited() {
		s.lag += total(&canary.Lag)
	}
}

// close turns a second that is over into a difference.
func (m *mean) close() {
	s := m.current
	m.current = second{}
	if s.canary.n == 0 || (s.primary.n == 0 && m.allowed.slope != 0) {
		return
	}
	var primary float64
	if s.primary.n > 0 {
		primary = s.primary.mean()
	}
	sure := m.sign * (s.canary.mean() - s.lag/s.canary.n - m.allowed.of(primary))
	m.rollout.add(sure)
	m.step.add(sure)
	m.suspects.add(m.sign * (s.canary.mean() - m.tooMuch.of(primary)))
	m.batches.add(s.id, sure, 1)
}

func (m *mean) next() {
	m.close()
	m.step, m.suspects, m.stepRequests = moments{}, moments{}, 0
	m.primary = 0
}

func (m *mean) against() (rollout, step float64) {
	noise := m.noise()
	return temper(m.rollout.logPositive(), noise), temper(m.step.logPositive(), noise)
}

func (m *mean) inFavour() float64 {
	return temper(m.suspects.negative().logPositive(), m.noise())
}

func (m *mean) noise() float64 { return m.batches.factor(m.rollout.variance(), 0) }

func (m *mean) primaryRequests() float64 {
	if m.allowed.slope == 0 {
		return math.Inf(1)
	}
	return m.primary
}

func (m *mean) counts() (rollout, step tally) {
	return tally{n: m.requests}, tally{n: m.stepRequests}
}

func (m *mean) changed(_, by float64) test {
	other := *m
	other.rollout, other.step, other.suspects = m.rollout.shifted(m.sign*by), m.step.shifted(m.sign*by), m.suspects.shifted(m.sign*by)
	return &other
}

// expected depends on how much latencies vary, which nobody knows beforehand.
func (m *mean) expected(_, _ float64) test { return nil }

// total is the sum of all latencies in milliseconds.
func total(h *measure.Histogram) float64 {
	return milliseconds(h.Mean()) * float64(h.Count())
}
