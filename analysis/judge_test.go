package analysis

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/serin-dev/serin/measure"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// sample is a snapshot of good and bad requests that took d each.
func sample(good, bad int, d time.Duration) *measure.Snapshot {
	s := new(measure.Snapshot)
	for i := range good + bad {
		outcome := measure.Status(200)
		if i >= good {
			outcome = measure.Status(500)
		}
		s.Add(measure.Result{Intended: epoch, Sent: epoch, Done: epoch.Add(d), Outcome: outcome, OK: !outcome.Failed()})
	}
	return s
}

func successRate(min float64) Metric {
	return Metric{Name: "request-success-rate", Kind: SuccessRate, Min: &min}
}

func duration(max float64) Metric {
	return Metric{Name: "request-duration", Kind: Duration, Max: &max}
}

func TestVerdicts(t *testing.T) {
	guide := Judge{Metrics: []Metric{successRate(99), duration(500)}, MinSamples: 20}
	for _, tc := range []struct {
		name    string
		judge   Judge
		canary  *measure.Snapshot
		want    Result
		message string
	}{
		{"good", guide, sample(100, 0, 3*time.Millisecond), Pass, "success rate 100% >= 99%, request duration 3ms <= 500ms"},
		{"exactly at the threshold", guide, sample(99, 1, 3*time.Millisecond), Pass, "success rate 99% >= 99%, request duration 3ms <= 500ms"},
		{"one error too many", guide, sample(59, 1, 3*time.Millisecond), Fail, "success rate 98.33% < 99%"},
		{"slow", guide, sample(100, 0, 1500*time.Millisecond), Fail, "request duration 1.501s > 500ms"},
		{"slow and wrong", guide, sample(0, 20, 1500*time.Millisecond), Fail, "success rate 0% < 99%, request duration 1.501s > 500ms"},
		{"everything fails", guide, sample(0, 20, time.Millisecond), Fail, "success rate 0% < 99%"},
		{"one sample short", guide, sample(0, 19, time.Millisecond), Inconclusive, "19 requests, at least 20 needed"},
		{"nothing measured", guide, sample(0, 0, 0), Inconclusive, "0 requests, at least 20 needed"},
		{"nothing measured, nothing needed", Judge{}, sample(0, 0, 0), Inconclusive, "0 requests, at least 1 needed"},
		{"no metrics", Judge{}, sample(0, 1, 0), Pass, ""},
		{"no thresholds", Judge{Metrics: []Metric{{Kind: SuccessRate}}}, sample(1, 1, 0), Pass, "success rate 50%"},
		{"just below everything", Judge{Metrics: []Metric{successRate(100)}}, sample(99999, 1, 0), Fail, "success rate 99.999% < 100%"},
		{"below by less than is shown", guide, sample(98996, 1004, 0), Fail, "success rate 98.996% < 99%"},
		{"another quantile", Judge{Metrics: []Metric{{Kind: Duration, Max: new(500.0), Quantile: 0.5}}}, sample(10, 0, time.Second), Fail, "request duration p50 1s > 500ms"},
		{"too good", Judge{Metrics: []Metric{{Kind: SuccessRate, Max: new(50.0)}}}, sample(3, 1, 0), Fail, "success rate 75% > 50%"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.judge.Verdict(Window{Canary: tc.canary})
			if got.Result != tc.want || got.String() != tc.message {
				t.Errorf("verdict %v: %q, want %v: %q", got.Result, got, tc.want, tc.message)
			}
			if got.Requests != tc.canary.Requests() {
				t.Errorf("verdict counts %d requests, want %d", got.Requests, tc.canary.Requests())
			}
		})
	}
}

// In Flagger all requests failing reads as no traffic, as the query for the
// successful ones has no result; and no traffic reads as a failure.
func TestD17FailingIsNoLackOfTraffic(t *testing.T) {
	for _, mode := range []Mode{Classic, Sequential} {
		j := Judge{Mode: mode, Metrics: []Metric{successRate(99)}, MinSamples: 20}
		for failed, want := range map[int]Result{0: Inconclusive, 60: Fail} {
			trial := NewTrial(j)
			trial.Add(0, sample(0, 0, 0), sample(0, failed, time.Millisecond))
			if v := trial.Verdict(time.Minute); v.Result != want {
				t.Errorf("mode %v, %d requests that all failed: %v %q, want %v", mode, failed, v.Result, v, want)
			}
		}
	}
}

func TestThresholdEndsAreIncluded(t *testing.T) {
	s := sample(57, 43, 0)
	for _, tc := range []struct {
		min  float64
		want Result
	}{
		{57, Pass},
		{math.Nextafter(57, 0), Pass},
		{math.Nextafter(57, 100), Fail},
	} {
		if got := (Judge{Metrics: []Metric{successRate(tc.min)}}).Verdict(Window{Canary: s}).Result; got != tc.want {
			t.Errorf("57 of 100 against min %.17g = %v, want %v", tc.min, got, tc.want)
		}
	}
}

func TestMoreErrorsNeverTurnFailIntoPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		good, bad := rapid.IntRange(0, 200).Draw(t, "good"), rapid.IntRange(0, 200).Draw(t, "bad")
		more := rapid.IntRange(0, 50).Draw(t, "more")
		judge := Judge{Metrics: []Metric{successRate(rapid.Float64Range(0, 100).Draw(t, "min"))}, MinSamples: 20}
		before := judge.Verdict(Window{Canary: sample(good, bad, 0)}).Result
		after := judge.Verdict(Window{Canary: sample(good, bad+more, 0)}).Result
		if before == Fail && after != Fail {
			t.Fatalf("%d good, %d bad fail, but %d more bad give %v", good, bad, more, after)
		}
	})
}

func TestZeroVerdictMovesNothing(t *testing.T) {
	if got := (Verdict{}).Result; got != Inconclusive {
		t.Fatalf("zero verdict is %v", got)
	}
}

func TestSummary(t *testing.T) {
	got := Summarize(sample(3, 1, 20*time.Millisecond))
	if got.Requests != 4 || got.SuccessRate != 0.75 || got.P50.Round(time.Millisecond) != 20*time.Millisecond || got.P99.Round(time.Millisecond) != 20*time.Millisecond {
		t.Errorf("summary %+v", got)
	}
	if got := Summarize(new(measure.Snapshot)); got != (Summary{}) {
		t.Errorf("summary of nothing %+v", got)
	}
}

func TestQuantilesAreTheMetrics(t *testing.T) {
	s := sample(90, 0, 10*time.Millisecond)
	s.Merge(sample(10, 0, time.Second))
	for q, want := range map[float64]Result{0.5: Pass, 0.9: Pass, 0.95: Fail, 0: Fail} {
		judge := Judge{Metrics: []Metric{{Kind: Duration, Max: new(100.0), Quantile: q}}}
		if got := judge.Verdict(Window{Canary: s}).Result; got != want {
			t.Errorf("quantile %g of nine fast requests for each slow one: %v, want %v", q, got, want)
		}
	}
}

func TestLooksAreAsOftenAsFiveRequests(t *testing.T) {
	for rate, want := range map[float64]time.Duration{
		0.1: time.Second, 9.9: time.Second, 10: 500 * time.Millisecond, 25: 200 * time.Millisecond, 50: 100 * time.Millisecond, 5000: 100 * time.Millisecond,
	} {
		if got := (Judge{Mode: Sequential, Rate: rate}).Period(); got != want {
			t.Errorf("at %g requests/s a look every %v, want %v", rate, got, want)
		}
	}
	if got := (Judge{Interval: time.Minute, Rate: 100}).Period(); got != time.Minute {
		t.Errorf("a classic judge looks every %v", got)
	}
}

// The cold start is judged by those metrics that ask for it, in both modes.
func TestColdStartIsJudgedWhereItIsAskedFor(t *testing.T) {
	canary := sample(300, 0, time.Millisecond)
	canary.ColdStart = sample(100, 0, 3*time.Second).Results
	for _, mode := range []Mode{Classic, Sequential} {
		for _, included := range []bool{false, true} {
			m := duration(500)
			m.IncludeColdStart = included
			trial := NewTrial(Judge{Mode: mode, Metrics: []Metric{m}, MinSamples: 1})
			trial.Add(0, sample(300, 0, time.Millisecond), canary)
			want, requests := Pass, int64(300)
			if included {
				want, requests = Fail, 400
			}
			if v := trial.Verdict(time.Second); v.Result != want || trial.Result(time.Second) != want || v.Findings[0].Requests != requests {
				t.Errorf("mode %v, included %v: %v %q of %d requests, want %v of %d", mode, included, v.Result, v, v.Findings[0].Requests, want, requests)
			}
		}
	}
}
