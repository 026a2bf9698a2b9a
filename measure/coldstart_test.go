package measure

import (
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const coldLimit = 30 * time.Second

// answered is a request to a target, by its intended time and that of its end.
func answered(intended, done time.Duration, o Outcome) Result {
	return result(intended, intended, done, o)
}

func TestColdStartEndsWithTheFirstAnswer(t *testing.T) {
	const s = time.Second
	for name, tc := range map[string]struct {
		results []Result // in the order in which they are recorded
		limit   time.Duration
		want    []bool // which are of the cold start
	}{
		"warm": {
			results: []Result{answered(0, s/100, Status(200)), answered(s, s+s/100, Status(200))},
			want:    []bool{true, false},
		},
		"those that waited for the start too": {
			results: []Result{answered(0, 4*s, Status(200)), answered(s, 4*s, Status(200)), answered(3*s, 5*s, Status(200)), answered(4*s, 6*s, Status(200))},
			want:    []bool{true, true, true, false},
		},
		"an error is an answer": {
			results: []Result{answered(0, s, Status(500)), answered(2*s, 3*s, Status(500))},
			want:    []bool{true, false},
		},
		"so is a refused connection": {
			results: []Result{answered(0, s/1000, Connect), answered(s, s+s/1000, Connect)},
			want:    []bool{true, false},
		},
		"a timeout is none": {
			results: []Result{answered(0, 10*s, Timeout), answered(s, 12*s, Status(200)), answered(11*s, 12*s, Status(200)), answered(13*s, 14*s, Status(200))},
			want:    []bool{true, true, true, false},
		},
		"no answer within the limit": {
			results: []Result{answered(0, 10*s, Timeout), answered(29*s, 39*s, Timeout), answered(30*s, 40*s, Timeout), answered(31*s, 41*s, Status(200))},
			want:    []bool{true, true, false, false},
		},
		"the answer after the limit ends nothing": {
			results: []Result{answered(0, 40*s, Status(200)), answered(29*s, 40*s, Status(200)), answered(35*s, 40*s, Status(200))},
			want:    []bool{true, true, false},
		},
		"the earliest answer decides once it is recorded": {
			results: []Result{answered(0, 5*s, Status(200)), answered(s, 3*s, Status(200)), answered(4*s, 5*s, Status(200))},
			want:    []bool{true, true, false},
		},
		"no limit": {
			results: []Result{answered(0, 5*s, Status(200))},
			limit:   -1,
			want:    []bool{false},
		},
	} {
		limit := coldLimit
		if tc.limit != 0 {
			limit = tc.limit
		}
		rec := NewColdStartRecorder(limit)
		w := rec.Writer()
		var got []bool
		for _, r := range tc.results {
			w.Record(r)
			got = append(got, rec.Take().ColdStart.Requests() == 1)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: cold start %v, want %v", name, got, tc.want)
		}
	}
}

// Whatever the order and the intervals, every result is in one of the two, as
// it would be in a recorder that sets nothing apart.
func TestColdStartLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Int64Range(0, int64(40*time.Second))
		cold, plain := NewColdStartRecorder(coldLimit), NewRecorder()
		a, b := cold.Writer(), plain.Writer()
		var got Snapshot
		for range rapid.IntRange(0, 50).Draw(t, "results") {
			intended := time.Duration(at.Draw(t, "intended"))
			o := rapid.SampledFrom([]Outcome{Status(200), Status(500), Timeout}).Draw(t, "outcome")
			r := answered(intended, intended+time.Duration(at.Draw(t, "response")), o)
			a.Record(r)
			b.Record(r)
			if rapid.Bool().Draw(t, "cut") {
				got.Merge(cold.Take())
			}
		}
		got.Merge(cold.Take())
		all, want := got.WithColdStart(), plain.Take()
		if all.Requests() != want.Requests() || all.Failures != want.Failures || all.ColdStart.Requests() != 0 {
			t.Fatalf("%d requests, %d failures; want %d and %d", all.Requests(), all.Failures, want.Requests(), want.Failures)
		}
		for o, n := range want.Outcomes {
			if all.Outcomes[o] != n || got.Outcomes[o]+got.ColdStart.Outcomes[o] != n {
				t.Fatalf("%d of %v, want %d", all.Outcomes[o], o, n)
			}
		}
		checkSame(t, &all.Response, &want.Response)
		checkSame(t, &all.Lag, &want.Lag)
	})
}

func TestWithColdStartLeavesItsSnapshotAlone(t *testing.T) {
	var s Snapshot
	s.Add(answered(0, time.Second, Status(200)))
	if s.WithColdStart() != &s {
		t.Error("a snapshot without a cold start was copied")
	}
	s.ColdStart.Add(answered(0, 9*time.Second, Status(500)))
	all := s.WithColdStart()
	if s.Requests() != 1 || s.Failures != 0 || all.Requests() != 2 || all.Failures != 1 {
		t.Errorf("%d requests, and %d with the cold start; want 1 and 2", s.Requests(), all.Requests())
	}
	s.Reset()
	if s.Requests() != 0 || s.ColdStart.Requests() != 0 || len(s.Outcomes) != 0 || s.Failures != 0 {
		t.Errorf("after Reset there are %d requests, %d of the cold start", s.Requests(), s.ColdStart.Requests())
	}
}

// The cold start has one end for all writers.
func TestColdStartOfManyWriters(t *testing.T) {
	rec := NewColdStartRecorder(coldLimit)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			w := rec.Writer()
			defer w.Close()
			for n := range 100 {
				start := time.Duration(8*n+i) * time.Millisecond
				w.Record(answered(start, start+3*time.Second, Status(200)))
			}
		})
	}
	wg.Wait()
	w := rec.Writer()
	w.Record(answered(3700*time.Millisecond, 4*time.Second, Status(200)))
	s := rec.Take()
	if s.ColdStart.Requests() != 800 || s.Requests() != 1 {
		t.Errorf("%d requests of the cold start and %d others, want 800 and 1", s.ColdStart.Requests(), s.Requests())
	}
}
