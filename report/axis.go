package report

import (
	"math"
	"strconv"
	"time"
)

// axis maps values to [0,1] and says where the ticks are.
type axis struct {
	lo, hi float64
	log    bool
	ticks  []tick
}

// tick is a line across the chart. Without a label it is a fainter one.
type tick struct {
	at    float64
	label string
}

// at is where v is: 0 at the lower end and 1 at the upper one. What is outside
// is moved to the nearer end.
func (a axis) at(v float64) float64 {
	lo, hi := a.lo, a.hi
	if a.log {
		lo, hi, v = math.Log10(lo), math.Log10(hi), math.Log10(max(v, a.lo))
	}
	return min(max((v-lo)/(hi-lo), 0), 1)
}

// logFrom is the ratio of the largest to the smallest latency from which on an
// axis is logarithmic: on a linear one the smallest would lie on the floor.
const logFrom = 30

// latencyAxis holds lo to hi, both positive, in seconds. A linear one begins
// at 0.
func latencyAxis(lo, hi float64) axis {
	if hi <= logFrom*lo {
		return linearAxis(hi, 5, func(v float64) string { return roundLatency(seconds(v)) })
	}
	values := logTicks(lo, hi, 1, 2, 5)
	a := axis{lo: values[0], hi: values[len(values)-1], log: true}
	for _, v := range values {
		_, decade := math.Modf(math.Abs(math.Log10(v)) + 1e-9)
		switch {
		case len(values) <= 8 || decade < 2e-9:
			a.ticks = append(a.ticks, tick{v, roundLatency(seconds(v))})
		case len(values) <= 14:
			a.ticks = append(a.ticks, tick{v, ""})
		}
	}
	return a
}

// linearAxis holds 0 to hi in at most about n steps.
func linearAxis(hi float64, n int, label func(float64) string) axis {
	values := linearTicks(0, hi, n)
	a := axis{hi: values[len(values)-1]}
	for _, v := range values {
		a.ticks = append(a.ticks, tick{v, label(v)})
	}
	return a
}

// rateAxis holds 0 to hi requests/s.
func rateAxis(hi float64, n int) axis {
	return linearAxis(hi, n, func(v float64) string {
		switch {
		case v == 0:
			return "0"
		case v >= 1000:
			return count(int64(math.Round(v))) + "/s"
		}
		return strconv.FormatFloat(v, 'g', 3, 64) + "/s"
	})
}

// timeSteps are those that people count time in.
var timeSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// timeAxis holds 0 to end in at most n steps, in the unit that fits.
func timeAxis(end time.Duration, n int) axis {
	end = max(end, time.Millisecond)
	unit, name := time.Second, " s"
	switch {
	case end < time.Second:
		unit, name = time.Millisecond, " ms"
	case end > 2*time.Hour:
		unit, name = time.Hour, " h"
	case end > 2*time.Minute:
		unit, name = time.Minute, " min"
	}
	a := axis{hi: end.Seconds()}
	step := timeStep(end, n)
	for at := time.Duration(0); at <= end; at += step {
		label := strconv.FormatFloat(float64(at)/float64(unit), 'g', 4, 64) + name
		a.ticks = append(a.ticks, tick{at.Seconds(), label})
	}
	return a
}

func timeStep(end time.Duration, n int) time.Duration {
	if end < time.Duration(n)*time.Second {
		return seconds(roundStep(end.Seconds(), n))
	}
	for _, step := range timeSteps {
		if end <= time.Duration(n)*step {
			return step
		}
	}
	return time.Hour * time.Duration(roundStep(end.Hours(), n))
}

// percentileAxis holds x = log10(1/(1-q)) for the quantiles q of n values: each
// step is a nine more. Width is in pixels, and says how many labels fit in.
func percentileAxis(n int64, width float64) axis {
	a := axis{hi: max(math.Log10(float64(max(n, 1))), 1)}
	nine := width / a.hi
	every := math.Ceil(50 / nine)
	for x := 0.0; x <= a.hi*(1+1e-9); x += every {
		a.ticks = append(a.ticks, tick{x, nines(int(x))})
		if x == 0 && nine > 150 {
			a.ticks = append(a.ticks, tick{math.Log10(2), "50%"})
		}
	}
	return a
}

// nines is 0%, 90%, 99%, 99.9% ...
func nines(n int) string {
	if n == 0 {
		return "0%"
	}
	return strconv.FormatFloat(100-math.Pow(10, float64(2-n)), 'f', max(n-2, 0), 64) + "%"
}

// roundStep is the smallest of 1, 2 and 5 times a power of ten that divides
// span, which is positive, into at most n steps.
func roundStep(span float64, n int) float64 {
	least := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// linearTicks are multiples of a round step that enclose lo to hi narrowly, in
// at most about n steps.
func linearTicks(lo, hi float64, n int) []float64 {
	step := roundStep(max(hi-lo, hi/10), n)
	var ticks []float64
	for i := math.Floor(lo/step + 1e-9); ; i++ {
		ticks = append(ticks, i*step)
		if i*step >= hi*(1-1e-9) && len(ticks) > 1 {
			return ticks
		}
	}
}

// logTicks are the factors times powers of ten that enclose lo to hi, both
// positive, narrowly.
func logTicks(lo, hi float64, factors ...float64) []float64 {
	var ticks []float64
	for exp := math.Floor(math.Log10(lo)); ; exp++ {
		for _, f := range factors {
			v := f * math.Pow(10, exp)
			if v <= lo*(1+1e-9) {
				ticks = ticks[:0]
			}
			ticks = append(ticks, v)
			if v >= hi*(1-1e-9) && len(ticks) > 1 {
				return ticks
			}
		}
	}
}

func seconds(v float64) time.Duration { return time.Duration(math.Round(v * 1e9)) }
