package measure

// Snapshot is what was recorded in one interval, or in several merged ones.
// The zero Snapshot is empty and ready for use.
type Snapshot struct {
	// Results are all but those of the cold start.
	Results
	// ColdStart holds the results of the cold start, which are none but with a
	// recorder that sets them apart; see NewColdStartRecorder.
	ColdStart Results
}

// Merge adds other to s. The order of merges does not matter.
func (s *Snapshot) Merge(other *Snapshot) {
	s.merge(&other.Results)
	s.ColdStart.merge(&other.ColdStart)
}

// Reset empties s and keeps its memory for what comes next.
func (s *Snapshot) Reset() {
	s.reset()
	s.ColdStart.reset()
}

// WithColdStart is a snapshot in which the results of the cold start count
// like the others. It is s itself where there are none, and a new one
// otherwise; s stays as it is.
func (s *Snapshot) WithColdStart() *Snapshot {
	if s.ColdStart.Requests() == 0 {
		return s
	}
	all := new(Snapshot)
	all.merge(&s.Results)
	all.merge(&s.ColdStart)
	return all
}

// add records all of e but its outcome, and returns where.
func (s *Snapshot) add(e *entry) *Results {
	into := &s.Results
	if e.flags&flagColdStart != 0 {
		into = &s.ColdStart
	}
	into.add(e)
	return into
}
