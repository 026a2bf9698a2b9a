package measure

import "maps"

// Snapshot is what was recorded in one interval, or in several merged ones.
// The zero Snapshot is empty and ready for use.
type Snapshot struct {
	// Response, Service and Lag hold one value for each result, failed ones
	// included: a failed request still took its time.
	Response, Service, Lag Histogram
	// Outcomes counts results by outcome. Its size is bounded by the number
	// of different status codes and kinds of error.
	Outcomes map[Outcome]int64
	// Failures is the number of results that were not OK.
	Failures int64
}

// Add records one result.
func (s *Snapshot) Add(r Result) {
	s.Response.Record(r.ResponseTime())
	s.Service.Record(r.ServiceTime())
	s.Lag.Record(r.Lag())
	if s.Outcomes == nil {
		s.Outcomes = make(map[Outcome]int64)
	}
	s.Outcomes[r.Outcome]++
	if !r.OK {
		s.Failures++
	}
}

// Merge adds other to s. The order of merges does not matter.
func (s *Snapshot) Merge(other *Snapshot) {
	s.Response.Merge(&other.Response)
	s.Service.Merge(&other.Service)
	s.Lag.Merge(&other.Lag)
	s.Failures += other.Failures
	if s.Outcomes == nil {
		s.Outcomes = maps.Clone(other.Outcomes)
		return
	}
	for o, n := range other.Outcomes {
		s.Outcomes[o] += n
	}
}

// Requests is the number of results.
func (s *Snapshot) Requests() int64 { return s.Response.Count() }

// SuccessRate is the fraction of results that were OK, in [0,1]. ok is
// false when there are no results and so no rate.
func (s *Snapshot) SuccessRate() (rate float64, ok bool) {
	n := s.Requests()
	if n == 0 {
		return 0, false
	}
	return float64(n-s.Failures) / float64(n), true
}
