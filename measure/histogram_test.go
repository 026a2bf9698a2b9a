package measure

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dense is an empty histogram that has a count for every latency from the
// beginning.
func dense() *Histogram {
	h := new(Histogram)
	h.becomeDense(maxFew + 1)
	return h
}

func checkSame(t *rapid.T, got, want *Histogram) {
	t.Helper()
	if got.Count() != want.Count() || got.Saturated() != want.Saturated() || got.Mean() != want.Mean() || got.Max() != want.Max() {
		t.Fatalf("count %d, saturated %d, mean %v, max %v; want %d, %d, %v, %v", got.Count(), got.Saturated(), got.Mean(), got.Max(),
			want.Count(), want.Saturated(), want.Mean(), want.Max())
	}
	if !slices.Equal(counts(got), counts(want)) {
		t.Fatalf("counts %v, want %v", counts(got), counts(want))
	}
	q := rapid.Float64Range(0, 1).Draw(t, "q")
	if got.Quantile(q) != want.Quantile(q) {
		t.Fatalf("quantile %g is %v, want %v", q, got.Quantile(q), want.Quantile(q))
	}
	d := time.Duration(rapid.Int64Range(0, int64(2*MaxLatency)).Draw(t, "d"))
	if got.CountAbove(d) != want.CountAbove(d) || got.CountBelow(d) != want.CountBelow(d) {
		t.Fatalf("%d above and %d below %v, want %d and %d", got.CountAbove(d), got.CountBelow(d), d, want.CountAbove(d), want.CountBelow(d))
	}
}

// How a histogram keeps its latencies changes nothing that is said of them.
func TestFewLatenciesAreLikeMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got Histogram
		want := dense()
		for _, b := range drawBars(t, "before") {
			got.RecordN(b.latency, b.count)
			want.RecordN(b.latency, b.count)
		}
		checkSame(t, &got, want)
		other, denseOther := new(Histogram), dense()
		for _, b := range drawBars(t, "other") {
			other.RecordN(b.latency, b.count)
			denseOther.RecordN(b.latency, b.count)
		}
		got.Merge(other)
		want.Merge(denseOther)
		checkSame(t, &got, want)
		got.Reset()
		if got.Count() != 0 || got.Saturated() != 0 || got.Quantile(1) != 0 {
			t.Fatalf("after Reset there are %d latencies up to %v", got.Count(), got.Quantile(1))
		}
		got.Merge(want)
		checkSame(t, &got, want)
	})
}

// The histogram becomes dense at the latency that is one too many, and only then.
func TestMemoryIsForWhatIsThere(t *testing.T) {
	var h Histogram
	for i := range maxFew {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	if h.dense || h.many != nil {
		t.Errorf("%d latencies have memory for all", maxFew)
	}
	h.Record(time.Second)
	if !h.dense || h.Count() != maxFew+1 {
		t.Errorf("dense %v with %d latencies, want true with %d", h.dense, h.Count(), maxFew+1)
	}
	kept := h.many
	h.Reset()
	h.RecordN(time.Second, maxFew+1)
	if h.many != kept || h.Count() != maxFew+1 {
		t.Errorf("Reset did not keep the memory, or %d latencies too many", h.Count()-maxFew-1)
	}
}

func TestRecordN(t *testing.T) {
	var h Histogram
	h.RecordN(time.Second, 0)
	h.RecordN(time.Second, -1)
	if h != (Histogram{}) {
		t.Error("recording nothing took memory")
	}
	h.RecordN(time.Hour, 3)
	if h.Count() != 3 || h.Saturated() != 3 {
		t.Errorf("count %d, saturated %d; want 3 and 3", h.Count(), h.Saturated())
	}
	h.RecordN(time.Hour, math.MaxInt64) // 3 too many
	if h.Count() != 3 || h.Saturated() != 3 {
		t.Errorf("count %d, saturated %d after an overflow; want 3 and 3", h.Count(), h.Saturated())
	}
}

// What is above 60 s has no known size: it is above everything and below
// nothing.
func TestSaturatedLatenciesAreAboveEverything(t *testing.T) {
	h := histogram(time.Millisecond, MaxLatency, MaxLatency+1, time.Hour)
	for _, tc := range []struct {
		d            time.Duration
		above, below int64
	}{
		{0, 4, 0},
		{10 * time.Millisecond, 3, 1},
		{MaxLatency - MaxLatency/1000, 3, 1},
		{MaxLatency, 2, 2}, // it cannot be told from what is little less
		{2 * time.Hour, 2, 2},
		{math.MaxInt64, 2, 2},
	} {
		if above, below := h.CountAbove(tc.d), h.CountBelow(tc.d); above != tc.above || below != tc.below {
			t.Errorf("%d above and %d below %v, want %d and %d", above, below, tc.d, tc.above, tc.below)
		}
	}
}

// Snapshots of several sources may be added up in any order and grouping.
func TestMergingIsAssociative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) *Snapshot {
			s := new(Snapshot)
			for _, b := range drawBars(t, name) {
				r := answered(0, b.latency, rapid.SampledFrom([]Outcome{Status(200), Status(500), Timeout}).Draw(t, "outcome"))
				s.Add(r)
				s.ColdStart.Add(r)
				s.Response.RecordN(b.latency, b.count)
			}
			return s
		}
		sum := func(parts ...*Snapshot) *Snapshot {
			all := new(Snapshot)
			for _, p := range parts {
				all.Merge(p)
			}
			return all
		}
		a, b, c := draw("a"), draw("b"), draw("c")
		left, right := sum(sum(a, b), c), sum(c, sum(b, a))
		if left.Failures != right.Failures || !maps.Equal(left.Outcomes, right.Outcomes) || !maps.Equal(left.ColdStart.Outcomes, right.ColdStart.Outcomes) {
			t.Fatalf("outcomes %v and %v", left.Outcomes, right.Outcomes)
		}
		checkSame(t, &left.Response, &right.Response)
		checkSame(t, &left.ColdStart.Service, &right.ColdStart.Service)
	})
}
