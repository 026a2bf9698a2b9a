package main

import (
	"math/rand/v2"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/measure"
)

// window is over which the guide's metrics are queried.
const window = time.Minute

// flagger is Flagger's rule: once an interval, the point estimates of the last
// minute against their limits; a failed one counts, and the threshold-th rolls
// back. No traffic fails too. The first interval only moves to the first weight.
type flagger struct {
	threshold int
	failed    int
	// thin leaves of the requests what the weight would route to the canary
	// revision, as when the load goes to the Service and not to the revision.
	thin    *rand.Rand
	judge   analysis.Judge
	slices  []measure.Snapshot // the last minute, a ring
	next    int
	checked time.Duration
}

func newFlagger(threshold int, thinned bool, rate float64, metrics ...analysis.Metric) *flagger {
	f := &flagger{threshold: threshold, judge: analysis.Judge{Metrics: metrics, MinSamples: 1}}
	f.slices = make([]measure.Snapshot, window/looks(rate))
	if thinned {
		f.thin = newRandom(1, 1)
	}
	return f
}

func (f *flagger) look(at time.Duration, weight int, _, canary *measure.Snapshot) decision {
	slot := &f.slices[f.next]
	f.next = (f.next + 1) % len(f.slices)
	slot.Reset()
	f.take(slot, canary, weight)
	if at-f.checked < interval {
		return wait
	}
	f.checked = at
	if weight == 0 {
		return advance
	}
	var all measure.Snapshot
	for i := range f.slices {
		all.Merge(&f.slices[i])
	}
	if all.Requests() > 0 && f.judge.Verdict(analysis.Window{Canary: &all, Elapsed: window}).Result == analysis.Pass {
		return advance
	}
	if f.failed++; f.failed >= f.threshold {
		return rollBack
	}
	return wait
}

// take adds the requests that reach the canary revision. Which ones fail and
// which are slow is kept apart in a snapshot, and so is thinned apart: the
// metrics do not look at both together.
func (f *flagger) take(to, canary *measure.Snapshot, weight int) {
	if f.thin == nil {
		to.Merge(canary)
		return
	}
	left, failing := canary.Requests(), canary.Failures
	for latency, count := range canary.Response.Counts() {
		for range count {
			fails := f.thin.Int64N(left) < failing
			left--
			if fails {
				failing--
			}
			if f.thin.IntN(100) >= weight {
				continue
			}
			outcome := measure.Status(200)
			if fails {
				outcome = measure.Status(500)
			}
			to.Add(measure.Result{Intended: epoch, Sent: epoch, Done: epoch.Add(latency), Outcome: outcome, OK: !fails})
		}
	}
}
