package loadgen

import (
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// first collects the first n starts, or all that there are.
func first(s Schedule, n int) []time.Duration {
	var starts []time.Duration
	for at := range s {
		if len(starts) == n {
			break
		}
		starts = append(starts, at)
	}
	return starts
}

const ms = time.Millisecond

func TestSchedules(t *testing.T) {
	for _, tc := range []struct {
		name     string
		schedule Schedule
		want     []time.Duration // all, or the first six
	}{
		{"constant", ConstantRate(4), []time.Duration{0, 250 * ms, 500 * ms, 750 * ms, 1000 * ms, 1250 * ms}},
		{"less than one a second", ConstantRate(0.5), []time.Duration{0, 2000 * ms, 4000 * ms, 6000 * ms, 8000 * ms, 10000 * ms}},
		{"as good as never", ConstantRate(1e-30), []time.Duration{0, never, never, never, never, never}},
		{"as good as never, later", ConstantRate(1).until(time.Second).Then(time.Second, ConstantRate(1e-30)), []time.Duration{0, time.Second, time.Second + never, time.Second + never, time.Second + never, time.Second + never}},
		// From 0 to 2/s in 2s: n(t) = t²/2, so request n starts at √(2n).
		{"ramp up", Ramp(0, 2, 2*time.Second), []time.Duration{0, 1414213562}},
		// n(t) = 4t - t², so request n starts at 2-√(4-n), and the fifth never.
		{"ramp down", Ramp(4, 0, 2*time.Second), []time.Duration{0, 267949192, 585786437, 1000 * ms}},
		{"level ramp", Ramp(2, 2, 2*time.Second), []time.Duration{0, 500 * ms, 1000 * ms, 1500 * ms}},
		{"steps", Steps(Step{2, time.Second}, Step{0, time.Second}, Step{4, 500 * ms}), []time.Duration{0, 500 * ms, 2000 * ms, 2250 * ms}},
		{"a step shorter than its gap", Steps(Step{1, 100 * ms}, Step{1, 100 * ms}), []time.Duration{0, 100 * ms}},
		{"no steps", Steps(), nil},
		{"one after the other", Ramp(0, 2, 2*time.Second).Then(2*time.Second, ConstantRate(2)), []time.Duration{0, 1414213562, 2000 * ms, 2500 * ms, 3000 * ms, 3500 * ms}},
	} {
		got := first(tc.schedule, 6)
		same := slices.EqualFunc(got, tc.want, func(a, b time.Duration) bool { return (a - b).Abs() <= 1 })
		if !same {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
		if again := first(tc.schedule, 6); !slices.Equal(got, again) {
			t.Errorf("%s: the second time %v, the first %v", tc.name, again, got)
		}
	}
}

// A schedule that is long at a high rate does not drift.
func TestConstantRateDoesNotDrift(t *testing.T) {
	n := 0
	for at := range ConstantRate(3000) {
		if n++; n == 3_000_001 {
			if off := (at - 1000*time.Second).Abs(); off > time.Nanosecond {
				t.Errorf("request 3,000,000 is %v off", off)
			}
			return
		}
	}
}

func TestRampHoldsAsManyRequestsAsItsMeanRateSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Float64Range(0, 500).Draw(t, "from")
		to := rapid.Float64Range(0, 500).Draw(t, "to")
		seconds := rapid.Float64Range(0.1, 10).Draw(t, "seconds")
		if from+to == 0 {
			return
		}
		starts := first(Ramp(from, to, time.Duration(seconds*float64(time.Second))), 100_000)
		if want := (from + to) / 2 * seconds; math.Abs(float64(len(starts))-want) > 1.001 {
			t.Fatalf("%d requests, want %g", len(starts), want)
		}
		if !slices.IsSorted(starts) {
			t.Fatal("starts go back")
		}
	})
}

// Gaps of a Poisson process are exponentially distributed: mean and standard
// deviation are both 1/rate. With 100,000 gaps the standard error of the mean
// is 0.3 %, that of the deviation 0.7 %: five of them are allowed, and seeds
// are fixed.
func TestPoissonArrivals(t *testing.T) {
	const rate, n = 50.0, 100_000
	for _, seed := range []uint64{1, 2, 3} {
		var sum, squares float64
		last := time.Duration(0)
		for _, at := range first(Poisson(rate, seed), n) {
			gap := (at - last).Seconds() * rate
			sum, squares, last = sum+gap, squares+gap*gap, at
		}
		mean := sum / n
		deviation := math.Sqrt(squares/n - mean*mean)
		if math.Abs(mean-1) > 0.016 || math.Abs(deviation-1) > 0.035 {
			t.Errorf("seed %d: gaps have mean %g and deviation %g of 1/rate, want 1 and 1", seed, mean, deviation)
		}
	}
	if slices.Equal(first(Poisson(rate, 1), 10), first(Poisson(rate, 2), 10)) {
		t.Error("two seeds give the same arrivals")
	}
	if !slices.Equal(first(Poisson(rate, 1), 10), first(Poisson(rate, 1), 10)) {
		t.Error("one seed gives different arrivals")
	}
}

// Starts are never moved forward, by less than a tick back, and the moments at
// which requests start are a tick apart.
func TestTicks(t *testing.T) {
	got := first(ticks(ConstantRate(2000)), 6) // every 500 µs
	if want := []time.Duration{0, tick, tick, 2 * tick, 2 * tick, 3 * tick}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	exact := first(ConstantRate(1000), 1000)
	if !slices.Equal(first(ticks(ConstantRate(1000)), 1000), exact) {
		t.Error("a schedule with longer gaps was changed")
	}
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(1, 50_000).Draw(t, "rate")
		schedule := Poisson(rate, rapid.Uint64().Draw(t, "seed"))
		next, stop := iter.Pull(iter.Seq[time.Duration](schedule))
		defer stop()
		last := -tick
		for _, at := range first(ticks(schedule), 1000) {
			asked, _ := next()
			if at < asked || at-asked >= tick {
				t.Fatalf("start at %v was moved to %v", asked, at)
			}
			if at != last && at < last+tick {
				t.Fatalf("starts at %v and %v", last, at)
			}
			last = at
		}
	})
}

func TestValidateRate(t *testing.T) {
	for rate, ok := range map[float64]bool{0.001: true, MaxRate: true, 0: false, -1: false, MaxRate + 1: false, math.NaN(): false, math.Inf(1): false} {
		if err := ValidateRate(rate); (err == nil) != ok {
			t.Errorf("rate %g: %v", rate, err)
		}
	}
}
