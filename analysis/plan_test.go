package analysis

import (
	"math/rand/v2"
	"testing"
	"time"
)

// decided is the mean number of requests after which trials say want.
func decided(t *testing.T, j Judge, want Result, primary, canary func(*rand.Rand) answer) int64 {
	t.Helper()
	const trials, each = 101, 5
	sum, n := int64(0), int64(0)
	for seed := range uint64(trials) {
		random := rand.New(rand.NewPCG(3, seed))
		trial := NewTrial(j)
		for second := int64(0); ; second++ {
			if second > 10_000 {
				t.Fatalf("no %s after %d requests", want, second*each)
			}
			var p, c []answer
			for range each {
				p, c = append(p, primary(random)), append(c, canary(random))
			}
			trial.Add(second, snapshot(p...), snapshot(c...))
			if r := trial.Result(time.Hour); r == want {
				sum += (second + 1) * each
				n++
				break
			} else if r != Inconclusive {
				break // one of few that are wrong
			}
		}
	}
	if n < trials*9/10 {
		t.Fatalf("%d of %d say %s", n, trials, want)
	}
	return sum / n
}

// A plan is of no use that is far from what happens.
func TestPlanIsWhatToExpect(t *testing.T) {
	errors := func(p float64) func(*rand.Rand) answer {
		return func(r *rand.Rand) answer { return answer{took: 50 * time.Millisecond, failed: r.Float64() < p} }
	}
	slow := func(p float64) func(*rand.Rand) answer {
		return func(r *rand.Rand) answer {
			took := time.Duration(10+r.IntN(90)) * time.Millisecond
			if r.Float64() < p {
				took = time.Duration(600+r.IntN(90)) * time.Millisecond
			}
			return answer{took: took}
		}
	}
	exponential := func(mean float64) func(*rand.Rand) answer {
		return func(r *rand.Rand) answer { return answer{took: fromMilliseconds(mean * r.ExpFloat64())} }
	}
	for _, tc := range []struct {
		name                          string
		metric                        Metric
		primary, good, fiveTimesAsBad func(*rand.Rand) answer
	}{
		{"success rate", successRate(99), errors(0), errors(0.005), errors(0.05)},
		{"p99", duration(500), slow(0), slow(0.005), slow(0.05)},
		{"p90", Metric{Kind: Duration, Quantile: 0.9, Max: new(500.0)}, slow(0), slow(0.05), slow(0.5)},
		{"p99 against the primary", Metric{Kind: Duration, Baseline: &Baseline{Fraction: new(0.1)}}, exponential(100), exponential(100), exponential(169)},
	} {
		j := Judge{Mode: Sequential, Metrics: []Metric{tc.metric}, MinSamples: 1, Steps: 1}
		plan := j.Plan(10, 5)
		for _, c := range []struct {
			what   string
			plan   int64
			result Result
			canary func(*rand.Rand) answer
		}{{"pass", plan.Pass, Pass, tc.good}, {"catch", plan.Catch, Fail, tc.fiveTimesAsBad}} {
			got := decided(t, j, c.result, tc.primary, c.canary)
			t.Logf("%s: to %s takes %d requests, %d were planned", tc.name, c.what, got, c.plan)
			if float64(got) < 0.7*float64(c.plan) || float64(got) > 1.4*float64(c.plan) {
				t.Errorf("%s: to %s takes %d requests, %d were planned", tc.name, c.what, got, c.plan)
			}
		}
	}
}

func TestPlansInWords(t *testing.T) {
	for _, tc := range []struct {
		name string
		plan Plan
		want string
		took time.Duration
	}{
		{"longer than the interval", Plan{Pass: 375, Catch: 120, Regression: 5, Rate: 10, Interval: 15 * time.Second, MaxDuration: 150 * time.Second},
			"at 10 requests/s a step needs about 38s; interval is 15s; 5 times as many bad requests as allowed are noticed in about 12s", 38 * time.Second},
		{"shorter than the interval", Plan{Pass: 375, Catch: 375, Rate: 100, Interval: 15 * time.Second},
			"at 100 requests/s a step needs about 4s; interval is 15s", 15 * time.Second},
		{"longer than may be", Plan{Pass: 4000, Catch: 4000, Rate: 10, Interval: 15 * time.Second, MaxDuration: 150 * time.Second},
			"at 10 requests/s a step needs about 6m40s; interval is 15s, and after 2m30s the estimate alone decides", 150 * time.Second},
	} {
		if got := tc.plan.String(); got != tc.want {
			t.Errorf("%s:\n%s, want\n%s", tc.name, got, tc.want)
		}
		if got := tc.plan.Duration(); got != tc.took {
			t.Errorf("%s: takes %v, want %v", tc.name, got, tc.took)
		}
	}
}

// There is nothing to wait for but the interval.
func TestPlanOfAClassicJudge(t *testing.T) {
	j := Judge{Metrics: []Metric{successRate(99)}, MinSamples: 20, Interval: 15 * time.Second}
	if p := j.Plan(10, 0); p.Pass != 20 || p.Catch != 20 || p.Duration() != 15*time.Second {
		t.Errorf("plan %+v takes %v, want 20 requests and 15s", p, p.Duration())
	}
}
