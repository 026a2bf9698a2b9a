package analysis

import (
	"math"

	"github.com/serin-dev/serin/measure"
)

// bound is one end of a metric's range, or its baseline, with the evidence for
// and against it.
type bound struct {
	metric *Metric
	side   side
	limit  float64 // in the metric's unit; 0 of a baseline
	test   test
}

// side says what a bound asks.
type side int

const (
	atLeast side = iota
	atMost
	likePrimary
)

// test gathers the evidence about one bound. All evidence is the logarithm of
// an e-process: its exponential exceeds 1/a with probability a at most while
// the hypothesis against which it speaks is true, however often one looks.
type test interface {
	// add takes what was measured in an interval that lies in one second.
	// before is the primary revision's response times up to that second.
	add(second int64, primary, canary *measure.Snapshot, before *measure.Histogram)
	// next begins a step.
	next()
	// against is the evidence that the bound is broken: what the whole
	// rollout says, and what the step alone does.
	against() (rollout, step float64)
	// inFavour is the evidence of the step that the revision is not as bad
	// as a regression that is worth catching.
	inFavour() float64
	// changed is the test as it were after so many more requests, and with so
	// many more bad ones to the canary revision, or its mean that many
	// milliseconds higher.
	changed(requests, by float64) test
	// expected is the test as it is expected to be after so many requests in
	// one step to a good revision (0), or to one with so many times more bad
	// requests than allowed. It is nil where that cannot be told beforehand.
	expected(requests, regression float64) test
	// counts are the canary revision's.
	counts() (rollout, step tally)
	// primaryRequests is the number of requests to the primary revision in the
	// step, and infinite where they do not matter.
	primaryRequests() float64
	// noise is the factor by which the counts vary more than independent ones.
	noise() float64
}

// temper divides what speaks for a decision by the noise of the counts, as
// quasi-likelihood does (R. Wedderburn, 1974). It never makes evidence out of
// none, so the error rate under independence holds whatever the factor is.
func temper(log, noise float64) float64 {
	if log > 0 {
		return log / noise
	}
	return log
}

// bounds are what a judge tests.
func (j *Judge) bounds() []*bound {
	var bounds []*bound
	for i := range j.Metrics {
		m := &j.Metrics[i]
		if m.Min != nil {
			bounds = append(bounds, &bound{m, atLeast, *m.Min, m.testMin(j, *m.Min)})
		}
		if m.Max != nil {
			bounds = append(bounds, &bound{m, atMost, *m.Max, m.testMax(j, *m.Max)})
		}
		if m.Baseline != nil {
			bounds = append(bounds, &bound{m, likePrimary, 0, m.testBaseline(j)})
		}
	}
	return bounds
}

// testMin tests that the metric is at least limit.
func (m *Metric) testMin(j *Judge, limit float64) test {
	switch m.Kind {
	case SuccessRate:
		return newProportion(1-limit/100, certain(failures))
	case Throughput:
		return newProportion(1-limit/j.Rate, certain(failures))
	case Duration:
		fastest := fromMilliseconds(limit)
		return newProportion(m.quantile(), certain(func(s *measure.Snapshot) int64 { return s.Response.CountBelow(fastest) }))
	case MeanDuration:
		return &mean{sign: -1, allowed: line{offset: limit}, tooMuch: line{offset: limit * (1 - meanRegression)}}
	default:
		return newProportion(1-limit/100, certain(not(m.bad())))
	}
}

// testMax tests that the metric is at most limit.
func (m *Metric) testMax(j *Judge, limit float64) test {
	switch m.Kind {
	case SuccessRate:
		return newProportion(limit/100, certain(not(failures)))
	case Throughput:
		return newProportion(limit/j.Rate, certain(not(failures)))
	case Duration:
		slowest := fromMilliseconds(limit)
		return newProportion(1-m.quantile(), func(s *measure.Snapshot) (sure, perhaps int64) {
			perhaps = s.Response.CountAbove(slowest)
			if excuse := excusable(s); excuse > 0 && perhaps > 0 {
				return s.Response.CountAbove(slowest + excuse), perhaps
			}
			return perhaps, perhaps
		})
	case MeanDuration:
		return &mean{sign: 1, allowed: line{offset: limit}, tooMuch: line{offset: limit * (1 + meanRegression)}}
	default:
		return newProportion(limit/100, certain(m.bad()))
	}
}

// meanRegression is the least change of a mean that is worth catching, beyond
// what is allowed.
const meanRegression = 0.25

// testBaseline tests that the canary revision is worse than the primary one by
// no more than the margin.
func (m *Metric) testBaseline(j *Judge) test {
	switch m.Kind {
	case Duration:
		// Of the requests to the primary revision, this many are slower.
		slow := 1 - m.quantile()
		limits := &tail{metric: m}
		return &comparison{
			count: limits.count, allowed: affine{0, 1}, tooMany: affine{twice(slow) - slow, 1},
			typical: slow, alike: m.slowerByMargin(slow),
		}
	case MeanDuration:
		allowed := line{slope: 1}
		if b := m.Baseline; b.Fraction != nil {
			allowed.slope += *b.Fraction
		} else {
			allowed.offset = *b.Delta
		}
		return &mean{sign: 1, allowed: allowed, tooMuch: line{allowed.offset, allowed.slope + meanRegression}}
	default:
		return m.testFailures(j)
	}
}

// testFailures is testBaseline for a metric that counts requests by outcome.
func (m *Metric) testFailures(j *Judge) test {
	bad := m.bad()
	allowed, margin := m.allowedFailures(j)
	return &comparison{
		count: func(_ int64, primary, canary *measure.Snapshot, _ *measure.Histogram) (sure, perhaps pair) {
			both := pair{tallied(primary.Requests(), bad(primary)), tallied(canary.Requests(), bad(canary))}
			return both, both
		},
		allowed: allowed,
		tooMany: affine{allowed.offset + max(margin, leastRegression), allowed.slope},
	}
}

// slowerByMargin is the fraction of requests to expect beyond a quantile with
// the margin, where slow are beyond the quantile: that of an exponential
// distribution, as good a guess as any for a plan.
func (m *Metric) slowerByMargin(slow float64) float64 {
	if m.Baseline.Fraction == nil {
		return slow
	}
	return math.Pow(slow, 1+*m.Baseline.Fraction)
}

// allowedFailures is the largest fraction of bad requests that is good for that
// of the primary revision, and the margin in it that does not depend on the
// latter.
func (m *Metric) allowedFailures(j *Judge) (allowed affine, margin float64) {
	b := m.Baseline
	switch {
	case b.Fraction != nil && m.lessIsWorse():
		// Of good ones, 1-p, there must be (1-d) times the primary's.
		margin = *b.Fraction
		return affine{margin, 1 - margin}, margin
	case b.Fraction != nil:
		return affine{0, 1 + *b.Fraction}, 0
	case m.Kind == Throughput:
		margin = *b.Delta / j.Rate
	default:
		margin = *b.Delta / 100
	}
	return affine{margin, 1}, margin
}

// bad counts what is bad about a metric of which more is worse, or of which
// less success is.
func (m *Metric) bad() func(*measure.Snapshot) int64 {
	if m.Kind == OutcomeRate {
		return func(s *measure.Snapshot) int64 { return s.Outcomes[m.Outcome] }
	}
	return failures
}

func failures(s *measure.Snapshot) int64 { return s.Failures }

func not(count func(*measure.Snapshot) int64) func(*measure.Snapshot) int64 {
	return func(s *measure.Snapshot) int64 { return s.Requests() - count(s) }
}

// certain is a count that the load generator's lag cannot change.
func certain(count func(*measure.Snapshot) int64) func(*measure.Snapshot) (sure, perhaps int64) {
	return func(s *measure.Snapshot) (sure, perhaps int64) {
		n := count(s)
		return n, n
	}
}
