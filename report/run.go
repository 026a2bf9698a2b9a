package report

import (
	"time"

	"github.com/serin-dev/serin/measure"
)

// Run is one load, finished or going on.
type Run struct {
	// Started is shown as it is, in its own time zone. Zero: not shown.
	Started time.Time
	Elapsed time.Duration
	// Closed says that each worker waited for its answer before it sent
	// again. Otherwise requests were sent on a schedule: an open loop.
	Closed bool
	// Workers is their number in a closed loop, and the bound on connections
	// in an open one. 0: not known.
	Workers int
	// CPU is what the generator's process used, in cores, of CPUs available.
	// CPUs 0: not known, and neither is shown.
	CPU  float64
	CPUs int
	// Targets got the same load in the same seconds. The first is the one
	// that others are compared with.
	Targets []Target
	// Weights are the steps of a rollout, in the order of time, for Charts.
	Weights []Level
}

// Target is what came back from one target.
type Target struct {
	// Name is its URL. It is shown as it is, escaped where necessary.
	Name string
	// Label is a short name for Charts and Summary. Empty: a letter.
	Label string
	// RateIntended is the rate asked for, in requests/s; 0 when none was:
	// a closed loop without a limit.
	RateIntended float64
	// Total is the sum over the run. Nil is empty.
	Total *measure.Snapshot
	// Series is the same over time, for the charts. Nil is empty.
	Series *Series
	// Limited is the number of intervals, of Intervals, in which the
	// generator was too late for its figures to be about the target.
	Limited, Intervals int
}

// total is Total, and empty instead of nil.
func (t *Target) total() *measure.Snapshot {
	if t.Total == nil {
		return new(measure.Snapshot)
	}
	return t.Total
}

// series is Series, and empty instead of nil.
func (t *Target) series() *Series {
	if t.Series == nil {
		return new(Series)
	}
	return t.Series
}

// limited reports whether the generator was too slow, in any interval or in
// sum: ten late requests in one second of a minute are lost in the sum.
func (t *Target) limited() bool { return t.Limited > 0 || t.total().GeneratorLimited() }

// rateAchieved is in requests/s over the whole run, and 0 before it began.
func (r *Run) rateAchieved(t *Target) float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(t.total().Requests()) / r.Elapsed.Seconds()
}

// empty reports whether nothing came back from any target.
func (r *Run) empty() bool {
	return len(r.those(func(t *Target) bool { return t.total().Requests() > 0 })) == 0
}

// mode is how the load was made, in a word.
func (r *Run) mode() string {
	if r.Closed {
		return "closed"
	}
	return "open"
}

// quantile is one that every output shows.
type quantile struct {
	q     float64
	label string // for people
}

var quantiles = []quantile{
	{0.50, "p50"},
	{0.75, "p75"},
	{0.90, "p90"},
	{0.95, "p95"},
	{0.99, "p99"},
	{0.999, "p99.9"},
	{0.9999, "p99.99"},
}
