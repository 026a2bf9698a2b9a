package load

import (
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/measure"
)

// hundred is a run of 100 requests that took 1 ms to 100 ms, of which three
// failed, at 50 a second.
func hundred() *outcome {
	o := &outcome{total: new(measure.Snapshot), rate: 50}
	start := time.Now()
	for i := range 100 {
		r := measure.Result{Intended: start, Sent: start, Done: start.Add(time.Duration(i+1) * time.Millisecond), Outcome: measure.Status(200), OK: i >= 3}
		o.total.Add(r)
	}
	return o
}

func TestConditions(t *testing.T) {
	for text, want := range map[string]bool{
		"p99>500ms":       false,
		"p99>98ms":        true,
		" p50 > 49ms ":    true,
		"p50>51ms":        false,
		"p99.9>=100ms":    true,
		"p999>99ms":       true,
		"max>1s":          false,
		"min<1.1ms":       true,
		"mean>50ms":       true,
		"mean>=52ms":      false,
		"success<99%":     true,
		"success<97%":     false,
		"success<=97%":    true,
		"success<99":      true,
		"errors>0":        true,
		"errors>3":        false,
		"errors>=3":       true,
		"rate<49.5":       false,
		"rate<50.5":       true,
		"rate<100":        true,
		"p50>100us":       true,
		"success<97.0001": true,
	} {
		c, err := parseCondition(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := c.holds(hundred()); got != want {
			t.Errorf("%q holds: %v", text, got)
		}
	}
}

// Where nothing was measured, nothing is good.
func TestConditionsHoldWithoutRequests(t *testing.T) {
	for _, text := range []string{"p99>500ms", "success<99%"} {
		c, err := parseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		if !c.holds(&outcome{total: new(measure.Snapshot)}) {
			t.Errorf("%q does not hold without a request", text)
		}
	}
}

func TestConditionsThatMakeNoSense(t *testing.T) {
	for text, want := range map[string]string{
		"":              "must be a metric",
		"p99":           "must be a metric",
		"p99=500ms":     "must be a metric",
		"p99>500":       "missing unit",
		"p99>fast":      "invalid duration",
		"q99>500ms":     "must be a quantile",
		"p>500ms":       "must be a quantile",
		"p101.5>500ms":  "",
		"success<a%":    "invalid syntax",
		"success<101%":  "from 0 to 100",
		"success<NaN":   "from 0 to 100",
		"errors>many":   "invalid syntax",
		"p99>1ms>2ms":   "",
		"throughput>10": "must be a quantile",
	} {
		_, err := parseCondition(text)
		if text == "p101.5>500ms" { // 101.5 %
			if err == nil {
				t.Errorf("%q was accepted", text)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}
