package report

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/serin-dev/serin/measure"
)

// interval is n requests with latencies from some µs to over a minute.
func interval(rng *rand.Rand, n int) *measure.Snapshot {
	snap := new(measure.Snapshot)
	for range n {
		took := time.Duration(float64(time.Millisecond) * math.Exp(3*rng.NormFloat64()))
		ok := rng.IntN(10) > 0
		snap.Add(measure.Result{Intended: started, Sent: started, Done: started.Add(took), Outcome: measure.Status(200), OK: ok})
	}
	return snap
}

// 700 intervals fill the series at 300 and, in twos, at 600. Then a point is
// four intervals, and has to say of them what their merged histogram says.
func TestMergedPointsHaveTheQuantilesOfAllTheirRequests(t *testing.T) {
	const intervals, stride = 700, 4
	rng := rand.New(rand.NewPCG(1, 2))
	var s Series
	want := make([]measure.Snapshot, intervals/stride)
	for i := range intervals {
		snap := interval(rng, rng.IntN(40))
		s.Add(time.Duration(i)*time.Second, time.Second, snap)
		want[i/stride].Merge(snap)
	}
	if len(s.points) != len(want) {
		t.Fatalf("%d points, want %d", len(s.points), len(want))
	}
	for i := range want {
		p := &s.points[i]
		if p.start != time.Duration(stride*i)*time.Second || p.length != stride*time.Second {
			t.Fatalf("point %d is %v from %v", i, p.length, p.start)
		}
		if p.requests != want[i].Requests() || p.failures != want[i].Failures {
			t.Fatalf("point %d has %d requests, %d failures; want %d and %d", i, p.requests, p.failures, want[i].Requests(), want[i].Failures)
		}
		for _, q := range []float64{0, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
			if got := p.quantile(q); !near(got, want[i].Response.Quantile(q)) {
				t.Fatalf("quantile %g of point %d is %v, want %v", q, i, got, want[i].Response.Quantile(q))
			}
		}
	}
}

// near reports whether two latencies are the same to one part in a hundred.
func near(got, want time.Duration) bool {
	return (got - want).Abs() <= want/100+time.Microsecond
}

// An hour of seconds takes as much memory as five minutes: the histograms grow
// with the latencies that occur, and not with the number of requests.
func TestMemoryOfASeriesIsBounded(t *testing.T) {
	const intervals = 5000
	rng := rand.New(rand.NewPCG(3, 4))
	snaps := make([]*measure.Snapshot, 20)
	for i := range snaps {
		snaps[i] = interval(rng, 50)
	}
	var s Series
	for i := range intervals {
		s.Add(time.Duration(i)*time.Second, time.Second, snaps[i%len(snaps)])
		if len(s.points) > maxPoints {
			t.Fatalf("%d points after %d intervals, want at most %d", len(s.points), i+1, maxPoints)
		}
	}
	memory, requests := 0, int64(0)
	for i := range s.points {
		memory += s.points[i].response.GetMemorySize()
		requests += s.points[i].requests
	}
	if limit := maxPoints * 8 << 10; memory > limit {
		t.Errorf("%d bytes of histograms, want at most %d", memory, limit)
	}
	if requests != 50*intervals || s.end() != intervals*time.Second {
		t.Errorf("%d requests in %v, want %d in %d s", requests, s.end(), 50*intervals, intervals)
	}
}

func TestPackingLosesNoRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.SliceOf(rapid.Int64Range(0, 100e6)).Draw(t, "latencies in µs")
		var snap measure.Snapshot
		for _, v := range micros {
			snap.Response.Record(time.Duration(v) * time.Microsecond)
		}
		p := newPoint(0, time.Second, &snap)
		if p.response.TotalCount() != int64(len(micros)) {
			t.Fatalf("%d packed, want %d", p.response.TotalCount(), len(micros))
		}
		for i := range len(micros) + 1 {
			q := float64(i) / float64(max(len(micros), 1))
			if got, want := p.quantile(q), snap.Response.Quantile(q); !near(got, want) {
				t.Fatalf("quantile %g is %v, want %v", q, got, want)
			}
		}
	})
}

func TestAPointRemembersThatTheGeneratorWasLate(t *testing.T) {
	var late measure.Snapshot
	late.Add(measure.Result{Intended: started, Sent: started.Add(20 * time.Millisecond), Done: started.Add(21 * time.Millisecond), OK: true})
	var s Series
	for i := range maxPoints + 1 {
		snap := new(measure.Snapshot)
		if i == 7 {
			snap = &late
		}
		s.Add(time.Duration(i)*time.Second, time.Second, snap)
	}
	for i := range s.points {
		if s.points[i].limited != (i == 7/2) {
			t.Errorf("point %d: limited is %t", i, s.points[i].limited)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	snap := interval(rand.New(rand.NewPCG(5, 6)), 10000)
	b.ReportAllocs()
	var s Series
	for i := range b.N {
		s.Add(time.Duration(i)*time.Second, time.Second, snap)
	}
}
