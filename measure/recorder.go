package measure

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Recorder takes results from any number of goroutines, each through a Writer
// of its own, and hands them out in intervals. Its memory does not depend on
// how long it records, how fast or what.
type Recorder struct {
	cold *coldStart // nil: nothing is set apart

	mu      sync.Mutex // guards what follows, and the tails of the writers
	writers []*Writer
	current *Snapshot
}

// NewRecorder returns an empty recorder, to which all results are alike.
func NewRecorder() *Recorder { return &Recorder{current: new(Snapshot)} }

// Writer returns a new entrance for one goroutine.
func (r *Recorder) Writer() *Writer {
	w := &Writer{recorder: r, cold: r.cold}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writers = append(r.writers, w)
	return w
}

// Take ends the current interval, starts the next one empty, and returns what
// was recorded. The snapshot belongs to the caller. Every result is in exactly
// one interval. Writers go on meanwhile.
func (r *Recorder) Take() *Snapshot {
	next := new(Snapshot)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.writers {
		w.drain()
	}
	taken := r.current
	r.current = next
	return taken
}

// Writer records the results of one goroutine at a time.
//
// Three histograms for each of 64 workers, twice so that they can be swapped,
// would be 53 MB. So a worker has a small ring instead, and the recorder one
// set of histograms: the worker writes into its ring without a lock, and only
// when the ring is full does it empty it into the histograms under the
// recorder's lock.
type Writer struct {
	recorder *Recorder
	cold     *coldStart // the recorder's
	ring     [ringSize]entry
	head     atomic.Uint32 // results written; stored by the owner alone
	tail     atomic.Uint32 // results moved into the histograms; stored under recorder.mu
}

// ringSize is a power of two, so that head and tail may overflow.
const ringSize = 128

// entry is a Result in 32 bytes.
type entry struct {
	response, service, lag time.Duration
	redirects              int32
	outcome                int16
	flags                  uint8
}

const (
	flagOK        = 1 << 0
	flagWaited    = 1 << 1
	flagUnsent    = 1 << 2
	flagColdStart = 1 << 3 // the recorder's to set
)

// set computes what the methods of Result do, reading each instant once: that
// is most of the cost of recording. It writes each field in place, once, which
// takes half as long as returning an entry.
func (e *entry) set(r *Result) {
	response, service, lag, flags := r.Done.Sub(r.Intended), time.Duration(0), time.Duration(0), uint8(0)
	if r.Sent.IsZero() {
		flags = flagUnsent
	} else {
		service = r.Done.Sub(r.Sent)
		lag = response - service
	}
	if !r.Ready.IsZero() {
		if wait := r.Ready.Sub(r.Intended); wait > 0 {
			flags |= flagWaited
			lag -= wait
		}
	}
	if r.OK {
		flags |= flagOK
	}
	e.response, e.service, e.lag = response, service, lag
	e.redirects, e.outcome, e.flags = int32(r.Redirects), int16(r.Outcome), flags
}

// Record adds one result to the recorder's current interval. It does not
// allocate, and blocks only while another goroutine empties its ring or takes
// the interval.
func (w *Writer) Record(r Result) {
	head := w.head.Load()
	if head-w.tail.Load() == ringSize {
		w.recorder.mu.Lock()
		w.drain()
		w.recorder.mu.Unlock()
	}
	e := &w.ring[head%ringSize]
	e.set(&r)
	if w.cold != nil && w.cold.includes(r.Intended, e.response, r.Outcome) {
		e.flags |= flagColdStart
	}
	w.head.Store(head + 1)
}

// Close hands in what was recorded and takes the writer off its recorder.
func (w *Writer) Close() {
	r := w.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	w.drain()
	if i := slices.Index(r.writers, w); i >= 0 {
		r.writers = slices.Delete(r.writers, i, i+1)
	}
}

// drain moves what the ring holds into the current interval. The recorder's
// lock is held.
func (w *Writer) drain() {
	head, tail := w.head.Load(), w.tail.Load()
	current := w.recorder.current
	into, outcome, run := &current.Results, int16(0), int64(0) // results in a row with the same outcome
	for ; tail != head; tail++ {
		e := &w.ring[tail%ringSize]
		if to := current.add(e); to != into || e.outcome != outcome {
			into.count(Outcome(outcome), run)
			into, outcome, run = to, e.outcome, 0
		}
		run++
	}
	into.count(Outcome(outcome), run)
	w.tail.Store(tail)
}
