package measure

import (
	"fmt"
	"math"
	"slices"
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

// Response time is the sum of its parts, and a wait for a connection is not the
// generator's lag.
func TestWaitingForAConnectionIsNotLag(t *testing.T) {
	r := result(10*time.Millisecond, 42*time.Millisecond, 100*time.Millisecond, Status(200))
	r.Ready = epoch.Add(40 * time.Millisecond)
	if r.Wait() != 30*time.Millisecond || r.Lag() != 2*time.Millisecond || r.ServiceTime() != 58*time.Millisecond {
		t.Errorf("wait %v, lag %v, service %v; want 30ms, 2ms, 58ms", r.Wait(), r.Lag(), r.ServiceTime())
	}
	if sum := r.Wait() + r.Lag() + r.ServiceTime(); sum != r.ResponseTime() {
		t.Errorf("the parts are %v, the response time is %v", sum, r.ResponseTime())
	}
	early := result(10*time.Millisecond, 12*time.Millisecond, 20*time.Millisecond, Status(200))
	early.Ready = epoch // before it was due
	if early.Wait() != 0 || early.Lag() != 2*time.Millisecond {
		t.Errorf("wait %v, lag %v of a request that did not wait; want 0 and 2ms", early.Wait(), early.Lag())
	}
}

func TestRequestGivenUpUnsentHasOnlyAResponseTime(t *testing.T) {
	var s Snapshot
	s.Add(Result{Intended: epoch, Ready: epoch.Add(time.Second), Done: epoch.Add(time.Second), Outcome: Timeout})
	if s.Response.Count() != 1 || s.Service.Count() != 0 || s.Lag.Count() != 0 || s.Waited != 1 || s.Failures != 1 {
		t.Errorf("%d response, %d service, %d lag values, %d waited, %d failures; want 1, 0, 0, 1, 1",
			s.Response.Count(), s.Service.Count(), s.Lag.Count(), s.Waited, s.Failures)
	}
	if got := s.Response.Quantile(1); got < 999*time.Millisecond || got > 1001*time.Millisecond {
		t.Errorf("response time %v, want 1s", got)
	}
}

// What a recorder computes in one go is what the methods of Result say.
func TestSnapshotHoldsTheLatenciesOfItsResults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := func(name string) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(30*time.Second)).Draw(t, name))
		}
		intended := at("intended")
		r := result(intended, intended+at("late"), intended+30*time.Second+at("service"), Status(200))
		r.Ready = r.Intended.Add(min(at("ready"), r.Sent.Sub(r.Intended)))
		var s Snapshot
		s.Add(r)
		for _, c := range []struct {
			name      string
			got, want time.Duration
		}{
			{"response", s.Response.Max(), r.ResponseTime()},
			{"service", s.Service.Max(), r.ServiceTime()},
			{"lag", s.Lag.Max(), r.Lag()},
		} {
			want := min(max(c.want, MinLatency), MaxLatency)
			if off := c.got - want; off < -want/1000-time.Microsecond || off > want/1000+time.Microsecond {
				t.Fatalf("%s = %v, want %v", c.name, c.got, want)
			}
		}
	})
}

func TestLateGeneratorIsToldFromSlowTarget(t *testing.T) {
	for _, tc := range []struct {
		name          string
		lag, response time.Duration
		want          bool
	}{
		{"on time", 999 * time.Microsecond, 2 * time.Millisecond, false},
		{"late for a fast target", 1010 * time.Microsecond, 2 * time.Millisecond, true},
		{"within a twentieth of a slow target", 9 * time.Millisecond, 200 * time.Millisecond, false},
		{"over a twentieth of a slow target", 11 * time.Millisecond, 200 * time.Millisecond, true},
	} {
		var s Snapshot
		for range 100 {
			s.Add(result(0, tc.lag, tc.response, Status(200)))
		}
		if got := s.GeneratorLimited(); got != tc.want {
			t.Errorf("%s: limited = %v, want %v", tc.name, got, tc.want)
		}
	}
	if new(Snapshot).GeneratorLimited() {
		t.Error("an empty interval is limited by the generator")
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
	if got := h.Quantile(1); got != MaxLatency {
		t.Errorf("largest = %v, want %v", got, MaxLatency)
	}
}

// The quantile is that of the nearest-rank definition, within the histogram's
// resolution.
func TestQuantileIsWithinResolutionOfTheExactOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(int64(MinLatency), int64(MaxLatency)), 1, 600).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h Histogram
		for _, v := range values {
			h.Record(time.Duration(v))
		}
		slices.Sort(values)
		rank := max(int(math.Ceil(q*float64(len(values)))), 1)
		want := time.Duration(values[rank-1])
		if off := (h.Quantile(q) - want).Abs(); off > want/1000+time.Microsecond {
			t.Fatalf("quantile %g of %d values is %v, want %v", q, len(values), h.Quantile(q), want)
		}
	})
}

// Ranks that floating point might round the wrong way.
func TestQuantilesAtExactRanks(t *testing.T) {
	for _, n := range []int{1, 3, 10, 100, 501, 1000, 10_000} {
		var h Histogram
		for i := range n {
			h.Record(time.Duration(i+1) * time.Millisecond)
		}
		for percent := 1; percent <= 100; percent++ {
			rank := (percent*n + 99) / 100
			want := time.Duration(rank) * time.Millisecond
			if off := (h.Quantile(float64(percent)/100) - want).Abs(); off > want/1000 {
				t.Errorf("p%d of 1ms, 2ms, … %dms is %v, want %v", percent, n, h.Quantile(float64(percent)/100), want)
			}
		}
	}
}

func TestCountsAreWhatWasRecorded(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{5 * time.Millisecond, time.Nanosecond, 5 * time.Millisecond, time.Hour, 7 * time.Second} {
		h.Record(d)
	}
	var got []string
	var sum int64
	for d, n := range h.Counts() {
		got = append(got, fmt.Sprint(d.Round(100*time.Millisecond+time.Millisecond/2), n))
		sum += n
	}
	if sum != h.Count() || len(got) != 4 {
		t.Errorf("counts %v, want four latencies and %d in all", got, h.Count())
	}
	for _, tc := range []struct {
		d    time.Duration
		want int64
	}{{0, 5}, {time.Millisecond, 4}, {6 * time.Millisecond, 2}, {8 * time.Second, 1}, {MaxLatency, 1}} {
		if got := h.CountAbove(tc.d); got != tc.want {
			t.Errorf("%d above %v, want %d", got, tc.d, tc.want)
		}
	}
	for range new(Histogram).Counts() {
		t.Error("an empty histogram has counts")
	}
}

func TestCuttingIntoIntervalsLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codes := rapid.SliceOf(rapid.SampledFrom([]Outcome{Status(200), Status(500), Timeout})).Draw(t, "codes")
		cuts := rapid.SliceOfN(rapid.Bool(), len(codes), len(codes)).Draw(t, "cuts")
		rec, sum, whole := NewRecorder(), new(Snapshot), new(Snapshot)
		w := rec.Writer()
		for i, o := range codes {
			r := result(0, time.Duration(i)*time.Microsecond, time.Duration(3*i)*time.Millisecond, o)
			w.Record(r)
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
	w := rec.Writer()
	w.Record(result(0, 0, time.Millisecond, Status(200)))
	taken := rec.Take()
	w.Record(result(0, 0, time.Millisecond, Status(500)))
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
			w := rec.Writer()
			defer w.Close()
			for range each {
				w.Record(result(0, 0, time.Millisecond, Status(200)))
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

func BenchmarkRecord(b *testing.B)          { benchmarkRecord(b, NewRecorder()) }
func BenchmarkRecordColdStart(b *testing.B) { benchmarkRecord(b, NewColdStartRecorder(30*time.Second)) }

func benchmarkRecord(b *testing.B, rec *Recorder) {
	now := time.Now() // with the monotonic reading that real instants have
	r := Result{Intended: now, Sent: now.Add(20 * time.Microsecond), Done: now.Add(3 * time.Millisecond), Outcome: Status(200), OK: true}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w := rec.Writer()
		defer w.Close()
		for pb.Next() {
			w.Record(r)
		}
	})
}
