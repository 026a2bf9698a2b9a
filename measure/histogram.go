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

// Histogram counts latencies from 1 µs to 60 s. Values outside saturate at the
// ends; those above are counted in Saturated. The zero Histogram is empty and
// ready for use; it allocates its counts (136 KiB) on first use.
type Histogram struct {
	hdr       *hdrhistogram.Histogram
	saturated int64
}

// Record counts one latency.
func (h *Histogram) Record(d time.Duration) {
	if h.hdr == nil {
		h.init()
	}
	if d > MaxLatency {
		d = MaxLatency
		h.saturated++
	}
	// The value was brought into range, which is all that RecordValue checks.
	_ = h.hdr.RecordValue(int64(max(d, MinLatency)))
}

// Merge adds other's counts to h.
func (h *Histogram) Merge(other *Histogram) {
	if other.hdr != nil {
		if h.hdr == nil {
			h.init()
		}
		h.hdr.Merge(other.hdr)
	}
	h.saturated += other.saturated
}

// Count is the number of recorded latencies.
func (h *Histogram) Count() int64 {
	if h.hdr == nil {
		return 0
	}
	return h.hdr.TotalCount()
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
	v := time.Duration(h.hdr.ValueAtQuantile(100 * rank / n))
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
	return time.Duration(h.hdr.Mean())
}

// Counts are the recorded latencies, in order, each with how often it was
// recorded. Latencies that the histogram does not tell apart are one, the
// smallest of them.
func (h *Histogram) Counts() iter.Seq2[time.Duration, int64] {
	return func(yield func(time.Duration, int64) bool) {
		if h.hdr == nil {
			return
		}
		for _, bar := range h.hdr.Distribution() {
			if bar.Count > 0 && !yield(max(time.Duration(bar.From), MinLatency), bar.Count) {
				return
			}
		}
	}
}

// CountAbove is the number of recorded latencies that are greater than d, to
// the histogram's resolution.
func (h *Histogram) CountAbove(d time.Duration) int64 {
	var n int64
	for latency, count := range h.Counts() {
		if latency > d {
			n += count
		}
	}
	return n
}

func (h *Histogram) init() {
	h.hdr = hdrhistogram.New(int64(MinLatency), int64(MaxLatency), SignificantDigits)
}
