package measure

import "sync"

// Recorder takes results from any number of goroutines and hands them out in
// intervals.
type Recorder struct {
	mu      sync.Mutex // guards current
	current *Snapshot
}

// NewRecorder returns an empty recorder.
func NewRecorder() *Recorder { return &Recorder{current: new(Snapshot)} }

// Record adds one result to the current interval.
func (r *Recorder) Record(result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current.Add(result)
}

// Take ends the current interval, starts the next one empty, and returns what
// was recorded. The snapshot belongs to the caller. Every result is in exactly
// one interval.
func (r *Recorder) Take() *Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.current
	r.current = new(Snapshot)
	return taken
}
