package analysis

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

var margins = []affine{{0, 1}, {0, 1.1}, {0.05, 1}, {0.01, 0.99}, {0, 3}}

// All outcomes of a few requests to both revisions are enumerated: while the
// canary revision is no worse than allowed, the mean evidence is at most 1.
func TestComparisonsHaveMeanOneAtMost(t *testing.T) {
	for _, limit := range margins {
		for _, p := range []float64{0, 0.02, 0.2, 0.5, 0.9, 1} {
			for _, q := range []float64{limit.of(p), limit.of(p) / 2, limit.of(p) + (1-limit.of(p))/2} {
				above, below := 0.0, 0.0
				const n = 9
				for k := range n + 1 {
					for l := range n + 1 {
						c := pair{tallied(n, int64(k)), tallied(n, int64(l))}
						probability := binomial(n, k, p) * binomial(n, l, q)
						if probability == 0 || math.IsNaN(probability) {
							continue
						}
						above += probability * math.Exp(c.logAbove(limit, 0.01))
						below += probability * math.Exp(c.logBelow(limit, 0.3))
					}
				}
				if q <= limit.of(p) && above > 1+1e-9 {
					t.Errorf("p %g, q %g <= %v: mean evidence against that is %g", p, q, limit, above)
				}
				if q >= limit.of(p) && below > 1+1e-9 {
					t.Errorf("p %g, q %g >= %v: mean evidence against that is %g", p, q, limit, below)
				}
			}
		}
	}
}

// The likelihood on the border is found by thirds; here by trying everything.
func TestBorderLikelihoodIsTheLargest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) tally {
			n := rapid.Int64Range(0, 500).Draw(t, name)
			return tallied(n, rapid.Int64Range(0, n).Draw(t, name+" bad"))
		}
		p := pair{draw("primary"), draw("canary")}
		limit := rapid.SampledFrom(margins).Draw(t, "limit")
		best := math.Inf(-1)
		for i := range 2001 {
			theta := float64(i) / 2000
			best = max(best, logLikelihood(p.primary, theta)+logLikelihood(p.canary, limit.of(theta)))
		}
		if got := p.borderLikelihood(limit); got < best-1e-6 {
			t.Fatalf("%+v, %v: %g, but %g is possible", p, limit, got, best)
		}
	})
}

func TestWorseCanaryIsMoreEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 2000).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "primary")
		l := rapid.Int64Range(0, n-1).Draw(t, "canary")
		limit := rapid.SampledFrom(margins).Draw(t, "limit")
		at := func(l int64) pair { return pair{tallied(n, k), tallied(n, l)} }
		// Only where there is evidence at all: next to nothing both are small.
		// With a margin of 200 % the last good one of all may be worth 0.25 less to
		// the mixture than to the border.
		if a, b := at(l).logAbove(limit, 0.01), at(l+1).logAbove(limit, 0.01); a > 0 && b < a-0.25 {
			t.Fatalf("one more bad one takes the evidence against from %g to %g", a, b)
		}
		if a, b := at(l).logBelow(limit, 0.3), at(l+1).logBelow(limit, 0.3); b > 0 && b > a+0.25 {
			t.Fatalf("one more bad one takes the evidence in favour from %g to %g", a, b)
		}
	})
}
