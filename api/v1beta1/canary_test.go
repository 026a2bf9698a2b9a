package v1beta1

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
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

func TestDefaultsOfAJudge(t *testing.T) {
	type defaults struct {
		sequential       bool
		errorRate, power float64
		samples          int64
		maxDuration      time.Duration
	}
	for _, tc := range []struct {
		name     string
		analysis Analysis
		want     defaults
	}{
		{"none", Analysis{}, defaults{false, 0.01, 0.9, 20, 10 * time.Minute}},
		{"none, with samples", Analysis{MinSamples: new(int32(5))}, defaults{false, 0.01, 0.9, 5, 10 * time.Minute}},
		{"empty", Analysis{Judge: &Judge{}}, defaults{false, 0.01, 0.9, 20, 10 * time.Minute}},
		{"classic", Analysis{Judge: &Judge{Mode: ModeClassic}}, defaults{false, 0.01, 0.9, 20, 10 * time.Minute}},
		{"sequential", Analysis{Interval: "15s", Judge: &Judge{Mode: ModeSequential}}, defaults{true, 0.01, 0.9, 1, 150 * time.Second}},
		{"sequential, with samples", Analysis{MinSamples: new(int32(50)), Judge: &Judge{Mode: ModeSequential}}, defaults{true, 0.01, 0.9, 50, 10 * time.Minute}},
		{"everything", Analysis{Judge: &Judge{Mode: ModeSequential, ErrorRate: new(0.05), Power: new(0.8), MinSamples: new(int32(7)), MaxDuration: "5m"}}, defaults{true, 0.05, 0.8, 7, 5 * time.Minute}},
	} {
		a := tc.analysis
		got := defaults{a.Sequential(), a.ErrorRateOrDefault(), a.PowerOrDefault(), a.MinSamplesOrDefault(), a.MaxDurationOrDefault()}
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
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
		{"bounds beyond everything", Analysis{StepWeight: new(int32(40)), MaxWeight: new(int32(math.MaxInt32))}, []int32{40, 80, 100}},
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
		Webhooks: []Webhook{{Name: "check", URL: "http://check", Timeout: "long"}, {Name: "gate", Type: ConfirmPromotionHook}, {Name: "check", URL: "ftp://check"}},
		Match:    []Match{{}},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"spec.provider must be knative", "spec.targetRef must be", "exactly one of stepWeight, stepWeights and iterations, not 2",
		"spec.analysis.interval must be a duration", "load.timeout must be a duration", "load.warmup must be a duration",
		"metrics[0] (latency) asks a metrics server", `metrics[1].name must be request-success-rate, request-duration, latency-pNN`,
		"metrics[2].thresholdRange.min 2 must not be above max 1", "webhooks[0].timeout must be a duration",
		`webhooks[1].url must be an http or https address, not ""`, `webhooks[2].url must be an http or https address, not "ftp://check"`,
		`webhooks[2].name "check" is the name of another rollout hook`, "spec.analysis.match[0] must be headers: {knative-serving-tag: {exact: canary}}",
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
}

func TestValidateReadsTheNumbers(t *testing.T) {
	many := make([]Metric, 101)
	for i := range many {
		many[i].Name = MetricErrorRate
	}
	for _, tc := range []struct {
		name string
		edit func(*CanarySpec)
		want string
	}{
		{"ends of the ranges", func(s *CanarySpec) {
			s.ProgressDeadlineSeconds = new(int32(math.MaxInt32))
			s.Analysis.StepWeight, s.Analysis.MaxWeight, s.Analysis.StepWeightPromotion = new(int32(100)), new(int32(1)), new(int32(0))
			s.Analysis.Metrics = many[:100]
		}, ""},
		{"no time", func(s *CanarySpec) { s.ProgressDeadlineSeconds = new(int32(0)) }, "spec.progressDeadlineSeconds must be at least 1, not 0"},
		{"no checks", func(s *CanarySpec) { s.Analysis.StepWeight, s.Analysis.Iterations = nil, new(int32(0)) }, "spec.analysis.iterations must be at least 1, not 0"},
		{"step beyond", func(s *CanarySpec) { s.Analysis.StepWeight = new(int32(101)) }, "spec.analysis.stepWeight must be from 1 to 100, not 101"},
		{"one of the steps", func(s *CanarySpec) { s.Analysis.StepWeight, s.Analysis.StepWeights = nil, []int32{100, -1} }, "spec.analysis.stepWeights[1] must be from 0 to 100, not -1"},
		{"maximum beyond", func(s *CanarySpec) { s.Analysis.MaxWeight = new(int32(math.MaxInt32)) }, "spec.analysis.maxWeight must be from 1 to 100, not 2147483647"},
		{"promotion beyond", func(s *CanarySpec) { s.Analysis.StepWeightPromotion = new(int32(101)) }, "spec.analysis.stepWeightPromotion must be from 0 to 100, not 101"},
		{"fewer retries than none", func(s *CanarySpec) { s.Analysis.Webhooks = []Webhook{{URL: "http://a", Retries: new(int32(-1))}} }, "spec.analysis.webhooks[0].retries must be at least 0, not -1"},
		{"no name", func(s *CanarySpec) { s.TargetRef.Name = "" }, "spec.targetRef.name must have 1 to 253 characters, not 0"},
		{"too many metrics", func(s *CanarySpec) { s.Analysis.Metrics = many }, "spec.analysis.metrics must have at most 100 entries, not 101"},
	} {
		c := valid()
		tc.edit(&c.Spec)
		wantProblem(t, tc.name, c, tc.want)
	}
}

// judged is a valid Canary with that judge and a metric for it.
func judged(j Judge, metrics ...Metric) *Canary {
	c := valid()
	c.Spec.Analysis.Interval = "15s"
	c.Spec.Analysis.Judge = &j
	c.Spec.Analysis.Metrics = append(metrics, Metric{Name: MetricSuccessRate, ThresholdRange: &ThresholdRange{Min: new(99.0)}})
	return c
}

func TestValidateReadsTheJudge(t *testing.T) {
	sequential := func(j Judge) *Canary { j.Mode = ModeSequential; return judged(j) }
	bare := func(metrics ...Metric) *Canary {
		c := sequential(Judge{})
		c.Spec.Analysis.Metrics = metrics
		return c
	}
	samples := func(own, judges int32) *Canary {
		c := judged(Judge{MinSamples: &judges})
		c.Spec.Analysis.MinSamples = &own
		return c
	}
	faster := sequential(Judge{MaxDuration: "500ms"})
	faster.Spec.Analysis.Interval = "100ms" // which is taken as 1s
	unread := sequential(Judge{MaxDuration: "1s"})
	unread.Spec.Analysis.Interval = "soon"
	const nothing = "spec.analysis.judge.mode sequential needs a metric with a thresholdRange or a baseline"
	for _, tc := range []struct {
		name   string
		canary *Canary
		want   string // "" where it is accepted; else the whole error begins so
	}{
		{"sequential", sequential(Judge{}), ""},
		{"ends of the ranges", sequential(Judge{ErrorRate: new(0.5), Power: new(0.5), MinSamples: new(int32(1)), MaxDuration: "15s"}), ""},
		{"classic", judged(Judge{Mode: ModeClassic, MinSamples: new(int32(1))}), ""},
		{"by an older threshold", bare(Metric{Name: MetricSuccessRate, Threshold: new(99.0)}), ""},
		{"by a baseline", bare(Metric{Name: MetricErrorRate}, Metric{Name: MetricErrorRate, Baseline: &Baseline{MaxDelta: new(1.0)}}), ""},
		{"the same samples twice", samples(30, 30), ""},
		{"another mode", judged(Judge{Mode: "coin"}), `spec.analysis.judge.mode must be classic or sequential, not "coin"`},
		{"rate of nothing", sequential(Judge{ErrorRate: new(0.0)}), "spec.analysis.judge.errorRate must be above 0 and at most 0.5, not 0"},
		{"rate beyond", sequential(Judge{ErrorRate: new(math.Nextafter(0.5, 1))}), "spec.analysis.judge.errorRate must be"},
		{"rate of no number", sequential(Judge{ErrorRate: new(math.NaN())}), "spec.analysis.judge.errorRate must be"},
		{"power below", sequential(Judge{Power: new(math.Nextafter(0.5, 0))}), "spec.analysis.judge.power must be at least 0.5 and below 1"},
		{"power beyond", sequential(Judge{Power: new(1.0)}), "spec.analysis.judge.power must be at least 0.5 and below 1, not 1"},
		{"power of no number", sequential(Judge{Power: new(math.NaN())}), "spec.analysis.judge.power must be"},
		{"duration in words", sequential(Judge{MaxDuration: "long"}), "spec.analysis.judge.maxDuration must be a duration"},
		{"duration below the interval", sequential(Judge{MaxDuration: "14s"}), "spec.analysis.judge.maxDuration 14s must not be shorter than analysis.interval, 15s"},
		{"duration below the least interval", faster, "spec.analysis.judge.maxDuration 500ms must not be shorter than analysis.interval, 1s"},
		{"duration and an interval in words", unread, "spec.analysis.interval must be a duration"},
		{"rate in classic", judged(Judge{Mode: ModeClassic, ErrorRate: new(0.1)}), "spec.analysis.judge.errorRate needs judge.mode: sequential"},
		{"power without mode", judged(Judge{Power: new(0.9)}), "spec.analysis.judge.power needs judge.mode: sequential"},
		{"duration without mode", judged(Judge{MaxDuration: "5m"}), "spec.analysis.judge.maxDuration needs judge.mode: sequential"},
		{"no metric", bare(), nothing},
		{"metrics that cannot fail", bare(Metric{Name: MetricErrorRate}, Metric{Name: MetricThroughput, ThresholdRange: &ThresholdRange{}}), nothing},
		{"other samples", samples(20, 30), "spec.analysis.judge.minSamples is 30 and analysis.minSamples is 20: give one of them"},
		{"samples of nothing", judged(Judge{MinSamples: new(int32(0))}), "spec.analysis.judge.minSamples must be at least 1, not 0"},
		{"own samples of nothing", func() *Canary { c := valid(); c.Spec.Analysis.MinSamples = new(int32(0)); return c }(), "spec.analysis.minSamples must be at least 1, not 0"},
	} {
		wantProblem(t, tc.name, tc.canary, tc.want)
	}
}

func TestValidateReadsTheMetrics(t *testing.T) {
	bounds := func(name string, lo, hi *float64) Metric {
		return Metric{Name: name, ThresholdRange: &ThresholdRange{Min: lo, Max: hi}}
	}
	against := func(name string, b Baseline) Metric { return Metric{Name: name, Baseline: &b} }
	const path, exactlyOne = "spec.analysis.metrics[0]", "spec.analysis.metrics[0].baseline must have exactly one of maxIncrease, maxDecrease and maxDelta, not "
	for _, tc := range []struct {
		name   string
		metric Metric
		want   string
	}{
		{"open", bounds("latency-p999", nil, nil), ""},
		{"one value", bounds("latency-mean", new(5.0), new(5.0)), ""},
		{"percent, whole", bounds("error-rate-reset", new(0.0), new(100.0)), ""},
		{"more than 100 a second", bounds("throughput", new(5000.0), nil), ""},
		{"quantile", Metric{Name: MetricDuration, Quantile: new(0.5)}, ""},
		{"increase of nothing", against("error-rate", Baseline{MaxIncrease: "0%"}), ""},
		{"increase beyond 100", against("latency-p50", Baseline{MaxIncrease: "150.5%"}), ""},
		{"decrease of everything", against("throughput", Baseline{MaxDecrease: "100%"}), ""},
		{"delta of nothing", against("request-success-rate", Baseline{MaxDelta: new(0.0)}), ""},
		{"range and baseline", Metric{Name: "error-rate", ThresholdRange: &ThresholdRange{Max: new(1.0)}, Baseline: &Baseline{MaxDelta: new(0.1)}}, ""},

		{"another name", Metric{Name: "latency"}, path + ".name must be request-success-rate, request-duration, latency-pNN (p50, p99, p999), latency-mean, throughput, error-rate or error-rate-KIND, not \"latency\""},
		{"another kind", Metric{Name: "error-rate-500"}, path + ".name must be error-rate or error-rate-KIND with KIND one of unknown, dns, connect, tls, timeout, reset, truncated, protocol, not \"error-rate-500\""},
		{"one digit", Metric{Name: "latency-p5"}, path + ".name must have two to five digits after latency-p, not all 0"},
		{"a query", Metric{Name: MetricErrorRate, Query: "up"}, path + " (error-rate) asks a metrics server, which Serin does without: use request-success-rate, "},
		{"a template", Metric{Name: MetricErrorRate, TemplateRef: &ObjectRef{Name: "x"}}, path + " (error-rate) asks a metrics server"},
		{"quantile elsewhere", Metric{Name: "latency-p99", Quantile: new(0.9)}, path + ".quantile is for request-duration, not for latency-p99"},
		{"quantile 1", Metric{Name: MetricDuration, Quantile: new(1.0)}, path + ".quantile must be above 0 and below 1, not 1"},
		{"quantile 0", Metric{Name: MetricDuration, Quantile: new(0.0)}, path + ".quantile must be above 0 and below 1, not 0"},
		{"quantile of no number", Metric{Name: MetricDuration, Quantile: new(math.NaN())}, path + ".quantile must be"},
		{"upside down", bounds("error-rate", new(2.0), new(1.0)), path + ".thresholdRange.min 2 must not be above max 1"},
		{"no number", bounds("throughput", new(math.NaN()), nil), path + ".thresholdRange.min must be a finite number, not NaN"},
		{"no end", bounds("throughput", nil, new(math.Inf(1))), path + ".thresholdRange.max must be a finite number, not +Inf"},
		{"percent below", bounds("request-success-rate", new(-0.1), nil), path + ".thresholdRange.min must be in percent, from 0 to 100, not -0.1"},
		{"percent above", bounds("error-rate-dns", nil, new(100.1)), path + ".thresholdRange.max must be in percent, from 0 to 100, not 100.1"},
		{"older percent", Metric{Name: MetricSuccessRate, Threshold: new(101.0)}, path + ".threshold must be in percent, from 0 to 100, not 101"},
		{"latency below", bounds("latency-p99", nil, new(-1.0)), path + ".thresholdRange.max must be 0 or more, not -1"},
		{"mean below", bounds("latency-mean", nil, new(-1.0)), path + ".thresholdRange.max must be 0 or more, not -1"},
		{"throughput below", bounds("throughput", new(-1.0), nil), path + ".thresholdRange.min must be 0 or more, not -1"},
		{"no baseline", against("error-rate", Baseline{}), exactlyOne + "0"},
		{"two baselines", against("error-rate", Baseline{MaxIncrease: "1%", MaxDelta: new(1.0)}), exactlyOne + "2"},
		{"increase without sign", against("error-rate", Baseline{MaxIncrease: "10"}), path + `.baseline.maxIncrease must be a percentage such as 10% or 2.5%, not "10"`},
		{"decrease below zero", against("throughput", Baseline{MaxDecrease: "-1%"}), path + `.baseline.maxDecrease must be a percentage such as 10% or 2.5%, not "-1%"`},
		{"decrease below nothing", against("throughput", Baseline{MaxDecrease: "100.01%"}), path + ".baseline.maxDecrease must be at most 100%, not 100.01%"},
		{"delta below zero", against("latency-p99", Baseline{MaxDelta: new(-1.0)}), path + ".baseline.maxDelta must be a finite number, 0 or more, not -1"},
		{"delta of no number", against("latency-p99", Baseline{MaxDelta: new(math.NaN())}), path + ".baseline.maxDelta must be a finite number"},
		{"delta without end", against("latency-p99", Baseline{MaxDelta: new(math.Inf(1))}), path + ".baseline.maxDelta must be a finite number"},
		{"success rate up", against("request-success-rate", Baseline{MaxIncrease: "1%"}), path + ".baseline.maxIncrease is for latencies and error rates, where more is worse: use maxDecrease or maxDelta for request-success-rate"},
		{"throughput up", against("throughput", Baseline{MaxIncrease: "1%"}), path + ".baseline.maxIncrease is for latencies and error rates"},
		{"error rate down", against("error-rate-tls", Baseline{MaxDecrease: "1%"}), path + ".baseline.maxDecrease is for request-success-rate and throughput, where less is worse: use maxIncrease or maxDelta for error-rate-tls"},
		{"duration down", against("request-duration", Baseline{MaxDecrease: "1%"}), path + ".baseline.maxDecrease is for request-success-rate"},
		{"mean down", against("latency-mean", Baseline{MaxDecrease: "1%"}), path + ".baseline.maxDecrease is for request-success-rate"},
	} {
		wantProblem(t, tc.name, judged(Judge{}, tc.metric), tc.want)
	}
}

// wantProblem wants that one problem, or none.
func wantProblem(t *testing.T, name string, c *Canary, want string) {
	t.Helper()
	switch err := c.Validate(); {
	case want == "" && err != nil:
		t.Errorf("%s is refused: %v", name, err)
	case want != "" && err == nil:
		t.Errorf("%s is accepted, want %q", name, want)
	case want != "" && (!strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n")):
		t.Errorf("%s: %v, want %q alone", name, err, want)
	}
}

func TestASequentialTestHasNoUseForTheThreshold(t *testing.T) {
	c := judged(Judge{Mode: ModeSequential})
	if got := c.Ignored(); len(got) != 0 {
		t.Errorf("ignored %q", got)
	}
	c.Spec.Analysis.Threshold = 1 // as without one
	if got := c.Ignored(); len(got) != 0 {
		t.Errorf("ignored %q", got)
	}
	c.Spec.Analysis.Threshold = 5
	if got := c.Ignored(); !slices.Equal(got, []string{"spec.analysis.threshold"}) {
		t.Errorf("ignored %q", got)
	}
	c.Spec.Analysis.Judge.Mode = ModeClassic
	if got := c.Ignored(); len(got) != 0 {
		t.Errorf("ignored %q", got)
	}
}

func TestHooksAreTheLoadOrCalled(t *testing.T) {
	c := valid()
	hook := func(hookType, name, cmd string) Webhook {
		h := Webhook{Name: name, Type: hookType, URL: "http://hooks.test/"}
		if cmd != "" {
			h.Metadata = map[string]string{"cmd": cmd}
		}
		return h
	}
	a := &c.Spec.Analysis
	a.Webhooks = []Webhook{
		hook("", "load", "hey http://x"), hook("", "other", "wrk http://x"), hook(RolloutHook, "check", ""),
		hook(EventHook, "told", ""), hook(RolloutHook, "spare", "/usr/bin/hey http://y"), hook(ConfirmRolloutHook, "check", "hey http://x"),
	}
	if err := c.Validate(); err != nil {
		t.Errorf("refused: %v", err)
	}
	if got := a.Webhooks[0].HeyCommand(); got != "hey http://x" {
		t.Errorf("command %q", got)
	}
	for hookType, want := range map[string]string{RolloutHook: "other check", EventHook: "told", ConfirmRolloutHook: "check", PreRolloutHook: ""} {
		var names []string
		for _, h := range a.HooksOf(hookType) {
			names = append(names, h.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s hooks %q, want %q", hookType, got, want)
		}
	}
	if got, want := c.Ignored(), []string{"spec.analysis.webhooks[4] (spare)"}; !slices.Equal(got, want) {
		t.Errorf("ignored %q, want %q", got, want)
	}
	a.Load = &Load{}
	if got, want := c.Ignored(), []string{"spec.analysis.webhooks[0] (load)", "spec.analysis.webhooks[4] (spare)"}; !slices.Equal(got, want) {
		t.Errorf("ignored %q, want %q", got, want)
	}
}

func TestHaltNamesGates(t *testing.T) {
	for value, want := range map[string][3]bool{
		"": {}, "false": {}, "true": {true, true, true}, "rollout": {true, false, false},
		"traffic-increase, promotion": {false, true, true}, " promotion ": {false, false, true},
	} {
		c := valid()
		c.Annotations = map[string]string{HaltAnnotation: value}
		got := [3]bool{c.Halted(ConfirmRolloutHook), c.Halted(ConfirmTrafficIncreaseHook), c.Halted(ConfirmPromotionHook)}
		if got != want || c.Halted(PreRolloutHook) {
			t.Errorf("%q halts %v, want %v", value, got, want)
		}
	}
}

func TestCommandIsGivenOnce(t *testing.T) {
	c := valid()
	if c.Command(AbortAnnotation) != "" {
		t.Error("a command without an annotation")
	}
	c.Annotations = map[string]string{AbortAnnotation: "1"}
	if c.Command(AbortAnnotation) != "1" {
		t.Error("no command")
	}
	c.Status.Commands = map[string]string{AbortAnnotation: "1"}
	if c.Command(AbortAnnotation) != "" {
		t.Error("the same command twice")
	}
}

// There, all users are sent to the canary revision; here, those conditions are
// refused that Knative has no routes for.
func TestD16OnlyTheTagHeaderSelectsUsers(t *testing.T) {
	raw := func(text string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(text)} }
	for name, tc := range map[string]struct {
		match Match
		good  bool
	}{
		"the tag header":       {Match{Headers: raw(`{"Knative-Serving-Tag": {"exact": "canary"}}`)}, true},
		"another tag":          {Match{Headers: raw(`{"knative-serving-tag": {"exact": "primary"}}`)}, false},
		"another header":       {Match{Headers: raw(`{"x-canary": {"exact": "canary"}}`)}, false},
		"a regular expression": {Match{Headers: raw(`{"knative-serving-tag": {"regex": "canary"}}`)}, false},
		"two headers":          {Match{Headers: raw(`{"knative-serving-tag": {"exact": "canary"}, "x": {"exact": "y"}}`)}, false},
		"nothing":              {Match{}, false},
		"no object":            {Match{Headers: raw(`[]`)}, false},
		"a label too":          {Match{Headers: raw(`{"knative-serving-tag": {"exact": "canary"}}`), SourceLabels: map[string]string{"a": "b"}}, false},
	} {
		c := valid()
		c.Spec.Analysis.StepWeight, c.Spec.Analysis.Iterations = nil, new(int32(3))
		c.Spec.Analysis.Match = []Match{tc.match}
		if err := c.Validate(); (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := valid()
	c.Spec.Analysis.Match = []Match{{Headers: raw(`{"knative-serving-tag": {"exact": "canary"}}`)}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "spec.analysis.match needs iterations") {
		t.Errorf("with steps: %v", err)
	}
}
