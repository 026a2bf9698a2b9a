package measure

import (
	"iter"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range and resolution of every histogram: a value is off by at most one
// part in a thousand.
const (
	MinLatency        = time.Microsecond
	MaxLatency        = time.Minute
	SignificantDigits = 3
)

// maxFew is how many latencies a histogram keeps sparsely. Until then a new one
// costs up to 70 ns and not 3 ns, as each shifts those above it; all of them
// together cost what clearing the 136 KiB does that they do without.
const maxFew = 2048

// Histogram counts latencies from 1 µs to 60 s. Values outside saturate at the
// ends; those above are counted in Saturated. The zero Histogram is empty and
// ready for use.
//
// Up to 2048 latencies it takes some 8 bytes for each that differs, and reading
// or merging it takes time for those alone: the interval of a second costs
// microseconds. With more it has a count for every latency there is (136 KiB),
// so that recording costs the same however many there are. What is said of its
// latencies does not depend on that.
type Histogram struct {
	few       *hdrhistogram.PackedHistogram // nil until it is needed
	many      *hdrhistogram.Histogram       // nil until it is needed
	dense     bool                          // the latencies are in many, not in few
	saturated int64
}

// Record counts one latency.
func (h *Histogram) Record(d time.Duration) {
	if !h.dense || d > MaxLatency {
		_ = h.record(d, 1)
		return
	}
	_ = h.many.RecordValue(int64(max(d, MinLatency)))
}

// RecordN counts the same latency n times; n of 0 or less does nothing. A
// histogram holds 1<<63 - 1 latencies; n that would be more are not counted.
func (h *Histogram) RecordN(d time.Duration, n int64) {
	if n > 0 {
		_ = h.record(d, n)
	}
}

// record counts d n times, which is not negative. As d is brought into range,
// an error says that the sum would overflow, and that nothing was counted.
func (h *Histogram) record(d time.Duration, n int64) (err error) {
	v := int64(min(max(d, MinLatency), MaxLatency))
	if h.dense || h.becomeDense(n) {
		err = h.many.RecordValues(v, n)
	} else {
		err = h.few.RecordValues(v, n)
	}
	if d > MaxLatency && err == nil {
		h.saturated += n
	}
	return err
}

// becomeDense makes room for n latencies in a histogram that is not dense, and
// reports whether it now is.
func (h *Histogram) becomeDense(n int64) bool {
	if h.few == nil {
		h.few = newPacked()
	}
	if n <= maxFew-h.few.TotalCount() {
		return false
	}
	if h.many == nil {
		h.many = hdrhistogram.New(int64(MinLatency), int64(MaxLatency), SignificantDigits)
	}
	h.few.MergeInto(h.many)
	h.few.Reset()
	h.dense = true
	return true
}

// Merge adds other's counts to h. The order of merges does not matter.
func (h *Histogram) Merge(other *Histogram) {
	n := other.Count()
	if n == 0 {
		return
	}
	h.saturated += other.saturated
	if other.dense {
		n = maxFew + 1
	}
	switch {
	case !h.dense && !h.becomeDense(n):
		h.few.Merge(other.few)
	case other.dense:
		h.many.Merge(other.many)
	default:
		other.few.MergeInto(h.many)
	}
}

// Reset empties h and keeps its memory for what comes next.
func (h *Histogram) Reset() {
	if h.dense {
		h.many.Reset()
	} else if h.few != nil {
		h.few.Reset()
	}
	h.dense, h.saturated = false, 0
}

// Count is the number of recorded latencies.
func (h *Histogram) Count() int64 {
	switch {
	case h.dense:
		return h.many.TotalCount()
	case h.few != nil:
		return h.few.TotalCount()
	}
	return 0
}

// Saturated is the number of recorded latencies above MaxLatency.
func (h *Histogram) Saturated() int64 { return h.saturated }

// Quantile is the smallest recorded latency, to the histogram's resolution,
// that at least the fraction q of all values does not exceed. q is in [0,1];
// the result is 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	n := float64(h.Count())
	if n == 0 {
		return 0
	}
	// hdrhistogram-go rounds the rank to the nearest, which may be one less.
	// Nextafter, as in HdrHistogram itself, keeps 0.07 x 100 from being 8.
	rank := math.Ceil(math.Nextafter(min(max(q, 0), 1), 0) * n)
	v := time.Duration(h.filled().ValueAtPercentile(100 * rank / n))
	return min(max(v, MinLatency), MaxLatency) // not the ends of the outermost buckets
}

// Min is the smallest recorded latency to the histogram's resolution, and 0
// for an empty histogram.
func (h *Histogram) Min() time.Duration { return h.Quantile(0) }

// Max is the largest recorded latency to the histogram's resolution, and 0 for
// an empty histogram.
func (h *Histogram) Max() time.Duration { return h.Quantile(1) }

// Mean is the arithmetic mean, to the histogram's resolution, and 0 for an
// empty histogram.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.filled().Mean())
}

// filled is where the latencies of a histogram are that is not empty.
func (h *Histogram) filled() interface {
	ValueAtPercentile(percentile float64) int64
	Mean() float64
} {
	if h.dense {
		return h.many
	}
	return h.few
}

// Counts are the recorded latencies, in order, each with how often it was
// recorded. Latencies that the histogram does not tell apart are one, the
// smallest of them. Of more than 2048 latencies it first makes a copy, of some
// 8 bytes for each that differs.
func (h *Histogram) Counts() iter.Seq2[time.Duration, int64] {
	return func(yield func(time.Duration, int64) bool) {
		if h.Count() == 0 {
			return
		}
		sparse := h.few
		if h.dense {
			sparse = newPacked()
			sparse.MergeFrom(h.many)
		}
		for latency, n := range sparse.ForEachBucket {
			if !yield(max(time.Duration(latency), MinLatency), n) {
				return
			}
		}
	}
}

// CountAbove is the number of recorded latencies that are greater than d, to
// the histogram's resolution. Those that saturated are above every d: by how
// much is not known, and so a question about 70 s gets the worst answer.
func (h *Histogram) CountAbove(d time.Duration) int64 {
	var n int64
	for latency, count := range h.Counts() {
		if latency > d {
			n += count
		}
	}
	return max(n, h.saturated)
}

// CountBelow is the number of recorded latencies that are smaller than d, to
// the histogram's resolution. Those that saturated are below no d.
func (h *Histogram) CountBelow(d time.Duration) int64 {
	var n int64
	for latency, count := range h.Counts() {
		if latency >= d {
			break
		}
		n += count
	}
	return min(n, h.Count()-h.saturated)
}

func newPacked() *hdrhistogram.PackedHistogram {
	return hdrhistogram.NewPacked(int64(MinLatency), int64(MaxLatency), SignificantDigits)
}
