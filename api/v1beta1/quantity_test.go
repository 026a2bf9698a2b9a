package v1beta1

import (
	"strings"
	"testing"

	"github.com/serin-dev/serin/measure"
)

func TestANameSaysWhatIsMeasured(t *testing.T) {
	latency := func(q float64) Quantity { return Quantity{Kind: QuantityLatency, Quantile: q} }
	for name, want := range map[string]Quantity{
		"request-success-rate":  {Kind: QuantitySuccessRate},
		"request-duration":      latency(0.99),
		"latency-mean":          {Kind: QuantityLatencyMean},
		"throughput":            {Kind: QuantityThroughput},
		"error-rate":            {Kind: QuantityErrorRate},
		"error-rate-unknown":    {Kind: QuantityErrorRate, ErrorKind: "unknown"},
		"error-rate-dns":        {Kind: QuantityErrorRate, ErrorKind: "dns"},
		"error-rate-connect":    {Kind: QuantityErrorRate, ErrorKind: "connect"},
		"error-rate-tls":        {Kind: QuantityErrorRate, ErrorKind: "tls"},
		"error-rate-timeout":    {Kind: QuantityErrorRate, ErrorKind: "timeout"},
		"error-rate-reset":      {Kind: QuantityErrorRate, ErrorKind: "reset"},
		"error-rate-truncated":  {Kind: QuantityErrorRate, ErrorKind: "truncated"},
		"error-rate-protocol":   {Kind: QuantityErrorRate, ErrorKind: "protocol"},
		"latency-p01":           latency(0.01),
		"latency-p50":           latency(0.5),
		"latency-p500":          latency(0.5),
		"latency-p75":           latency(0.75),
		"latency-p90":           latency(0.9),
		"latency-p95":           latency(0.95),
		"latency-p99":           latency(0.99),
		"latency-p999":          latency(0.999),
		"latency-p9999":         latency(0.9999),
		"latency-p99999":        latency(0.99999),
		"latency-p999999":       {},
		"latency-p5":            {},
		"latency-p":             {},
		"latency-p00":           {},
		"latency-p00000":        {},
		"latency-p9.9":          {},
		"latency-p-9":           {},
		"latency-p1e1":          {},
		"latency-p9_9":          {},
		"latency-99":            {},
		"Latency-p99":           {},
		"error-rate-":           {},
		"error-rate-500":        {},
		"error-rate-Timeout":    {},
		"request-success-rate ": {},
		"":                      {},
	} {
		if got := (&Metric{Name: name}).Quantity(); got != want {
			t.Errorf("%q: %+v, want %+v", name, got, want)
		}
	}
	if got := (&Metric{Name: MetricDuration, Quantile: new(0.9)}).Quantity(); got != latency(0.9) {
		t.Errorf("with a quantile: %+v", got)
	}
	for _, m := range []Metric{{Name: MetricErrorRate, Query: "up"}, {Name: MetricErrorRate, TemplateRef: &ObjectRef{Name: "x"}}} {
		if got := m.Quantity(); got != (Quantity{}) {
			t.Errorf("a metrics server's %s is taken for Serin's: %+v", m.Name, got)
		}
	}
}

func TestUnitsAndWhichWayIsWorse(t *testing.T) {
	for name, want := range map[string]struct{ percent, lessIsWorse bool }{
		"request-success-rate": {true, true},
		"error-rate":           {true, false},
		"error-rate-dns":       {true, false},
		"request-duration":     {false, false},
		"latency-p50":          {false, false},
		"latency-mean":         {false, false},
		"throughput":           {false, true},
		"unknown":              {false, false},
	} {
		q := (&Metric{Name: name}).Quantity()
		if q.Percent() != want.percent || q.LessIsWorse() != want.lessIsWorse {
			t.Errorf("%s: percent %v, less is worse %v", name, q.Percent(), q.LessIsWorse())
		}
	}
}

// This package imports nothing of the module, so it has the kinds in words of
// its own.
func TestEveryKindOfErrorHasAMetric(t *testing.T) {
	for o := measure.Unknown; o >= measure.Protocol; o-- {
		if q := (&Metric{Name: MetricErrorRatePrefix + o.String()}).Quantity(); q.ErrorKind != o.String() {
			t.Errorf("%s: %+v", o, q)
		}
	}
	if n := int(measure.Unknown-measure.Protocol) + 1; len(errorKinds) != n {
		t.Errorf("%d kinds, measure has %d", len(errorKinds), n)
	}
}

func TestAMetricsRange(t *testing.T) {
	lo, hi, old := new(1.0), new(2.0), new(3.0)
	for _, tc := range []struct {
		name   string
		metric Metric
		want   ThresholdRange
		judged bool
	}{
		{"nothing", Metric{Name: MetricErrorRate}, ThresholdRange{}, false},
		{"a range", Metric{Name: MetricErrorRate, ThresholdRange: &ThresholdRange{Min: lo, Max: hi}}, ThresholdRange{lo, hi}, true},
		{"a minimum", Metric{Name: MetricErrorRate, ThresholdRange: &ThresholdRange{Min: lo}}, ThresholdRange{lo, nil}, true},
		{"a maximum", Metric{Name: MetricErrorRate, ThresholdRange: &ThresholdRange{Max: hi}}, ThresholdRange{nil, hi}, true},
		{"an open range", Metric{Name: MetricErrorRate, ThresholdRange: &ThresholdRange{}}, ThresholdRange{}, false},
		{"an older maximum", Metric{Name: MetricDuration, Threshold: old}, ThresholdRange{nil, old}, true},
		{"an older minimum", Metric{Name: MetricSuccessRate, Threshold: old}, ThresholdRange{old, nil}, true},
		{"an older rate", Metric{Name: MetricThroughput, Threshold: old}, ThresholdRange{old, nil}, true},
		{"both", Metric{Name: MetricSuccessRate, Threshold: old, ThresholdRange: &ThresholdRange{Max: hi}}, ThresholdRange{nil, hi}, true},
		{"older beside an open range", Metric{Name: MetricSuccessRate, Threshold: old, ThresholdRange: &ThresholdRange{}}, ThresholdRange{old, nil}, true},
		{"a baseline", Metric{Name: MetricErrorRate, Baseline: &Baseline{MaxDelta: hi}}, ThresholdRange{}, true},
	} {
		if got := tc.metric.Range(); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
		if got := tc.metric.Judged(); got != tc.judged {
			t.Errorf("%s: judged %v", tc.name, got)
		}
	}
}

func TestABaselineIsReadAsAFraction(t *testing.T) {
	for text, want := range map[Percent]float64{"10%": 0.1, "2.5%": 0.025, "0%": 0, "0.1%": 0.001, "100%": 1, "250%": 2.5, "99999.5%": 999.995} {
		for _, b := range []Baseline{{MaxIncrease: text}, {MaxDecrease: text}} {
			got, err := b.Tolerance()
			if err != nil || got.Delta != nil || got.Fraction == nil || *got.Fraction != want {
				t.Errorf("%s: %+v, %v, want %g", text, got, err, want)
			}
		}
	}
	for _, text := range []Percent{"10", "%", "-1%", "+1%", "1e3%", ".5%", "5.%", "2,5%", " 1%", "1 %", "1%%", "01%", "100000%", "0.1234567%", "Inf%", "NaN%", "1%\n"} {
		if got, err := (&Baseline{MaxIncrease: text}).Tolerance(); err == nil || !strings.Contains(err.Error(), "must be a percentage such as 10% or 2.5%") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if got, err := (&Baseline{MaxDelta: new(0.5)}).Tolerance(); err != nil || got.Fraction != nil || *got.Delta != 0.5 {
		t.Errorf("delta: %+v, %v", got, err)
	}
	for _, b := range []Baseline{{}, {MaxIncrease: "1%", MaxDelta: new(1.0)}, {MaxIncrease: "1%", MaxDecrease: "1%"}} {
		if got, err := b.Tolerance(); err == nil || !strings.Contains(err.Error(), "exactly one of") {
			t.Errorf("%+v is read as %+v: %v", b, got, err)
		}
	}
}
