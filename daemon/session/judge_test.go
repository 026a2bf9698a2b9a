package session

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/measure"
)

func TestJudgeTakesBothFormsOfThreshold(t *testing.T) {
	got := JudgeFor(canaryWith(v1beta1.Analysis{Interval: "15s", Metrics: []v1beta1.Metric{
		{Name: "request-success-rate", ThresholdRange: &v1beta1.ThresholdRange{Min: new(99.0)}},
		{Name: "request-duration", Threshold: new(500.0), Quantile: new(0.5)},
		{Name: "request-success-rate", Threshold: new(95.0)},
	}}), Load{Rate: 10})
	want := analysis.Judge{MinSamples: 20, Interval: 15 * time.Second, Rate: 10, Metrics: []analysis.Metric{
		{Name: "request-success-rate", Kind: analysis.SuccessRate, Min: new(99.0)},
		{Name: "request-duration", Kind: analysis.Duration, Max: new(500.0), Quantile: 0.5},
		{Name: "request-success-rate", Kind: analysis.SuccessRate, Min: new(95.0)},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("judge (-want +got):\n%s", diff)
	}
}

func TestJudgeKnowsEveryMetric(t *testing.T) {
	got := JudgeFor(canaryWith(v1beta1.Analysis{Metrics: []v1beta1.Metric{
		{Name: "latency-p999", ThresholdRange: &v1beta1.ThresholdRange{Max: new(800.0)}},
		{Name: "latency-mean", Baseline: &v1beta1.Baseline{MaxDelta: new(5.0)}},
		{Name: "throughput", Baseline: &v1beta1.Baseline{MaxDecrease: "5%"}},
		{Name: "error-rate", Baseline: &v1beta1.Baseline{MaxIncrease: "10%"}, IncludeColdStart: true},
		{Name: "error-rate-timeout", ThresholdRange: &v1beta1.ThresholdRange{Max: new(0.0)}},
		{Name: "error-rate-unknown", ThresholdRange: &v1beta1.ThresholdRange{Max: new(0.0)}},
		{Name: "cpu", Query: "up"},
	}}), Load{Rate: 10}).Metrics
	want := []analysis.Metric{
		{Name: "latency-p999", Kind: analysis.Duration, Quantile: 0.999, Max: new(800.0)},
		{Name: "latency-mean", Kind: analysis.MeanDuration, Baseline: &analysis.Baseline{Delta: new(5.0)}},
		{Name: "throughput", Kind: analysis.Throughput, Baseline: &analysis.Baseline{Fraction: new(0.05)}},
		{Name: "error-rate", Kind: analysis.ErrorRate, Baseline: &analysis.Baseline{Fraction: new(0.1)}, IncludeColdStart: true},
		{Name: "error-rate-timeout", Kind: analysis.OutcomeRate, Outcome: measure.Timeout, Max: new(0.0)},
		{Name: "error-rate-unknown", Kind: analysis.OutcomeRate, Outcome: measure.Unknown, Max: new(0.0)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestSequentialJudgeKnowsTheWholeRollout(t *testing.T) {
	metrics := []v1beta1.Metric{{Name: "request-success-rate", Threshold: new(99.0)}}
	for _, tc := range []struct {
		name     string
		analysis v1beta1.Analysis
		want     analysis.Judge
	}{
		{"by default", v1beta1.Analysis{StepWeight: new(int32(10)), MaxWeight: new(int32(50)), Judge: &v1beta1.Judge{Mode: "sequential"}},
			analysis.Judge{ErrorRate: 0.01, Power: 0.9, Steps: 6, MinSamples: 1, MaxDuration: 150 * time.Second}},
		{"as asked for", v1beta1.Analysis{Iterations: new(int32(4)), Judge: &v1beta1.Judge{Mode: "sequential", ErrorRate: new(0.05), Power: new(0.8), MinSamples: new(int32(7)), MaxDuration: "5m"}},
			analysis.Judge{ErrorRate: 0.05, Power: 0.8, Steps: 4, MinSamples: 7, MaxDuration: 5 * time.Minute}},
	} {
		tc.analysis.Interval, tc.analysis.Metrics = "15s", metrics
		tc.want.Mode, tc.want.Interval, tc.want.Rate = analysis.Sequential, 15*time.Second, 10
		tc.want.Metrics = []analysis.Metric{{Name: "request-success-rate", Kind: analysis.SuccessRate, Min: new(99.0)}}
		if diff := cmp.Diff(tc.want, JudgeFor(canaryWith(tc.analysis), Load{Rate: 10})); diff != "" {
			t.Errorf("%s: judge (-want +got):\n%s", tc.name, diff)
		}
	}
}
