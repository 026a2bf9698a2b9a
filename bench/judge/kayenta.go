package main

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/serin-dev/serin/measure"
)

// kayenta is Spinnaker's judge with its defaults: once an interval, a
// Mann-Whitney U test with confidence 0.98 and tolerance 0.25 on each metric's
// time series since the beginning. One of two metrics that is High makes a
// score of 50, which fails the canary. The series have a point a second, which
// is more than most metric stores have.
type kayenta struct {
	errors, latency [2][]float64 // of primary and canary
	open            [2]measure.Snapshot
	checked         time.Duration
}

const (
	kayentaTolerance = 0.25
	kayentaZ         = 2.3263478740408408 // two-sided 0.98
)

func (k *kayenta) look(at time.Duration, _ int, primary, canary *measure.Snapshot) decision {
	k.open[0].Merge(primary)
	k.open[1].Merge(canary)
	if at%time.Second == 0 {
		for i := range k.open {
			s := &k.open[i]
			rate, _ := s.SuccessRate()
			k.errors[i] = append(k.errors[i], 100*(1-rate))
			k.latency[i] = append(k.latency[i], s.Response.Quantile(0.99).Seconds())
			s.Reset()
		}
	}
	if at-k.checked < interval {
		return wait
	}
	k.checked = at
	if high(k.errors[1], k.errors[0]) || high(k.latency[1], k.latency[0]) {
		return rollBack
	}
	return advance
}

// high reports whether the experiment's values are higher than the control's:
// the confidence interval of the location shift lies above a quarter of the
// shift itself.
func high(experiment, control []float64) bool {
	x, y := slices.Sorted(slices.Values(experiment)), slices.Sorted(slices.Values(control))
	if slices.Equal(x, y) {
		return false
	}
	if x[0] == x[len(x)-1] && y[0] == y[len(y)-1] {
		return x[0] > y[0] // a little noise is added to such, and decides nothing
	}
	low, shift := locationShift(x, y, kayentaZ), locationShift(x, y, 0)
	return low > kayentaTolerance*math.Abs(shift)
}

// locationShift is the shift of x at which the standardized rank sum is z: the
// lower end of its confidence interval, or for 0 its estimate (D. Bauer,
// "Constructing confidence sets using rank statistics", 1972). Both samples are
// in order.
func locationShift(x, y []float64, z float64) float64 {
	low, high := x[0]-y[len(y)-1], x[len(x)-1]-y[0]
	switch {
	case rankSum(x, y, low) <= z:
		return low
	case rankSum(x, y, high) >= z:
		return high
	}
	for range 30 {
		middle := (low + high) / 2
		if rankSum(x, y, middle) > z {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// rankSum is the standardized one of x - shift among both, with the corrections
// for ties and for continuity.
func rankSum(x, y []float64, shift float64) float64 {
	nx, ny := float64(len(x)), float64(len(y))
	u := 0.0
	both := slices.Clone(y)
	for _, v := range x {
		v -= shift
		below := sort.SearchFloat64s(y, v)
		u += float64(below) + float64(sort.Search(len(y)-below, func(i int) bool { return y[below+i] > v }))/2
		both = append(both, v)
	}
	slices.Sort(both)
	ties, run := 0.0, 1.0
	for i := range both {
		if i+1 < len(both) && both[i+1] == both[i] {
			run++
			continue
		}
		ties += run*run*run - run
		run = 1
	}
	d := u - nx*ny/2
	if d != 0 {
		d -= math.Copysign(0.5, d)
	}
	return d / math.Sqrt(nx*ny/12*(nx+ny+1-ties/((nx+ny)*(nx+ny-1))))
}
