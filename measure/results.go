package measure

import "time"

// Results sums up any number of results. The zero Results are none and ready
// for use.
type Results struct {
	// Response holds one value for each result, failed ones included: a
	// failed request still took its time.
	Response Histogram
	// Service and Lag hold one for each request that was sent.
	Service, Lag Histogram
	// Outcomes counts results by outcome. Its size is bounded by the number
	// of different status codes and kinds of error.
	Outcomes map[Outcome]int64
	// Failures is the number of results that were not OK.
	Failures int64
	// Waited is the number of results that found every connection busy.
	Waited int64
	// Redirects is the number of redirects followed.
	Redirects int64
}

// Add records one result. Of a Snapshot, it is one that is not of the cold
// start: add such a one to its ColdStart.
func (s *Results) Add(r Result) {
	var e entry
	e.set(&r)
	s.add(&e)
	s.count(r.Outcome, 1)
}

func (s *Results) count(o Outcome, n int64) {
	if n == 0 {
		return
	}
	if s.Outcomes == nil {
		s.Outcomes = make(map[Outcome]int64)
	}
	s.Outcomes[o] += n
}

// add records all of e but its outcome.
func (s *Results) add(e *entry) {
	s.Response.Record(e.response)
	if e.flags&flagUnsent == 0 {
		s.Service.Record(e.service)
		s.Lag.Record(e.lag)
	}
	if e.flags&flagOK == 0 {
		s.Failures++
	}
	if e.flags&flagWaited != 0 {
		s.Waited++
	}
	s.Redirects += int64(e.redirects)
}

func (s *Results) merge(other *Results) {
	s.Response.Merge(&other.Response)
	s.Service.Merge(&other.Service)
	s.Lag.Merge(&other.Lag)
	s.Failures += other.Failures
	s.Waited += other.Waited
	s.Redirects += other.Redirects
	for o, n := range other.Outcomes {
		s.count(o, n)
	}
}

func (s *Results) reset() {
	s.Response.Reset()
	s.Service.Reset()
	s.Lag.Reset()
	clear(s.Outcomes)
	s.Failures, s.Waited, s.Redirects = 0, 0, 0
}

// Requests is the number of results.
func (s *Results) Requests() int64 { return s.Response.Count() }

// SuccessRate is the fraction of results that were OK, in [0,1]. ok is
// false when there are no results and so no rate.
func (s *Results) SuccessRate() (rate float64, ok bool) {
	n := s.Requests()
	if n == 0 {
		return 0, false
	}
	return float64(n-s.Failures) / float64(n), true
}

// GeneratorLimited reports whether the generator itself was so late that the
// response times say more about it than about the target: the 99th percentile
// of the lag is over 1 ms and over a twentieth of the median response time.
func (s *Results) GeneratorLimited() bool {
	return s.Lag.Quantile(0.99) > max(time.Millisecond, s.Response.Quantile(0.5)/20)
}
