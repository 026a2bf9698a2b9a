package analysis

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/measure"
)

var update = flag.Bool("update", false, "write the golden files")

// latencies are n answers of 10 to 59 ms, of which so many fail and so many are
// slow, spread evenly over fifteen seconds.
func latencies(n, failed, slow int, long time.Duration) (s seconds) {
	spread := func(of, i int) bool { return (i+1)*of/max(n, 1) > i*of/max(n, 1) }
	for i := range n {
		a := answer{took: 10*time.Millisecond + time.Duration(i*37%50)*time.Millisecond, failed: spread(failed, i)}
		if spread(slow, i) {
			a.took = long + time.Duration(i*37%50)*time.Millisecond
		}
		a.add(&s[i*len(s)/n])
	}
	return s
}

// seconds are those of a check.
type seconds [15]measure.Snapshot

func (s *seconds) all() *measure.Snapshot {
	all := new(measure.Snapshot)
	for i := range s {
		all.Merge(&s[i])
	}
	return all
}

// What people read is in testdata, each case with what was measured.
func TestSentences(t *testing.T) {
	baseline := func(name string, kind Kind, b Baseline) Metric {
		return Metric{Name: name, Kind: kind, Quantile: 0.99, Baseline: &b}
	}
	well := latencies(200, 0, 0, 0)
	var text strings.Builder
	for _, tc := range []struct {
		name            string
		metric          Metric
		primary, canary seconds
	}{
		{"good", successRate(99), well, latencies(200, 0, 0, 0)},
		{"one error in 60", successRate(99), well, latencies(60, 1, 0, 0)},
		{"ten errors in 145", successRate(99), well, latencies(145, 10, 0, 0)},
		{"everything fails", successRate(99), well, latencies(10, 10, 0, 0)},
		{"nothing was measured", successRate(99), well, latencies(0, 0, 0, 0)},
		{"no error allowed", successRate(100), well, latencies(1000, 1, 0, 0)},
		{"nothing asked", successRate(0), well, latencies(30, 30, 0, 0)},
		{"slow", duration(500), well, latencies(1204, 0, 60, 640*time.Millisecond)},
		{"fast", duration(500), well, latencies(1204, 0, 2, 640*time.Millisecond)},
		{"few, and some slow", duration(500), well, latencies(50, 0, 1, 640*time.Millisecond)},
		{"hanging", duration(500), well, latencies(200, 0, 20, 90*time.Second)},
		{"too fast to be true", Metric{Name: "latency-p50", Kind: Duration, Quantile: 0.5, Min: new(100.0)}, well, latencies(200, 0, 0, 0)},
		{"error rate", Metric{Name: "error-rate", Kind: ErrorRate, Max: new(0.5)}, well, latencies(400, 12, 0, 0)},
		{"resets", Metric{Name: "error-rate-reset", Kind: OutcomeRate, Outcome: measure.Reset, Max: new(1.0)}, well, latencies(400, 12, 0, 0)},
		{"throughput", Metric{Name: "throughput", Kind: Throughput, Min: new(9.5)}, well, latencies(300, 60, 0, 0)},
		{"p99 as the primary", baseline("latency-p99", Duration, Baseline{Fraction: new(0.1)}), well, latencies(200, 0, 0, 0)},
		{"p99 over the primary", baseline("latency-p99", Duration, Baseline{Fraction: new(0.1)}), well, latencies(200, 0, 20, 200*time.Millisecond)},
		{"p99 over the primary by a delta", baseline("latency-p99", Duration, Baseline{Delta: new(50.0)}), well, latencies(200, 0, 40, 200*time.Millisecond)},
		{"success below the primary", baseline("request-success-rate", SuccessRate, Baseline{Fraction: new(0.01)}), well, latencies(200, 20, 0, 0)},
		{"errors beside the primary", baseline("error-rate", ErrorRate, Baseline{Delta: new(1.0)}), latencies(200, 3, 0, 0), latencies(200, 5, 0, 0)},
		{"no primary", baseline("error-rate", ErrorRate, Baseline{Delta: new(1.0)}), latencies(0, 0, 0, 0), latencies(200, 5, 0, 0)},
		{"mean over the primary", baseline("latency-mean", MeanDuration, Baseline{Fraction: new(0.1)}), well, latencies(200, 0, 100, 200*time.Millisecond)},
		{"mean", Metric{Name: "latency-mean", Kind: MeanDuration, Max: new(50.0)}, well, latencies(200, 0, 0, 0)},
	} {
		fmt.Fprintf(&text, "%s\n", tc.name)
		judge := Judge{Metrics: []Metric{tc.metric}, MinSamples: 1, Interval: 15 * time.Second, Rate: 10, Steps: 6}
		write(&text, "classic", judge.Verdict(Window{Primary: tc.primary.all(), Canary: tc.canary.all(), Elapsed: 15 * time.Second}))
		judge.Mode = Sequential
		trial := NewTrial(judge)
		for second := range tc.canary {
			trial.Add(int64(second), &tc.primary[second], &tc.canary[second])
		}
		write(&text, "sequential", trial.Verdict(15*time.Second))
		text.WriteByte('\n')
	}
	golden(t, "sentences.txt", text.String())
}

func write(to *strings.Builder, mode string, v Verdict) {
	for _, f := range v.Findings {
		fmt.Fprintf(to, "  %s: %s\n    %s\n", mode, f.Result, f.Message)
		if f.Explanation != "" {
			fmt.Fprintf(to, "    (%s)\n", f.Explanation)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not what it was; -update writes this:\n%s", path, got)
	}
}
