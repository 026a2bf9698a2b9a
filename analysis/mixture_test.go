package analysis

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// binomial is the probability of k of n.
func binomial(n, k int, p float64) float64 {
	return math.Exp(lchoose(n, k) + logLikelihood(tallied(int64(n), int64(k)), p))
}

func lchoose(n, k int) float64 {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return lg(n) - lg(k) - lg(n-k)
}

// Of every number of requests up to twelve, all outcomes are enumerated: the
// evidence against a limit has expectation 1 at the limit, and no more on the
// good side of it.
func TestMixturesHaveMeanOneAtTheLimit(t *testing.T) {
	for name, m := range map[string]mixture{"worse": worse, "better": better} {
		for _, limit := range []float64{0.001, 0.01, 0.1, 0.5, 0.9} {
			for n := range 13 {
				mean := func(p float64) (sum float64) {
					for k := range n + 1 {
						sum += binomial(n, k, p) * math.Exp(m.log(tallied(int64(n), int64(k)), limit))
					}
					return sum
				}
				if got := mean(limit); math.Abs(got-1) > 1e-9 {
					t.Errorf("%s: mean evidence of %d requests at the limit %g is %.12f, want 1", name, n, limit, got)
				}
				good := limit / 3
				if name == "better" {
					good = limit + (1-limit)/3
				}
				if got := mean(good); n > 0 && got >= 1 {
					t.Errorf("%s: mean evidence of %d requests at %g against the limit %g is %g, want less than 1", name, n, good, limit, got)
				}
			}
		}
	}
}

// Looked at after every one of 300 requests, the evidence reaches 1/a with
// probability a at most: the exact probability, by going through all paths.
func TestEvidenceIsAnytimeValid(t *testing.T) {
	for _, tc := range []struct {
		m        mixture
		limit, a float64
	}{
		{worse, 0.01, 0.01}, {worse, 0.01, 0.1}, {worse, 0.3, 0.05}, {worse, 0.5, 0.01},
		{better, 0.02, 0.1}, {better, 0.3, 0.05},
	} {
		crossed := 0.0
		paths := []float64{1} // probability of k bad ones so far without having crossed
		for n := int64(1); n <= 300; n++ {
			next := make([]float64, n+1)
			for k, p := range paths {
				next[k] += p * (1 - tc.limit)
				next[k+1] += p * tc.limit
			}
			for k := range next {
				if next[k] > 0 && tc.m.log(tallied(n, int64(k)), tc.limit) >= -math.Log(tc.a) {
					crossed += next[k]
					next[k] = 0
				}
			}
			paths = next
		}
		if crossed > tc.a || crossed < tc.a/50 {
			t.Errorf("limit %g: 1/%g is reached with probability %g, want at most %g and some of it", tc.limit, tc.a, crossed, tc.a)
		}
	}
}

func TestLimitsOfNothingAndEverything(t *testing.T) {
	for _, tc := range []struct {
		m     mixture
		limit float64
		t     tally
		want  float64
	}{
		{worse, 0, tally{10, 0}, 0},
		{worse, 0, tally{10, 1}, math.Inf(1)}, // none is allowed, and there is one
		{worse, 1, tally{10, 10}, 0},
		{better, 1, tally{10, 10}, 0},
		{better, 1, tally{10, 9}, math.Inf(1)},
		{worse, 0.5, tally{}, 0},
	} {
		if got := tc.m.log(tc.t, tc.limit); math.Abs(got-tc.want) > 1e-12 && got != tc.want {
			t.Errorf("%v against the limit %g: %g, want %g", tc.t, tc.limit, got, tc.want)
		}
	}
}

func TestMoreBadRequestsAreMoreEvidence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 100_000).Draw(t, "n")
		k := rapid.Int64Range(0, n-1).Draw(t, "bad")
		limit := rapid.Float64Range(0, 1).Draw(t, "limit")
		if a, b := worse.log(tallied(n, k), limit), worse.log(tallied(n, k+1), limit); b < a {
			t.Fatalf("one more bad one takes the evidence against from %g to %g", a, b)
		}
		if a, b := better.log(tallied(n, k), limit), better.log(tallied(n, k+1), limit); b > a {
			t.Fatalf("one more bad one takes the evidence in favour from %g to %g", a, b)
		}
	})
}

func TestWeightsAddUpToOne(t *testing.T) {
	for _, m := range []mixture{worse, better} {
		sum := 0.0
		for _, a := range m {
			sum += a.weight
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("weights %v add up to %g", m, sum)
		}
	}
}

func TestLogSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := rapid.SliceOf(rapid.Float64Range(-30, 30)).Draw(t, "terms")
		sum, want := logSum{max: math.Inf(-1)}, 0.0
		for _, x := range terms {
			sum.add(x)
			want += math.Exp(x)
		}
		if got := sum.log(); math.Abs(got-math.Log(want)) > 1e-9 && got != math.Log(want) {
			t.Fatalf("log of the sum %g, want %g", got, math.Log(want))
		}
	})
}
