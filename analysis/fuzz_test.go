package analysis

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/measure"
)

// Whatever a judge is told and whatever was measured, it says something that
// can be said, and moves nothing without a reason.
func FuzzJudge(f *testing.F) {
	nan, inf := math.NaN(), math.Inf(1)
	f.Add(true, int8(0), 99.0, 100.0, 0.0, 0.01, 0.9, nan, int64(1e6), uint16(100), uint16(1))
	f.Add(true, int8(0), 0.0, 0.0, 0.0, 0.0, 0.0, nan, int64(1e6), uint16(100), uint16(100))
	f.Add(true, int8(0), 100.0, 100.0, 0.0, 0.0, 0.0, nan, int64(1e6), uint16(100), uint16(1))
	f.Add(true, int8(1), 50.0, 10.0, 0.0, 0.0, 0.0, nan, int64(1e6), uint16(100), uint16(1))
	f.Add(true, int8(3), 0.0, 500.0, 0.99, 0.01, 0.9, 0.1, int64(measure.MaxLatency)*2, uint16(100), uint16(0))
	f.Add(true, int8(3), nan, 1e300, 0.5, 0.01, 0.9, nan, int64(1), uint16(0), uint16(0))
	f.Add(false, int8(4), nan, inf, nan, nan, nan, inf, int64(-1), uint16(3), uint16(3))
	f.Add(true, int8(4), 1.0, 1e-300, 0.0, 0.5, 0.5, 0.0, int64(1e3), uint16(40), uint16(0))
	f.Add(true, int8(5), 9.0, 11.0, 0.0, 1e-300, 1-1e-16, -1.0, int64(1e9), uint16(40), uint16(20))
	f.Fuzz(func(t *testing.T, sequential bool, kind int8, low, high, quantile, errorRate, power, margin float64, took int64, n, failed uint16) {
		j := Judge{ErrorRate: errorRate, Power: power, Interval: time.Second, Rate: 10, Steps: 3, MaxDuration: 4 * time.Second}
		if sequential {
			j.Mode = Sequential
		}
		m := Metric{Name: "m", Kind: Kind(kind), Min: &low, Max: &high, Quantile: quantile, Outcome: measure.Status(500)}
		if math.IsNaN(low) { // stands for an open end
			m.Min = nil
		}
		if math.IsNaN(high) {
			m.Max = nil
		}
		if !math.IsNaN(margin) {
			m.Baseline = &Baseline{Fraction: &margin}
		}
		j.Metrics = []Metric{m}

		trial := NewTrial(j)
		primary, canary := new(measure.Snapshot), new(measure.Snapshot)
		for i := range n % 64 {
			answer{took: time.Duration(took), failed: i < failed}.add(canary)
			answer{took: time.Duration(took) / 2}.add(primary)
		}
		for second := range 6 {
			if second == 4 {
				trial.Next()
			}
			trial.Add(int64(second), primary, canary)
			elapsed := time.Duration(second+1) * time.Second
			checkVerdict(t, &j, trial.Verdict(elapsed), canary)
			if got, want := trial.Result(elapsed), trial.Verdict(elapsed).Result; got != want {
				t.Fatalf("the result is %s, the verdict says %s", got, want)
			}
		}
		checkVerdict(t, &j, j.Verdict(Window{Primary: primary, Canary: canary, Elapsed: time.Second}), canary)
		if text := j.Plan(10, 0).String(); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Fatalf("the plan says %q", text)
		}
	})
}

func checkVerdict(t *testing.T, j *Judge, v Verdict, canary *measure.Snapshot) {
	t.Helper()
	if err := j.Validate(); (err != nil || canary.Requests() == 0) && (v.Result != Inconclusive || v.Proven) {
		t.Fatalf("%s of %d requests, by a judge with the error %v", v.Result, canary.Requests(), err)
	}
	if v.Proven && v.Result != Fail {
		t.Fatalf("%s is proven", v.Result)
	}
	for _, f := range v.Findings {
		if f.Message == "" || strings.Contains(f.Message+f.Explanation, "NaN") || strings.Contains(f.Message+f.Explanation, "Inf") {
			if j.Validate() == nil { // those repeat what they were told
				t.Fatalf("%+v", f)
			}
		}
		if f.Low > f.High {
			t.Fatalf("between %g and %g: %+v", f.Low, f.High, f)
		}
	}
}
