package loadgen

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// Schedule holds the intended starts of all requests, in order, as offsets
// from the start of the run. Iterating it again gives the same starts again.
type Schedule iter.Seq[time.Duration]

// MaxRate is the highest rate of a schedule, in requests a second.
const MaxRate = 1_000_000

// ConstantRate spaces requests evenly: request n, counted from 0, starts at
// n/perSecond. It does not end. perSecond must be positive.
func ConstantRate(perSecond float64) Schedule { return steady(perSecond) }

// Ramp changes the rate linearly from one to another within d, which must be
// positive, and ends. A rate may be 0, but not both.
//
// At time t the rate is a+(b-a)t/d, so until then n(t) = at + (b-a)t²/2d
// requests have started. Request n starts at the t where n(t) = n.
func Ramp(from, to float64, d time.Duration) Schedule {
	return func(yield func(time.Duration) bool) {
		seconds := d.Seconds()
		slope := (to - from) / seconds
		for n := 0.0; ; n++ {
			// 2n/(a+√(a²+2n·slope)) is the positive solution in a form
			// that also holds where slope is 0.
			inner := from*from + 2*n*slope
			if inner < 0 {
				return // a falling rate never reaches n
			}
			at := 0.0
			if n > 0 {
				at = 2 * n / (from + math.Sqrt(inner))
			}
			if !(at < seconds) || !yield(offset(at)) {
				return
			}
		}
	}
}

// Step is a constant rate, held for some time.
type Step struct {
	Rate     float64 // requests a second; 0 is a pause
	Duration time.Duration
}

// Steps holds one constant rate after the other and ends with the last.
func Steps(steps ...Step) Schedule {
	return func(yield func(time.Duration) bool) {
		var begin time.Duration
		for _, s := range steps {
			for at := range steady(s.Rate).until(s.Duration) {
				if !yield(begin + at) {
					return
				}
			}
			begin += s.Duration
		}
	}
}

// Then holds s until d, and goes on with next as if that began there. d must
// not be before the last start of s.
func (s Schedule) Then(d time.Duration, next Schedule) Schedule {
	return func(yield func(time.Duration) bool) {
		for at := range s.until(d) {
			if !yield(at) {
				return
			}
		}
		for at := range next {
			if !yield(d + at) {
				return
			}
		}
	}
}

// until ends s before d; 0 is no end.
func (s Schedule) until(d time.Duration) Schedule {
	if d == 0 {
		return s
	}
	return func(yield func(time.Duration) bool) {
		for at := range s {
			if at >= d || !yield(at) {
				return
			}
		}
	}
}

// steady is a constant rate without end, and nothing where that is 0.
func steady(perSecond float64) Schedule {
	return func(yield func(time.Duration) bool) {
		for n := 0.0; perSecond > 0; n++ {
			if !yield(offset(n / perSecond)) {
				return
			}
		}
	}
}

// Poisson has requests arrive independently of each other, as those of many
// users do: the gaps are exponentially distributed with mean 1/perSecond. The
// same seed gives the same arrivals. It does not end. perSecond must be
// positive.
func Poisson(perSecond float64, seed uint64) Schedule {
	return func(yield func(time.Duration) bool) {
		random := rand.New(rand.NewPCG(seed, 0))
		for at := 0.0; ; {
			at += random.ExpFloat64() / perSecond
			if !yield(offset(at)) {
				return
			}
		}
	}
}

// never is later than any run lasts. Offsets go no further, so that sums of them
// do not overflow: the start of a rate near 0 would become one at once.
const never = 100 * 365 * 24 * time.Hour

func offset(seconds float64) time.Duration {
	return time.Duration(min(seconds*float64(time.Second), float64(never)))
}

// ValidateRate reports a rate that no schedule can have.
func ValidateRate(perSecond float64) error {
	if !(perSecond > 0) { // NaN is not
		return errors.New("rate must be positive")
	}
	if perSecond > MaxRate {
		return fmt.Errorf("rate must be at most %d requests a second, not %g", MaxRate, perSecond)
	}
	return nil
}

// tick is the least time between two moments at which requests start. Waking
// up is most of what an open loop costs, so the starts of more than 1,000
// requests a second are brought together: at 10,000/s that halves the cost.
const tick = time.Millisecond

// ticks moves each start that is less than a tick after the one before to the
// end of that tick. What it yields are the intended starts: fixed in advance,
// never earlier than scheduled, and less than a tick later.
func ticks(s Schedule) Schedule {
	return func(yield func(time.Duration) bool) {
		last := -tick
		for at := range s {
			if at < last+tick && at > last {
				at = last + tick
			}
			last = max(at, last)
			if !yield(last) {
				return
			}
		}
	}
}
