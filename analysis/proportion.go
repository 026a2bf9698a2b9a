package analysis

import (
	"math"

	"github.com/serin-dev/serin/measure"
)

// tally counts requests and those of them that count against a revision. The
// numbers are whole but where a plan asks what to expect.
type tally struct{ n, bad float64 }

func tallied(n, bad int64) tally { return tally{float64(n), float64(bad)} }

func (t *tally) add(other tally) {
	t.n += other.n
	t.bad += other.bad
}

// rate is the fraction of bad ones, and 0 of none.
func (t tally) rate() float64 {
	if t.n == 0 {
		return 0
	}
	return t.bad / t.n
}

// variance is that of one request.
func (t tally) variance() float64 { return t.rate() * (1 - t.rate()) }

// proportion tests that at most a fraction of the requests is bad.
type proportion struct {
	// count returns the requests that are bad for certain, and those that may
	// be: it differs by what the generator's own lag explains.
	count func(*measure.Snapshot) (sure, perhaps int64)
	// allowed is the largest good fraction, tooMany the least that is worth
	// catching.
	allowed, tooMany float64

	rollout, step, suspects tally
	batches                 dispersion
	frozen                  float64 // noise of a changed test; 0 of a real one
}

// newProportion allows a fraction of the requests to be bad. Worth catching is
// twice that, counted in odds, so that it stays below 1.
func newProportion(allowed float64, count func(*measure.Snapshot) (sure, perhaps int64)) *proportion {
	allowed = min(max(allowed, 0), 1)
	tooMany := leastRegression
	if allowed > 0 {
		tooMany = twice(allowed)
	}
	return &proportion{count: count, allowed: allowed, tooMany: tooMany}
}

// twice is the proportion with twice the odds.
func twice(p float64) float64 { return 2 * p / (1 + p) }

// leastRegression is the least fraction of bad requests that is worth
// catching where none are allowed, or no more than the primary revision's.
const leastRegression = 0.01

func (p *proportion) add(second int64, _, canary *measure.Snapshot, _ *measure.Histogram) {
	n := canary.Requests()
	sure, perhaps := p.count(canary)
	p.rollout.add(tallied(n, sure))
	p.step.add(tallied(n, sure))
	p.suspects.add(tallied(n, perhaps))
	p.batches.add(second, float64(sure), float64(n))
}

func (p *proportion) next() { p.step, p.suspects = tally{}, tally{} }

func (p *proportion) against() (rollout, step float64) {
	noise := p.noise()
	return temper(worse.log(p.rollout, p.allowed), noise), temper(worse.log(p.step, p.allowed), noise)
}

func (p *proportion) inFavour() float64 {
	if p.allowed >= 1 {
		return math.Inf(1)
	}
	return temper(better.log(p.suspects, p.tooMany), p.noise())
}

func (p *proportion) noise() float64 {
	if p.frozen > 0 {
		return p.frozen
	}
	return p.batches.factorOfCounts(p.rollout.variance())
}

func (p *proportion) primaryRequests() float64 { return math.Inf(1) }

func (p *proportion) counts() (rollout, step tally) { return p.rollout, p.step }

func (p *proportion) changed(requests, by float64) test {
	c := *p
	c.frozen = p.noise() // nobody knows in which seconds the change would be
	for _, t := range []*tally{&c.rollout, &c.step, &c.suspects} {
		t.change(requests, by)
	}
	return &c
}

// change never takes more away than there is.
func (t *tally) change(requests, bad float64) {
	t.n += requests
	t.bad = max(t.bad+bad, 0)
}

// typicallyGood is the part of the allowed fraction that a good revision is
// expected to use up.
const typicallyGood = 0.5

func (p *proportion) expected(requests, regression float64) test {
	if regression == 0 {
		return p.changed(requests, requests*p.allowed*typicallyGood)
	}
	return p.changed(requests, requests*min(regression*max(p.allowed, leastRegression/2), 1))
}
