package report

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/measure"
)

func decode(t *testing.T, r *Run) map[string]any {
	t.Helper()
	var b bytes.Buffer
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b.Bytes(), &out); err != nil {
		t.Fatalf("%v in %s", err, &b)
	}
	return out
}

func keys(object any) []string {
	var out []string
	for k := range object.(map[string]any) {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// The keys are an interface: scripts read them.
func TestKeysOfTheJSON(t *testing.T) {
	got := decode(t, runs()["one"])
	want := []string{
		"cpu_cores", "duration_seconds", "errors", "failures", "generator_limited", "lag_ms", "latency_ms", "mode",
		"rate_achieved", "rate_intended", "redirects", "requests", "saturated", "service_ms", "status", "success_rate",
		"url", "waited",
	}
	if diff := cmp.Diff(want, keys(got)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	want = []string{"max", "mean", "min", "p50", "p75", "p90", "p95", "p99", "p999", "p9999"}
	for _, name := range []string{"latency_ms", "service_ms", "lag_ms"} {
		if diff := cmp.Diff(want, keys(got[name])); diff != "" {
			t.Errorf("keys of %s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]string{"comparison", "targets"}, keys(decode(t, runs()["two"]))); diff != "" {
		t.Errorf("keys with two targets (-want +got):\n%s", diff)
	}
}

// null < 200 is true in jq, but 0 < 200 would be so everywhere.
func TestWhatWasNotMeasuredIsNull(t *testing.T) {
	got := decode(t, &Run{Targets: []Target{{Name: "http://a.test"}}})
	latency := got["latency_ms"].(map[string]any)
	for name, v := range map[string]any{
		"success_rate": got["success_rate"], "rate_intended": got["rate_intended"], "p99": latency["p99"], "mean": latency["mean"],
	} {
		if v != nil {
			t.Errorf("%s is %v without a request", name, v)
		}
	}
	if len(got["errors"].(map[string]any)) != 0 || len(got["status"].(map[string]any)) != 0 {
		t.Errorf("errors %v, status %v; want two empty objects", got["errors"], got["status"])
	}
}

func TestJSONHoldsWhateverTheRunHolds(t *testing.T) {
	r := &Run{CPU: math.NaN(), Targets: []Target{{RateIntended: math.Inf(1), Total: runs()["one"].Targets[0].Total}, {}}}
	comparison := decode(t, r)["comparison"].([]any)[0].(map[string]any)
	if comparison["success_rate_difference_points"] != nil || comparison["latency_ratio"].(map[string]any)["p50"] != nil {
		t.Errorf("a target without requests is compared: %v", comparison)
	}
	if got := decode(t, &Run{}); len(got["targets"].([]any)) != 0 {
		t.Errorf("no target gives %v", got)
	}
}

func TestOneLateIntervalMarksTheWholeRun(t *testing.T) {
	r := runs()["one"]
	if decode(t, r)["generator_limited"] != false {
		t.Error("generator_limited in a run that was in time")
	}
	r.Targets[0].Limited = 1
	if decode(t, r)["generator_limited"] != true {
		t.Error("one late interval is not told")
	}
}

func TestLatenciesAreToTheMicrosecond(t *testing.T) {
	var total measure.Snapshot
	total.Add(measure.Result{Intended: started, Sent: started, Done: started.Add(1234567 * time.Nanosecond), Outcome: measure.Timeout})
	got := decode(t, &Run{Elapsed: time.Second, Targets: []Target{{Total: &total}}})
	if p50 := got["latency_ms"].(map[string]any)["p50"].(float64); p50 != math.Round(p50*1000)/1000 || math.Abs(p50-1.234) > 0.002 {
		t.Errorf("p50 is %v, want 1.234 or next to it", p50)
	}
	if diff := cmp.Diff(map[string]any{"timeout": 1.0}, got["errors"]); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
