package analysis

import (
	"time"

	"github.com/serin-dev/serin/measure"
)

// comparison tests that at most as many requests to the canary revision are
// bad as to the primary one, but for a margin.
type comparison struct {
	// count returns what is bad for certain, and what may be: the canary
	// revision's differ by what the generator's own lag explains.
	count func(second int64, primary, canary *measure.Snapshot, before *measure.Histogram) (sure, perhaps pair)
	// allowed is the largest good fraction for that of the primary revision,
	// tooMany the least that is worth catching.
	allowed, tooMany affine
	// typical is the fraction of bad requests to expect of a primary revision,
	// alike that of a canary revision which is no different.
	typical, alike float64

	rollout, step, suspects pair
	batches                 dispersion
	frozen                  float64 // noise of a changed test; 0 of a real one
}

func (c *comparison) add(second int64, primary, canary *measure.Snapshot, before *measure.Histogram) {
	sure, perhaps := c.count(second, primary, canary, before)
	c.rollout.add(sure)
	c.step.add(sure)
	c.suspects.add(perhaps)
	// What both revisions suffer in the same second is no noise here.
	c.batches.add(second, sure.canary.bad-sure.primary.bad, (sure.primary.n+sure.canary.n)/2)
}

func (c *comparison) next() { c.step, c.suspects = pair{}, pair{} }

func (c *comparison) against() (rollout, step float64) {
	noise := c.noise()
	return temper(c.rollout.logAbove(c.allowed, c.typical), noise), temper(c.step.logAbove(c.allowed, c.typical), noise)
}

func (c *comparison) inFavour() float64 {
	return temper(c.suspects.logBelow(c.tooMany, c.typical), c.noise())
}

func (c *comparison) noise() float64 {
	if c.frozen > 0 {
		return c.frozen
	}
	return c.batches.factorOfCounts(c.rollout.primary.variance() + c.rollout.canary.variance())
}

func (c *comparison) primaryRequests() float64 { return c.step.primary.n }

func (c *comparison) counts() (rollout, step tally) { return c.rollout.canary, c.step.canary }

func (c *comparison) changed(requests, by float64) test {
	other := *c
	other.frozen = c.noise()
	for _, p := range []*pair{&other.rollout, &other.step, &other.suspects} {
		p.primary.change(requests, requests*c.typical)
		p.canary.change(requests, by)
	}
	return &other
}

func (c *comparison) expected(requests, regression float64) test {
	bad := c.alike
	if regression > 0 {
		bad = min(regression*max(c.allowed.of(c.typical), leastRegression/2), 1)
	}
	return c.changed(requests, requests*bad)
}

// tail counts the requests that are slower than the primary revision's
// quantile, for the canary revision with the baseline's margin. The quantile is
// that of the seconds before, so that it does not depend on the requests that it
// is applied to; that it moves with the primary revision's latency is the point.
type tail struct {
	metric          *Metric
	second          int64
	begun           bool
	primary, canary time.Duration // hold for that second; 0 while nothing is known
}

func (t *tail) count(second int64, primary, canary *measure.Snapshot, before *measure.Histogram) (sure, perhaps pair) {
	if !t.begun || second != t.second {
		t.begun, t.second = true, second
		t.primary = before.Quantile(t.metric.quantile())
		t.canary = fromMilliseconds(t.metric.baselineLimit(milliseconds(t.primary)))
	}
	if t.primary == 0 {
		return pair{}, pair{}
	}
	slow := tallied(primary.Requests(), primary.Response.CountAbove(t.primary))
	n := canary.Requests()
	sure = pair{slow, tallied(n, canary.Response.CountAbove(t.canary+excusable(canary)))}
	perhaps = pair{slow, tallied(n, canary.Response.CountAbove(t.canary))}
	return sure, perhaps
}

// excusable is the time by which responses may be late for the generator's own
// lag. It is 0 unless the lag matters.
func excusable(s *measure.Snapshot) time.Duration {
	if !s.GeneratorLimited() {
		return 0
	}
	return s.Lag.Max()
}
