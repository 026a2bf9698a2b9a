package measure

import (
	"math"
	"sync/atomic"
	"time"
)

// NewColdStartRecorder returns an empty recorder that sets the results of the
// cold start apart: those of requests that a target which was scaled to zero
// made wait until it had started. They are in Snapshot.ColdStart.
//
// A request belongs to the cold start when it was intended before the first
// answer was done, and less than limit after the first request was intended.
// Every result is an answer, a refused connection too, but for a Timeout. So a
// target that is warm has those few requests set apart that were intended
// before it first answered, and one that never answers has the results of limit
// set apart and no more. A limit of 0 or less sets nothing apart. Intervals do
// not matter, and a recorder has one cold start, however long it records.
//
// A result is judged when it is recorded, by the results recorded before and by
// itself. Of several answers at a time the one with the earliest Done decides,
// as soon as it is recorded. Until then a later one stands in for it, so that
// results which are done in that same moment may be set apart needlessly; no
// result of the cold start is ever taken for an ordinary one.
func NewColdStartRecorder(limit time.Duration) *Recorder {
	r := NewRecorder()
	r.cold = newColdStart(limit)
	return r
}

// coldStart knows how long the cold start lasts. It is apart from its recorder
// so that writers, who all read it, do not share a cache line with the lock.
type coldStart struct {
	limit time.Duration
	base  time.Time
	// end is what is known of the end, in nanoseconds after base. It only ever
	// becomes earlier: requests that are intended then or later are ordinary.
	end atomic.Int64
}

func newColdStart(limit time.Duration) *coldStart {
	// Half, so that it can be added to an instant.
	c := &coldStart{limit: min(limit, math.MaxInt64/2), base: time.Now()}
	c.end.Store(math.MaxInt64)
	return c
}

// includes reports whether the request belongs to the cold start, and learns
// from its result when that ends.
func (c *coldStart) includes(intended time.Time, response time.Duration, o Outcome) bool {
	start := int64(intended.Sub(c.base))
	end := c.end.Load()
	if start >= end {
		return false // and so are its answer and its limit later than the end
	}
	candidate := start + int64(c.limit)
	if o != Timeout {
		candidate = min(candidate, start+int64(response))
	}
	for candidate < end && !c.end.CompareAndSwap(end, candidate) {
		end = c.end.Load()
	}
	return start < min(end, candidate)
}
