package analysis

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// noise is the factor of counts of requests a second, of which bad says how
// many are bad.
func noiseOf(seconds, requests int, bad func(second int) int) float64 {
	var d dispersion
	var all tally
	for s := range seconds {
		k := bad(s)
		d.add(int64(s), float64(k), float64(requests))
		all.add(tallied(int64(requests), int64(k)))
	}
	return d.factorOfCounts(all.variance())
}

func TestIndependentRequestsAreHardlyNoisy(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sum, most := 0.0, 0.0
	const runs = 500
	for range runs {
		noise := noiseOf(60, 10, func(int) (k int) {
			for range 10 {
				if r.Float64() < 0.03 {
					k++
				}
			}
			return k
		})
		sum += noise
		most = max(most, noise)
	}
	if mean := sum / runs; mean > 1.1 || most > 5 {
		t.Errorf("mean noise %g, at most %g", mean, most)
	}
}

// A burst that fails everything for so long is as many failures as one.
func TestBurstsAreNoisy(t *testing.T) {
	for _, tc := range []struct {
		seconds     int
		least, most float64
	}{{1, 8, 11}, {2, 16, 22}, {4, 32, 44}, {8, 60, 90}} {
		noise := noiseOf(60, 10, func(s int) int {
			if s >= 24 && s < 24+tc.seconds {
				return 10
			}
			return 0
		})
		if noise < tc.least || noise > tc.most {
			t.Errorf("a burst of %d s has noise %.1f, want %g to %g", tc.seconds, noise, tc.least, tc.most)
		}
	}
}

func TestTheSameInEverySecondIsNoNoise(t *testing.T) {
	for _, k := range []int{0, 3, 10} {
		if noise := noiseOf(100, 10, func(int) int { return k }); noise != 1 {
			t.Errorf("%d of 10 in every second: noise %g", k, noise)
		}
	}
}

// A burst is seen while its second is not over.
func TestOpenBatchCounts(t *testing.T) {
	noise := noiseOf(5, 10, func(s int) int {
		if s == 4 {
			return 10
		}
		return 0
	})
	if noise < 5 {
		t.Errorf("noise %g in the second of the burst", noise)
	}
}

func TestNoiseDoesNotDependOnTheCutsWithinASecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var whole, cut dispersion
		var all tally
		for s := range rapid.IntRange(1, 40).Draw(t, "seconds") {
			var k, n int64
			for range rapid.IntRange(1, 4).Draw(t, "parts") {
				requests := rapid.Int64Range(0, 20).Draw(t, "requests")
				bad := rapid.Int64Range(0, requests).Draw(t, "bad")
				cut.add(int64(s), float64(bad), float64(requests))
				n += requests
				k += bad
			}
			whole.add(int64(s), float64(k), float64(n))
			all.add(tallied(n, k))
		}
		if a, b := whole.factorOfCounts(all.variance()), cut.factorOfCounts(all.variance()); a != b {
			t.Fatalf("noise %g, cut otherwise %g", a, b)
		}
	})
}
