package history

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/measure"
	"github.com/serin-dev/serin/report"
)

// Bounds of what is kept of a rollout.
const (
	maxChecks = 200
	maxEvents = 200
	maxLevels = 400
	// maxFinished is how many rollouts are kept that have ended, of all
	// Canaries: a thousand of them would take a gigabyte.
	maxFinished = 32
)

// Config says whom to tell.
type Config struct {
	// Ended is called when a rollout has ended, with the Canary as it was
	// written then; nil for nobody. It must return at once, and may look.
	Ended func(canary *v1beta1.Canary)
}

// History remembers rollouts. New makes one.
type History struct {
	config Config

	mu       sync.Mutex // guards what follows, and not the rollouts themselves
	rollouts map[types.NamespacedName]*Rollout
	finished []finished // oldest first
}

// finished is a rollout that has ended, and may have been followed by another.
type finished struct {
	canary  types.NamespacedName
	rollout *Rollout
}

// New returns a History of nothing.
func New(config Config) *History {
	return &History{config: config, rollouts: make(map[types.NamespacedName]*Rollout)}
}

// Rollout is what is remembered of one rollout.
type Rollout struct {
	mu sync.Mutex // guards everything

	// Revisions of the rollout.
	Primary, Canary string
	// Began is when the canary revision was detected, Since when this daemon
	// began to remember it, and Ended when it was over; zero while it is not.
	Began, Since, Ended time.Time
	// Run is what was measured, of the primary and the canary revision.
	Run report.Run
	// Weights are the changes of the canary revision's part of the live traffic,
	// as the Route was seen to show it, in order.
	Weights []Level
	Checks  []Check
	Events  []Event

	// pending is what was measured from a time on that is not a point yet.
	pending [2]*measure.Snapshot
	from    time.Time
	log     *intervals
}

// pointLength is what a point takes at least: rates of shorter times jump about.
const pointLength = 900 * time.Millisecond

// Level is the canary revision's percent of the live traffic from a time on.
type Level struct {
	Time    time.Time
	Percent int32
}

// Check is a verdict that was reached, or said to be inconclusive. Weight is the
// percent of the live traffic that was wanted for the canary revision meanwhile.
type Check struct {
	Time    time.Time
	Weight  int32
	Verdict string
	Metrics []v1beta1.MetricStatus
}

// Event is one that was published.
type Event struct {
	Time          time.Time
	Type, Message string
}

// Sides, by their place in Run.Targets.
const (
	PrimaryTarget = iota
	CanaryTarget
)

func newRollout(canary *v1beta1.Canary, now time.Time) *Rollout {
	a := canary.Status.Analysis
	r := &Rollout{
		Primary: a.PrimaryRevision, Canary: a.CanaryRevision,
		Began: a.StartTime.Time, Since: now, from: now,
		pending: [2]*measure.Snapshot{new(measure.Snapshot), new(measure.Snapshot)},
		log:     newIntervals(now),
	}
	r.Run.Started = now
	r.Run.Targets = []report.Target{newTarget(a.PrimaryRevision), newTarget(a.CanaryRevision)}
	return r
}

func newTarget(revision string) report.Target {
	return report.Target{Name: revision, Total: new(measure.Snapshot), Series: new(report.Series)}
}

// Look calls f with the Canary's rollout, which f must not keep or change, and
// reports whether there is one. Nothing is remembered of it meanwhile.
func (h *History) Look(canary types.NamespacedName, f func(*Rollout)) bool {
	r := h.of(canary)
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
	return true
}

func (h *History) of(canary types.NamespacedName) *Rollout {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rollouts[canary]
}

// Forget forgets a Canary that is gone.
func (h *History) Forget(canary types.NamespacedName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rollouts, canary)
}

// Status says that the Canary's status was written, and which one it had before.
func (h *History) Status(canary *v1beta1.Canary, before *v1beta1.CanaryStatus) {
	a := canary.Status.Analysis
	if a == nil {
		return
	}
	now := time.Now()
	r := h.current(canary, now)
	if r == nil {
		return
	}
	if !r.take(canary, before, now) {
		return
	}
	h.finish(types.NamespacedName{Namespace: canary.Namespace, Name: canary.Name}, r)
	if h.config.Ended != nil {
		h.config.Ended(canary)
	}
}

// finish makes room for a rollout that has ended.
func (h *History) finish(canary types.NamespacedName, r *Rollout) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finished = append(h.finished, finished{canary, r})
	if len(h.finished) <= maxFinished {
		return
	}
	oldest := h.finished[0]
	h.finished = append([]finished(nil), h.finished[1:]...)
	if h.rollouts[oldest.canary] == oldest.rollout {
		delete(h.rollouts, oldest.canary)
	}
}

// current is the rollout that a status is about; nil for one that was over
// before this daemon began.
func (h *History) current(canary *v1beta1.Canary, now time.Time) *Rollout {
	key := types.NamespacedName{Namespace: canary.Namespace, Name: canary.Name}
	h.mu.Lock()
	defer h.mu.Unlock()
	r, a := h.rollouts[key], canary.Status.Analysis
	if r != nil && r.Canary == a.CanaryRevision && r.Began.Equal(a.StartTime.Time) {
		return r
	}
	if over(&canary.Status) {
		return nil
	}
	r = newRollout(canary, now)
	h.rollouts[key] = r
	return r
}

// take takes a status down, and reports whether the rollout has ended with it.
func (r *Rollout) take(canary *v1beta1.Canary, before *v1beta1.CanaryStatus, now time.Time) (ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := &canary.Status
	if isNews(before.Analysis, status.Analysis) {
		r.Checks = bounded(append(r.Checks, Check{now, wanted(before), status.Analysis.Verdict, status.DeepCopy().Analysis.Metrics}), maxChecks)
	}
	if !r.Ended.IsZero() { // what becomes of the traffic later is not its doing
		return false
	}
	percent := observed(status, r.Canary)
	if n := len(r.Weights); n == 0 || r.Weights[n-1].Percent != percent {
		r.Weights = bounded(append(r.Weights, Level{now, percent}), maxLevels)
	}
	if !over(status) {
		return false
	}
	r.Ended = now
	if r.pending[CanaryTarget].WithColdStart().Requests() > 0 {
		r.flush(now)
	}
	return true
}

// observed is a revision's percent of the live traffic. Where the Route was not
// seen it is that of all but the primary revision.
func observed(status *v1beta1.CanaryStatus, revision string) int32 {
	if len(status.Traffic) == 0 {
		return status.CanaryWeight
	}
	percent := int64(0)
	for _, t := range status.Traffic {
		if t.Revision == revision {
			percent += t.Percent
		}
	}
	return int32(min(max(percent, 0), 100))
}

// wanted is the percent that a status wants for the canary revision.
func wanted(status *v1beta1.CanaryStatus) int32 {
	if status.Analysis == nil {
		return 0
	}
	return status.Analysis.Weight
}

// over reports whether the rollout of a status has come to its end.
func over(status *v1beta1.CanaryStatus) bool {
	return status.Phase == v1beta1.PhaseSucceeded || status.Phase == v1beta1.PhaseFailed
}

// isNews reports whether a status has a verdict with numbers that were not
// there before: one that waits for a hook is written again, and is the same.
func isNews(before, after *v1beta1.AnalysisStatus) bool {
	if after.Verdict == "" || after.Canary == nil {
		return false
	}
	return before == nil || before.CanaryRevision != after.CanaryRevision || before.Verdict != after.Verdict ||
		before.Canary == nil || *before.Canary != *after.Canary
}

// bounded drops the oldest of more than n.
func bounded[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	return append([]T(nil), all[len(all)-n:]...)
}

// Event says that an event was published on a Canary.
func (h *History) Event(canary types.NamespacedName, kind, message string) {
	h.Look(canary, func(r *Rollout) {
		r.Events = bounded(append(r.Events, Event{time.Now(), kind, message}), maxEvents)
	})
}

// Measured says what was measured of both revisions since it was said last.
// Neither snapshot is kept.
func (h *History) Measured(canary types.NamespacedName, primary, candidate *measure.Snapshot) {
	h.Look(canary, func(r *Rollout) { r.measured(time.Now(), primary, candidate) })
}

func (r *Rollout) measured(now time.Time, primary, candidate *measure.Snapshot) {
	r.pending[PrimaryTarget].Merge(primary)
	r.pending[CanaryTarget].Merge(candidate)
	if now.Sub(r.from) >= pointLength {
		r.flush(now)
	}
}

// flush makes a point of what is pending.
func (r *Rollout) flush(now time.Time) {
	begin := r.from
	r.from = now
	r.Run.Elapsed = now.Sub(r.Since)
	for i, taken := range r.pending {
		t := &r.Run.Targets[i]
		t.Series.Add(begin.Sub(r.Since), now.Sub(begin), taken)
		t.Total.Merge(taken)
		t.Intervals++
		if taken.GeneratorLimited() {
			t.Limited++
		}
	}
	r.log.add("primary", begin, now, &r.pending[PrimaryTarget].Response)
	r.log.add("canary", begin, now, &r.pending[CanaryTarget].Response)
	r.pending = [2]*measure.Snapshot{new(measure.Snapshot), new(measure.Snapshot)}
}
