package main

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// Permeability constants of the human chorioamnion at term and before
// (M. Hollander, D. Wolfe, "Nonparametric Statistical Methods", 1973, p. 69):
// W is 35, and the estimate of the shift 0.305.
func TestRankSumOfTheTextbook(t *testing.T) {
	term := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	before := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	slices.Sort(term)
	slices.Sort(before)
	want := (35 - 25 - 0.5) / math.Sqrt(10*5*16./12)
	if got := rankSum(term, before, 0); math.Abs(got-want) > 1e-12 {
		t.Errorf("standardized rank sum %g, want %g", got, want)
	}
	if got := locationShift(term, before, 0); math.Abs(got-0.305) > 0.005 {
		t.Errorf("shift %g, want 0.305", got)
	}
	if low := locationShift(term, before, kayentaZ); low >= 0 || rankSum(term, before, low-1e-6) < kayentaZ {
		t.Errorf("lower end %g", low)
	}
}

// By hand: of {1,1,2} and {1,2,2} the rank sum of the first is 2.5+2.5+5, so U
// is 3, and there are two groups of three that tie.
func TestRankSumWithTies(t *testing.T) {
	want := (3 - 4.5 + 0.5) / math.Sqrt(9./12*(7-48./30))
	if got := rankSum([]float64{1, 1, 2}, []float64{1, 2, 2}, 0); math.Abs(got-want) > 1e-12 {
		t.Errorf("standardized rank sum %g, want %g", got, want)
	}
}

func TestHigh(t *testing.T) {
	low, raised := make([]float64, 30), make([]float64, 30)
	for i := range low {
		low[i], raised[i] = float64(i%7), float64(i%7)+3
	}
	constant := slices.Repeat([]float64{0}, 30)
	for name, tc := range map[string]struct {
		experiment, control []float64
		want                bool
	}{
		"the same":          {low, low, false},
		"higher":            {raised, low, true},
		"lower":             {low, raised, false},
		"one is constant":   {low, constant, true},
		"both are constant": {slices.Repeat([]float64{1}, 30), constant, true},
	} {
		if got := high(tc.experiment, tc.control); got != tc.want {
			t.Errorf("%s: high is %v", name, got)
		}
	}
}

// The noise is what it says, on average.
func TestBurstsHaveTheirMean(t *testing.T) {
	const n = 1_000_000
	next := bursts(0.02, 0.5, time.Second)(newRandom(1, 1), 10)
	failed := 0
	for range n {
		if next() {
			failed++
		}
	}
	if rate := float64(failed) / n; math.Abs(rate-0.02) > 0.002 {
		t.Errorf("%g of the requests fail, want 0.02", rate)
	}
}

func TestWaldsBound(t *testing.T) {
	if got := sprt(0.01, 0.05, 0.01, 0.9); math.Abs(got-92.5) > 0.05 {
		t.Errorf("%g requests, want 92.5", got)
	}
}

// None of 300 is compatible with 1 %, of 299 just is.
func TestUpperBound(t *testing.T) {
	if got := upperBound(0, 299); math.Abs(got-(1-math.Pow(0.05, 1./299))) > 1e-12 {
		t.Errorf("upper bound %g", got)
	}
	if upperBound(5, 5) != 1 {
		t.Error("all of five have a bound below 1")
	}
}

// The same seed prints the same, but for the cost of a look.
func TestRunsAreReproducible(t *testing.T) {
	once := func() string {
		var out bytes.Buffer
		b := &bench{out: &out, rollouts: 100, seed: 3}
		b.falseRollbacks("", 1, both("", good), guide)
		b.wald(50, "", alone)
		return out.String()
	}
	if a, b := once(), once(); a != b || !strings.Contains(a, "median") {
		t.Errorf("first\n%s, then\n%s", a, b)
	}
}
