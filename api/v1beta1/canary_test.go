package v1beta1

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// valid is the smallest Canary that can be rolled out.
func valid() *Canary {
	return &Canary{Spec: CanarySpec{
		TargetRef: TargetRef{APIVersion: TargetAPIVersion, Kind: TargetKind, Name: "podinfo"},
		Analysis:  Analysis{StepWeight: new(int32(10))},
	}}
}

func TestDefaults(t *testing.T) {
	c := valid()
	a := &c.Spec.Analysis
	if a.IntervalOrDefault() != time.Minute || a.ThresholdOrDefault() != 1 || a.MinSamplesOrDefault() != 20 || c.Spec.ProgressDeadline() != 10*time.Minute {
		t.Errorf("interval %v, threshold %d, samples %d, deadline %v", a.IntervalOrDefault(), a.ThresholdOrDefault(), a.MinSamplesOrDefault(), c.Spec.ProgressDeadline())
	}
	a.Interval, a.Threshold = "10ms", -3
	if a.IntervalOrDefault() != time.Second || a.ThresholdOrDefault() != 1 {
		t.Errorf("interval %v is below the least, threshold %d", a.IntervalOrDefault(), a.ThresholdOrDefault())
	}
}

func TestWeights(t *testing.T) {
	for _, tc := range []struct {
		name     string
		analysis Analysis
		want     []int32
	}{
		{"the guide's", Analysis{StepWeight: new(int32(10)), MaxWeight: new(int32(50))}, []int32{10, 20, 30, 40, 50}},
		{"a step that does not divide", Analysis{StepWeight: new(int32(20)), MaxWeight: new(int32(50))}, []int32{20, 40, 50}},
		{"a step beyond the end", Analysis{StepWeight: new(int32(60)), MaxWeight: new(int32(50))}, []int32{50}},
		{"up to everything", Analysis{StepWeight: new(int32(50))}, []int32{50, 100}},
		{"a list", Analysis{StepWeights: []int32{0, 1, 5, 80}}, []int32{1, 5, 80}},
		{"a list with a bound", Analysis{StepWeights: []int32{1, 80}, MaxWeight: new(int32(50))}, []int32{1, 50}},
		{"blue/green", Analysis{Iterations: new(int32(3))}, nil},
	} {
		if got := tc.analysis.Weights(); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestWeightsStayWithinTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step, limit := rapid.Int32Range(-5, 120).Draw(t, "step"), rapid.Int32Range(1, 100).Draw(t, "max")
		last := int32(0)
		for _, w := range (&Analysis{StepWeight: &step, MaxWeight: &limit}).Weights() {
			if w <= last || w > limit {
				t.Fatalf("weight %d after %d with a limit of %d", w, last, limit)
			}
			last = w
		}
		if step > 0 && last != limit {
			t.Fatalf("the last weight is %d, want %d", last, limit)
		}
	})
}

func TestValidateNamesEverythingAtOnce(t *testing.T) {
	if err := valid().Validate(); err != nil {
		t.Fatalf("a good Canary is refused: %v", err)
	}
	c := valid()
	c.Spec.Provider = "istio"
	c.Spec.TargetRef.Kind = "Deployment"
	c.Spec.Analysis = Analysis{
		Interval: "soon", StepWeights: []int32{300}, MaxWeight: new(int32(200)), Iterations: new(int32(1)),
		Load: &Load{Timeout: "-1s", Warmup: "x"},
		Metrics: []Metric{
			{Name: "latency", TemplateRef: &ObjectRef{Name: "x"}}, {Name: "unknown"},
			{Name: MetricDuration, ThresholdRange: &ThresholdRange{Min: new(2.0), Max: new(1.0)}},
		},
		Webhooks: []Webhook{{Name: "check", URL: "http://check"}, {Name: "gate", Type: ConfirmPromotionHook}},
		Match:    []Match{{}},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"spec.provider must be knative", "spec.targetRef must be", "exactly one of stepWeight, stepWeights and iterations, not 2",
		"spec.analysis.interval must be a duration", "load.timeout must be a duration", "load.warmup must be a duration",
		"metrics[0] (latency) asks a metrics server", `metrics[1].name must be request-success-rate or request-duration, not "unknown"`,
		"metrics[2].thresholdRange.min 2 must not be above max 1", "webhooks[0] (check) is a check without metadata.cmd",
		"webhooks[1] (gate) has type confirm-promotion", "spec.analysis.match is not supported",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in:\n%v", want, err)
		}
	}
	c = valid()
	c.Spec.Analysis.StepWeight, c.Spec.Analysis.StepWeights = nil, []int32{0}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "at least one step above 0") {
		t.Errorf("steps of nothing give %v", err)
	}
	c.Spec.Analysis.StepWeights, c.Spec.Analysis.MaxWeight = []int32{101}, new(int32(101))
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "more than 100 percent") {
		t.Errorf("101 percent gives %v", err)
	}
}

func TestHooksAreTheLoadOrIgnoredOrRefused(t *testing.T) {
	c := valid()
	c.Spec.Analysis.Webhooks = []Webhook{
		{Name: "load", Metadata: map[string]string{"cmd": "hey http://x"}},
		{Name: "other", Metadata: map[string]string{"cmd": "wrk http://x"}},
		{Name: "told", Type: EventHook},
		{Name: "gate", Type: RollbackHook},
	}
	if got := c.Spec.Analysis.Webhooks[0].HeyCommand(); got != "hey http://x" {
		t.Errorf("command %q", got)
	}
	if got, want := c.Ignored(), []string{"spec.analysis.webhooks[1] (other)", "spec.analysis.webhooks[2] (told)"}; !slices.Equal(got, want) {
		t.Errorf("ignored %q, want %q", got, want)
	}
	if err := c.Validate(); err == nil || strings.Count(err.Error(), "webhooks[") != 1 {
		t.Errorf("validation says %v, want the gate alone", err)
	}
}
