package report

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/serin-dev/serin/measure"
)

// maxPoints is how many points a Series keeps: as many as a chart can show. It
// is even, so that merging neighbours leaves none over.
const maxPoints = 300

// chartDigits is how many digits of a latency a point tells apart.
const chartDigits = 2

// Series is latency, rate and failures over time. Its memory does not depend
// on the duration: when it has 300 points, neighbours are merged, and from then
// on each point takes twice as many intervals. Merging loses nothing but
// resolution in time: the quantiles of a point are those of all its requests.
//
// A point keeps a sparse histogram of 5 bytes and more for each latency that
// occurred, told apart to one part in a hundred, which is more than a chart can
// show. That is some kilobytes for a point where measure's own histogram is
// 136 KiB.
//
// The zero Series is empty and ready for use. One goroutine at a time may use
// it.
type Series struct {
	points []point
	stride int // intervals in a finished point; 0 is 1
	inLast int // intervals in the last point
}

// Add appends an interval, which began at start, from the beginning of the run,
// and took length. Intervals come in the order of time. Snap is only read.
func (s *Series) Add(start, length time.Duration, snap *measure.Snapshot) {
	next := newPoint(start, length, snap)
	s.stride = max(s.stride, 1)
	if len(s.points) > 0 && s.inLast < s.stride {
		s.points[len(s.points)-1].merge(&next)
		s.inLast++
		return
	}
	if len(s.points) == maxPoints {
		s.halve()
	}
	s.points = append(s.points, next)
	s.inLast = 1
}

// halve merges each two neighbours.
func (s *Series) halve() {
	for i := range len(s.points) / 2 {
		s.points[2*i].merge(&s.points[2*i+1])
		s.points[i] = s.points[2*i]
	}
	clear(s.points[len(s.points)/2:])
	s.points = s.points[:len(s.points)/2]
	s.stride *= 2
}

// end is when the last point ends, from the beginning of the run.
func (s *Series) end() time.Duration {
	if len(s.points) == 0 {
		return 0
	}
	return s.points[len(s.points)-1].end()
}

// point is what happened from start to start+length.
type point struct {
	start, length      time.Duration
	requests, failures int64
	limited            bool // the generator was, in one of the intervals
	response           *hdrhistogram.PackedHistogram
}

func newPoint(start, length time.Duration, snap *measure.Snapshot) point {
	return point{
		start:    start,
		length:   length,
		requests: snap.Requests(),
		failures: snap.Failures,
		limited:  snap.GeneratorLimited(),
		response: pack(&snap.Response),
	}
}

// merge adds the neighbour that follows.
func (p *point) merge(next *point) {
	p.length = max(next.end()-p.start, p.length)
	p.requests += next.requests
	p.failures += next.failures
	p.limited = p.limited || next.limited
	p.response.Merge(next.response)
}

func (p *point) end() time.Duration { return p.start + p.length }

// middle is where a chart draws the point.
func (p *point) middle() time.Duration { return p.start + p.length/2 }

// perSecond is n over the point's length, and 0 where it has none.
func (p *point) perSecond(n int64) float64 {
	if p.length <= 0 {
		return 0
	}
	return float64(n) / p.length.Seconds()
}

// quantile is what measure.Histogram.Quantile of the same latencies is, to one
// part in a hundred.
func (p *point) quantile(q float64) time.Duration {
	if p.requests == 0 {
		return 0
	}
	n := float64(p.requests)
	rank := math.Ceil(math.Nextafter(min(max(q, 0), 1), 0) * n) // see there
	v := time.Duration(p.response.ValueAtPercentile(100 * rank / n))
	return min(max(v, measure.MinLatency), measure.MaxLatency)
}

// pack copies the counts of h, to the digits that a chart needs.
func pack(h *measure.Histogram) *hdrhistogram.PackedHistogram {
	packed := hdrhistogram.NewPacked(int64(measure.MinLatency), int64(measure.MaxLatency), chartDigits)
	for latency, n := range h.Counts() {
		_ = packed.RecordValues(int64(latency), n) // it is in range
	}
	return packed
}
