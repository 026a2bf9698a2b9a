package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/serin-dev/serin/measure"
)

// gathered are the histograms of a name, by revision.
func (w *world) gathered(name string) map[string]*dto.Histogram {
	w.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.Fatal(err)
	}
	found := make(map[string]*dto.Histogram)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name {
				continue
			}
			revision := ""
			for _, l := range m.GetLabel() {
				if l.GetName() == "revision" {
					revision = l.GetValue()
				}
			}
			found[revision] = m.GetHistogram()
		}
	}
	return found
}

// upper are the upper ends of a native histogram's filled buckets, and how many
// values each holds, as Prometheus reads the spans.
func upper(h *dto.Histogram) (ends []float64, counts []int64) {
	index, next, count := int32(0), 0, int64(0)
	for _, span := range h.GetPositiveSpan() {
		index += span.GetOffset()
		for range span.GetLength() {
			count += h.GetPositiveDelta()[next]
			ends, counts = append(ends, math.Exp2(float64(index)/math.Exp2(float64(h.GetSchema())))), append(counts, count)
			index, next = index+1, next+1
		}
	}
	return ends, counts
}

// quantile is the upper end of the bucket in which the quantile is.
func quantile(h *dto.Histogram, q float64) float64 {
	rank := int64(math.Ceil(q * float64(h.GetSampleCount())))
	ends, counts := upper(h)
	for i, n := range counts {
		if rank -= n; rank <= 0 {
			return ends[i]
		}
	}
	return math.NaN()
}

func TestQuantilesCountAndSumOfLatencies(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	w := newWorld(t)
	var all []time.Duration
	sum := 0.0
	for range 20 { // intervals, from a few latencies to more than a sparse histogram holds
		var latencies []time.Duration
		for range 1 + random.IntN(4000) {
			latency := min(time.Duration(math.Exp(random.NormFloat64()*2-4)*1e9), 50*time.Second)
			latencies = append(latencies, max(latency, time.Microsecond))
			sum += latencies[len(latencies)-1].Seconds()
		}
		all = append(all, latencies...)
		w.Measured(guide, took(latencies...), nil)
	}
	slices.Sort(all)
	h := w.gathered("serin_response_time_seconds")["primary"]
	if h.GetSampleCount() != uint64(len(all)) || math.Abs(h.GetSampleSum()/sum-1) > 0.001 {
		t.Errorf("seed %d: %d latencies of %g s, want %d of %g s", seed, h.GetSampleCount(), h.GetSampleSum(), len(all), sum)
	}
	for _, q := range []float64{0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[int(math.Ceil(q*float64(len(all))))-1].Seconds()
		// The latency is in a bucket that ends where the quantile is read; a
		// measure.Histogram may have put it one bucket lower.
		if got := quantile(h, q); got < want*0.999 || got > want*math.Exp2(1.0/8) {
			t.Errorf("seed %d: quantile %g is %g s, want %g s to %g s", seed, q, got, want, want*math.Exp2(1.0/8))
		}
	}
	for _, b := range h.GetBucket() {
		n, _ := slices.BinarySearchFunc(all, b.GetUpperBound()*1.001, func(latency time.Duration, bound float64) int {
			if latency.Seconds() <= bound {
				return -1
			}
			return 1
		})
		low, _ := slices.BinarySearchFunc(all, b.GetUpperBound(), func(latency time.Duration, bound float64) int {
			if latency.Seconds() <= bound {
				return -1
			}
			return 1
		})
		if got := b.GetCumulativeCount(); got < uint64(low) || got > uint64(n) {
			t.Errorf("seed %d: %d latencies up to %g s, want %d to %d", seed, got, b.GetUpperBound(), low, n)
		}
	}
}

// A bucket includes its upper end; the ends are those of the specification of
// native histograms, 2^(i/8).
func TestBucketsOfLatencies(t *testing.T) {
	for _, tc := range []struct {
		seconds float64
		want    int
	}{
		{1, 0}, {math.Nextafter(1, 2), 1}, {math.Nextafter(1, 0), 0},
		{0.5, -8}, {math.Nextafter(0.5, 1), -7}, {2, 8}, {math.Nextafter(2, 3), 9},
		{1.0905, 1}, {1.0906, 2}, {0.25, -16},
		{measure.MinLatency.Seconds(), -159}, {measure.MaxLatency.Seconds(), 48},
		{0, firstBucket}, {1e9, lastBucket}, // which no histogram holds
	} {
		if got := bucket(tc.seconds); got != tc.want {
			t.Errorf("%v s is in bucket %d, want %d", tc.seconds, got, tc.want)
		}
	}
}

// What saturated counts as 60 s, and is in no classic bucket but the last.
func TestSaturatedLatencies(t *testing.T) {
	w := newWorld(t)
	w.Measured(guide, nil, took(time.Hour, 2*time.Hour, 0))
	h := w.gathered("serin_response_time_seconds")["canary"]
	if h.GetSampleCount() != 3 || math.Abs(h.GetSampleSum()/120-1) > 0.001 {
		t.Errorf("%d latencies of %g s, want 3 of 120 s", h.GetSampleCount(), h.GetSampleSum())
	}
	if got := quantile(h, 1); got != 64 {
		t.Errorf("the longest is up to %g s, want 64 s, the end of the bucket of 60 s", got)
	}
	last := h.GetBucket()[len(h.GetBucket())-1]
	if last.GetUpperBound() != 30 || last.GetCumulativeCount() != 1 {
		t.Errorf("%d latencies up to %g s, want 1 up to 30 s", last.GetCumulativeCount(), last.GetUpperBound())
	}
}

// The cold start is in the requests and in the lag, not in the response times.
func TestWhatIsInWhich(t *testing.T) {
	w := newWorld(t)
	primary, candidate := took(time.Millisecond, time.Millisecond), took(2*time.Millisecond)
	start := time.Unix(0, 0)
	candidate.ColdStart.Add(measure.Result{Intended: start, Sent: start, Done: start.Add(3 * time.Second), Outcome: measure.Status(503)})
	candidate.Add(measure.Result{Intended: start, Done: start.Add(time.Second), Outcome: measure.Timeout}) // not sent
	candidate.Add(measure.Result{Intended: start, Sent: start, Done: start, Outcome: measure.Status(404)})
	w.Measured(guide, primary, candidate)
	w.exposes(`
serin_requests_total{name="podinfo",namespace="test",outcome="2xx",revision="canary"} 1
serin_requests_total{name="podinfo",namespace="test",outcome="2xx",revision="primary"} 2
serin_requests_total{name="podinfo",namespace="test",outcome="4xx",revision="canary"} 1
serin_requests_total{name="podinfo",namespace="test",outcome="5xx",revision="canary"} 1
serin_requests_total{name="podinfo",namespace="test",outcome="timeout",revision="canary"} 1
`, "serin_requests_total")
	times, lag := w.gathered("serin_response_time_seconds"), w.gathered("serin_lag_seconds")[""]
	if p, c := times["primary"].GetSampleCount(), times["canary"].GetSampleCount(); p != 2 || c != 3 {
		t.Errorf("%d and %d response times, want 2 and 3", p, c)
	}
	if lag.GetSampleCount() != 5 {
		t.Errorf("%d lags, want 5", lag.GetSampleCount())
	}
}

// An interval of many requests costs what its latencies cost that differ.
func BenchmarkMeasured(b *testing.B) {
	l := newLatencies()
	primary, candidate := new(measure.Snapshot), new(measure.Snapshot)
	for i := range 1000 {
		latency := time.Duration(i%100+1) * time.Millisecond
		for _, s := range []*measure.Snapshot{primary, candidate} {
			s.Response.Record(latency)
			s.Lag.Record(latency / 100)
		}
	}
	for b.Loop() {
		l.add(guide, primary, candidate)
	}
}
