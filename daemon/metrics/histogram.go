package metrics

import (
	"math"
	"sort"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/serin-dev/serin/measure"
)

// The buckets of a native histogram of schema s: number i ends at 2^(i/2^s)
// seconds, included, and begins where i-1 ends. With schema 3 a bucket's ends are
// 9.05 % apart, and those from 1 µs (bucket -159) to 60 s (bucket 48) are 208.
const (
	schema       = 3
	perDoubling  = 1 << schema
	firstBucket  = -160 // one to spare on both sides
	lastBucket   = 49
	bucketNumber = lastBucket - firstBucket + 1
)

// histogram adds up latencies as a native histogram and as a classic one.
type histogram struct {
	began   time.Time
	count   uint64
	seconds float64
	native  [bucketNumber]int64
	bounds  []float64 // of the classic one, in seconds
	classic []uint64  // not cumulative; what is above all bounds is in none
}

func newHistogram(began time.Time, bounds []float64) *histogram {
	return &histogram{began: began, bounds: bounds, classic: make([]uint64, len(bounds))}
}

// add adds all that h has recorded. The sum comes out up to 0.1 % too low, as h
// tells the lowest of the latencies that it does not tell apart.
func (m *histogram) add(h *measure.Histogram) {
	for latency, n := range h.Counts() {
		v := latency.Seconds()
		m.native[bucket(v)-firstBucket] += n
		if i := sort.SearchFloat64s(m.bounds, v); i < len(m.classic) {
			m.classic[i] += uint64(n)
		}
		m.count += uint64(n)
		m.seconds += v * float64(n)
	}
}

// bucket is the number of the native bucket of a latency in seconds. Log2 is
// exact for powers of two, and no other bound is a float64.
func bucket(seconds float64) int {
	return min(max(int(math.Ceil(perDoubling*math.Log2(seconds))), firstBucket), lastBucket)
}

// metric is the histogram as it is now.
func (m *histogram) metric(desc *prometheus.Desc, labels ...string) prometheus.Metric {
	native := make(map[int]int64)
	for i, n := range m.native {
		if n > 0 {
			native[firstBucket+i] = n
		}
	}
	metric, err := prometheus.NewConstNativeHistogram(desc, m.count, m.seconds, native, nil, 0, schema,
		prometheus.DefNativeHistogramZeroThreshold, m.began, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	both := withBuckets{Metric: metric, buckets: make([]*dto.Bucket, len(m.bounds))}
	var sum uint64
	for i, n := range m.classic {
		sum += n
		both.buckets[i] = &dto.Bucket{UpperBound: new(m.bounds[i]), CumulativeCount: new(sum)}
	}
	return both
}

// withBuckets adds classic buckets to a native histogram.
type withBuckets struct {
	prometheus.Metric
	buckets []*dto.Bucket
}

// Write implements prometheus.Metric.
func (w withBuckets) Write(out *dto.Metric) error {
	if err := w.Metric.Write(out); err != nil {
		return err
	}
	out.Histogram.Bucket = w.buckets
	return nil
}
