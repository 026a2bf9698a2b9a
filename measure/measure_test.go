package measure

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func result(intended, sent, done time.Duration, o Outcome) Result {
	return Result{Intended: epoch.Add(intended), Sent: epoch.Add(sent), Done: epoch.Add(done), Outcome: o, OK: !o.Failed()}
}

func TestLatenciesComeFromTheThreeInstants(t *testing.T) {
	r := result(10*time.Millisecond, 40*time.Millisecond, 100*time.Millisecond, Status(200))
	if got := r.ResponseTime(); got != 90*time.Millisecond {
		t.Errorf("response time = %v, want 90ms", got)
	}
	if got := r.ServiceTime(); got != 60*time.Millisecond {
		t.Errorf("service time = %v, want 60ms", got)
	}
	if got := r.Lag(); got != 30*time.Millisecond {
		t.Errorf("lag = %v, want 30ms", got)
	}
}

func TestOutcomes(t *testing.T) {
	for _, tc := range []struct {
		outcome Outcome
		name    string
		code    int
		failed  bool
	}{
		{Status(200), "200", 200, false},
		{Status(404), "404", 404, false},
		{Status(499), "499", 499, false},
		{Status(500), "500", 500, true},
		{Status(503), "503", 503, true},
		{Unknown, "unknown", 0, true},
		{DNS, "dns", 0, true},
		{Connect, "connect", 0, true},
		{TLS, "tls", 0, true},
		{Timeout, "timeout", 0, true},
		{Reset, "reset", 0, true},
		{Truncated, "truncated", 0, true},
		{Protocol, "protocol", 0, true},
		{Protocol - 1, "unknown", 0, true},
	} {
		if got := tc.outcome.String(); got != tc.name {
			t.Errorf("name of %d = %q, want %q", int(tc.outcome), got, tc.name)
		}
		if got := tc.outcome.Code(); got != tc.code {
			t.Errorf("code of %s = %d, want %d", tc.name, got, tc.code)
		}
		if got := tc.outcome.Failed(); got != tc.failed {
			t.Errorf("failed of %s = %v, want %v", tc.name, got, tc.failed)
		}
	}
}

func TestHistogramSaturatesAndCountsIt(t *testing.T) {
	var h Histogram
	h.Record(-time.Second)
	h.Record(MaxLatency)
	h.Record(MaxLatency + time.Microsecond)
	h.Record(time.Hour)
	if h.Count() != 4 || h.Saturated() != 2 {
		t.Fatalf("count %d, saturated %d; want 4 and 2", h.Count(), h.Saturated())
	}
	if got := h.Quantile(0); got != MinLatency {
		t.Errorf("smallest = %v, want %v", got, MinLatency)
	}
	if got := h.Quantile(1); got < MaxLatency || got > MaxLatency*1001/1000 {
		t.Errorf("largest = %v, want %v within a thousandth", got, MaxLatency)
	}
}

// The nearest-rank quantile of the recorded values, within the histogram's
// resolution of one part in a thousand.
func TestQuantileIsWithinResolutionOfTheExactOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.SliceOfN(rapid.Int64Range(1, 60_000_000), 1, 200).Draw(t, "micros")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h Histogram
		for _, v := range micros {
			h.Record(time.Duration(v) * time.Microsecond)
		}
		got := h.Quantile(q)
		atMost := 0
		for _, v := range micros {
			if time.Duration(v)*time.Microsecond <= got+got/1000+time.Microsecond {
				atMost++
			}
		}
		// HdrHistogram rounds the rank to the nearest integer.
		if float64(atMost)+0.5 < q*float64(len(micros)) {
			t.Fatalf("only %d of %d values are at most the %g quantile %v", atMost, len(micros), q, got)
		}
	})
}

func TestCuttingIntoIntervalsLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codes := rapid.SliceOf(rapid.SampledFrom([]Outcome{Status(200), Status(500), Timeout})).Draw(t, "codes")
		cuts := rapid.SliceOfN(rapid.Bool(), len(codes), len(codes)).Draw(t, "cuts")
		rec, sum, whole := NewRecorder(), new(Snapshot), new(Snapshot)
		for i, o := range codes {
			r := result(0, time.Duration(i)*time.Microsecond, time.Duration(3*i)*time.Millisecond, o)
			rec.Record(r)
			whole.Add(r)
			if cuts[i] {
				sum.Merge(rec.Take())
			}
		}
		sum.Merge(rec.Take())
		if sum.Requests() != whole.Requests() || sum.Failures != whole.Failures {
			t.Fatalf("sum has %d requests, %d failures; want %d and %d", sum.Requests(), sum.Failures, whole.Requests(), whole.Failures)
		}
		for _, q := range []float64{0, 0.5, 0.99, 1} {
			if sum.Response.Quantile(q) != whole.Response.Quantile(q) || sum.Service.Quantile(q) != whole.Service.Quantile(q) {
				t.Fatalf("quantile %g differs between sum and whole", q)
			}
		}
	})
}

func TestTakenSnapshotIsTheCallersOwn(t *testing.T) {
	rec := NewRecorder()
	rec.Record(result(0, 0, time.Millisecond, Status(200)))
	taken := rec.Take()
	rec.Record(result(0, 0, time.Millisecond, Status(500)))
	if taken.Requests() != 1 || taken.Failures != 0 {
		t.Fatalf("snapshot changed after it was taken: %d requests, %d failures", taken.Requests(), taken.Failures)
	}
}

func TestNoRateWithoutRequests(t *testing.T) {
	if rate, ok := new(Snapshot).SuccessRate(); ok {
		t.Fatalf("an empty snapshot has success rate %g", rate)
	}
}

func TestRecorderTakesFromManyGoroutines(t *testing.T) {
	const workers, each = 8, 1000
	rec, sum := NewRecorder(), new(Snapshot)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				rec.Record(result(0, 0, time.Millisecond, Status(200)))
			}
		})
	}
	for range 50 {
		sum.Merge(rec.Take())
	}
	wg.Wait()
	sum.Merge(rec.Take())
	if got := sum.Requests(); got != workers*each {
		t.Fatalf("%d results arrived, want %d", got, workers*each)
	}
}

func BenchmarkRecord(b *testing.B) {
	rec := NewRecorder()
	r := result(0, 0, 3*time.Millisecond, Status(200))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			rec.Record(r)
		}
	})
}
