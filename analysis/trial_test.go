package analysis

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/serin-dev/serin/measure"
)

// guide is the judge of the guide's Canary, in mode sequential.
func guide() Judge {
	return Judge{
		Mode: Sequential, Metrics: []Metric{successRate(99), duration(500)},
		Interval: 15 * time.Second, Steps: 6, Rate: 10, MaxDuration: 150 * time.Second,
	}
}

// answer is one result.
type answer struct {
	took   time.Duration
	failed bool
}

func (a answer) add(to *measure.Snapshot) {
	outcome := measure.Status(200)
	if a.failed {
		outcome = measure.Status(500)
	}
	to.Add(measure.Result{Intended: epoch, Sent: epoch, Done: epoch.Add(a.took), Outcome: outcome, OK: !a.failed})
}

func snapshot(answers ...answer) *measure.Snapshot {
	s := new(measure.Snapshot)
	for _, a := range answers {
		a.add(s)
	}
	return s
}

// run feeds seconds of equal answers to a trial until it has a result, and
// returns that and the time it took.
func (t *Trial) run(from int, seconds int, primary, canary func(second int) *measure.Snapshot) (Result, int) {
	for s := range seconds {
		t.Add(int64(from+s), primary(s), canary(s))
		if r := t.Result(time.Duration(s+1) * time.Second); r != Inconclusive {
			return r, s + 1
		}
	}
	return Inconclusive, seconds
}

func always(s *measure.Snapshot) func(int) *measure.Snapshot {
	return func(int) *measure.Snapshot { return s }
}

func TestGoodRevisionPassesAfterItsInterval(t *testing.T) {
	trial := NewTrial(guide())
	good := always(sample(10, 0, 20*time.Millisecond))
	if r, took := trial.run(0, 60, good, good); r != Pass || took < 15 || took > 17 {
		t.Errorf("%v after %d s: %v", r, took, trial.Verdict(time.Minute))
	}
}

func TestEverythingFailsWithinTenRequests(t *testing.T) {
	trial := NewTrial(guide())
	for n := 1; n <= 10; n++ {
		trial.Add(0, sample(1, 0, 0), sample(0, 1, 0))
		if trial.Result(time.Second) == Fail {
			v := trial.Verdict(time.Second)
			if !v.Proven || v.Result != Fail {
				t.Errorf("verdict %+v, want one that is proven", v)
			}
			return
		}
	}
	t.Errorf("ten failures in ten requests: %v", trial.Verdict(time.Second))
}

func TestOneErrorDoesNotFailAnything(t *testing.T) {
	trial := NewTrial(guide())
	trial.Add(0, sample(60, 0, time.Millisecond), sample(59, 1, time.Millisecond))
	if v := trial.Verdict(15 * time.Second); v.Result != Inconclusive || v.Proven {
		t.Errorf("one error in 60 requests: %v, %v", v.Result, v)
	}
}

// A revision that is bad only under its share of the traffic fails by what is
// seen there, whatever it has done before.
func TestBadSinceThisStep(t *testing.T) {
	trial := NewTrial(guide())
	good := always(sample(10, 0, time.Millisecond))
	for check := range 4 {
		if r, _ := trial.run(100*check, 100, good, good); r != Pass {
			t.Fatalf("check %d: %v", check+1, r)
		}
		trial.Next()
	}
	bad := always(sample(9, 1, time.Millisecond))
	r, took := trial.run(400, 100, good, bad)
	if r != Fail || took > 30 {
		t.Errorf("10 %% errors in the fifth check: %v after %d s", r, took)
	}
}

func TestTwoErrorsInAHundredAreNotPassed(t *testing.T) {
	passed := 0
	const rollouts = 300
	for seed := range uint64(rollouts) {
		r := rand.New(rand.NewPCG(seed, 7))
		trial := NewTrial(Judge{Mode: Sequential, Metrics: []Metric{successRate(99)}, Steps: 1})
		result, _ := trial.run(0, 300, always(sample(10, 0, 0)), func(int) *measure.Snapshot {
			bad := 0
			for range 10 {
				if r.Float64() < 0.02 {
					bad++
				}
			}
			return sample(10-bad, bad, 0)
		})
		if result == Pass {
			passed++
		}
	}
	// The power is 0.9: a tenth may pass.
	if passed > rollouts/10 {
		t.Errorf("%d of %d revisions with twice the errors allowed pass a check", passed, rollouts)
	}
}

func TestUndecidedCheckEnds(t *testing.T) {
	j := guide()
	j.Metrics = []Metric{successRate(99.99)}
	for _, tc := range []struct {
		bad  int
		want Result
	}{{0, Pass}, {1, Inconclusive}} {
		trial := NewTrial(j)
		trial.Add(0, sample(100, 0, 0), sample(100-tc.bad, tc.bad, 0))
		if got := trial.Result(j.MaxDuration - 1); got != Inconclusive {
			t.Errorf("%d of 100 failed, before its end: %v", tc.bad, got)
		}
		if got := trial.Result(j.MaxDuration); got != tc.want {
			t.Errorf("%d of 100 failed, at its end: %v, want %v", tc.bad, got, tc.want)
		}
		v := trial.Verdict(j.MaxDuration)
		if v.Result != tc.want || (tc.want == Pass && !strings.Contains(v.Findings[0].Explanation, "estimate alone")) {
			t.Errorf("%d of 100 failed, at its end: %+v", tc.bad, v)
		}
	}
}

func TestFewSamplesSayNothing(t *testing.T) {
	j := guide()
	j.MinSamples = 50
	trial := NewTrial(j)
	trial.Add(0, sample(49, 0, 0), sample(0, 49, 0))
	if v := trial.Verdict(time.Minute); v.Result != Inconclusive || !strings.Contains(v.String(), "49 requests, at least 50 needed") {
		t.Errorf("verdict %v", v)
	}
	trial.Add(1, sample(1, 0, 0), sample(0, 1, 0))
	if got := trial.Result(time.Minute); got != Fail {
		t.Errorf("with 50: %v", got)
	}
}

func TestBothRevisionsEquallySlow(t *testing.T) {
	j := guide()
	j.Metrics = []Metric{{Name: "latency-p99", Kind: Duration, Baseline: &Baseline{Fraction: new(0.1)}}}
	r := rand.New(rand.NewPCG(1, 1))
	slow := func(int) *measure.Snapshot {
		s := new(measure.Snapshot)
		for range 50 {
			answer{took: time.Duration(math.Exp(r.NormFloat64()) * float64(time.Second))}.add(s)
		}
		return s
	}
	trial := NewTrial(j)
	if r, took := trial.run(0, 600, slow, slow); r != Pass {
		t.Errorf("%v after %d s: %v", r, took, trial.Verdict(0))
	}
	slower := func(int) *measure.Snapshot {
		s := new(measure.Snapshot)
		for range 50 {
			answer{took: time.Duration(2 * math.Exp(r.NormFloat64()) * float64(time.Second))}.add(s)
		}
		return s
	}
	trial = NewTrial(j)
	if r, took := trial.run(0, 600, slow, slower); r != Fail || took > 60 {
		t.Errorf("twice as slow: %v after %d s", r, took)
	}
}

func TestMeanAgainstThePrimary(t *testing.T) {
	j := guide()
	j.Metrics = []Metric{{Name: "latency-mean", Kind: MeanDuration, Baseline: &Baseline{Fraction: new(0.1)}}}
	r := rand.New(rand.NewPCG(3, 1))
	around := func(ms float64) func(int) *measure.Snapshot {
		return func(int) *measure.Snapshot {
			s := new(measure.Snapshot)
			for range 10 {
				answer{took: time.Duration(ms * (0.5 + r.Float64()) * float64(time.Millisecond))}.add(s)
			}
			return s
		}
	}
	for _, tc := range []struct {
		ms   float64
		want Result
	}{{100, Pass}, {160, Fail}} {
		trial := NewTrial(j)
		if got, took := trial.run(0, 300, around(100), around(tc.ms)); got != tc.want {
			t.Errorf("mean of %g ms beside 100 ms: %v after %d s", tc.ms, got, took)
		}
	}
}

func TestThroughputOfARevisionThatHangs(t *testing.T) {
	j := guide()
	j.Metrics = []Metric{{Name: "throughput", Kind: Throughput, Min: new(9.0)}}
	trial := NewTrial(j)
	good := always(sample(10, 0, 0))
	if r, _ := trial.run(0, 60, good, always(sample(5, 5, time.Second))); r != Fail {
		t.Errorf("half of the answers fail: %v", r)
	}
	trial = NewTrial(j)
	if r, _ := trial.run(0, 60, good, good); r != Pass {
		t.Errorf("all is well: %v", r)
	}
}

// late is a snapshot of requests that the generator sent late by as much.
func late(n int, lag, service time.Duration) *measure.Snapshot {
	s := new(measure.Snapshot)
	for range n {
		s.Add(measure.Result{Intended: epoch, Sent: epoch.Add(lag), Done: epoch.Add(lag + service), Outcome: measure.Status(200), OK: true})
	}
	return s
}

func TestGeneratorsOwnLagFailsNothing(t *testing.T) {
	for _, tc := range []struct {
		name    string
		service time.Duration
		want    Result
	}{
		{"lag alone", 100 * time.Millisecond, Inconclusive},
		{"slow in spite of it", 900 * time.Millisecond, Fail},
	} {
		canary := late(100, 450*time.Millisecond, tc.service)
		classic := Judge{Metrics: []Metric{duration(500)}}.Verdict(Window{Canary: canary})
		if classic.Result != tc.want || classic.GeneratorLimited != (tc.want == Inconclusive) {
			t.Errorf("%s, classic: %v %v", tc.name, classic.Result, classic)
		}
		j := guide()
		j.Metrics = []Metric{duration(500)}
		trial := NewTrial(j)
		trial.Add(0, canary, canary)
		if got := trial.Result(time.Second); got != tc.want {
			t.Errorf("%s, sequential: %v", tc.name, got)
		}
	}
	// What the lag cannot explain, it does not excuse.
	failing := late(50, 450*time.Millisecond, 0)
	failing.Failures = 50
	if got := (Judge{Metrics: []Metric{successRate(99)}}).Verdict(Window{Canary: failing}).Result; got != Fail {
		t.Errorf("failures while the generator is late: %v", got)
	}
}

func TestJudgeThatMakesNoSenseFindsNothing(t *testing.T) {
	trial := NewTrial(Judge{Mode: Sequential, Metrics: []Metric{successRate(math.NaN())}})
	trial.Add(0, sample(0, 100, 0), sample(0, 100, 0))
	v := trial.Verdict(time.Hour)
	if v.Result != Inconclusive || trial.Result(time.Hour) != Inconclusive || !strings.Contains(v.String(), "must be a number") {
		t.Errorf("verdict %v %v", v.Result, v)
	}
}

// The same results, cut into other intervals, are the same evidence.
func TestEvidenceDoesNotDependOnTheCuts(t *testing.T) {
	judge := guide()
	judge.Metrics = []Metric{
		successRate(95), duration(100),
		{Name: "latency-p50", Kind: Duration, Quantile: 0.5, Baseline: &Baseline{Fraction: new(0.1)}},
		{Name: "error-rate", Kind: ErrorRate, Baseline: &Baseline{Delta: new(1.0)}},
		{Name: "latency-mean", Kind: MeanDuration, Max: new(90.0)},
	}
	rapid.Check(t, func(t *rapid.T) {
		whole, cut := NewTrial(judge), NewTrial(judge)
		draw := func(name string) *measure.Snapshot {
			s := new(measure.Snapshot)
			for range rapid.IntRange(0, 8).Draw(t, name) {
				answer{
					took:   time.Duration(rapid.IntRange(1, 200).Draw(t, "ms")) * time.Millisecond,
					failed: rapid.IntRange(0, 9).Draw(t, "failed") == 0,
				}.add(s)
			}
			return s
		}
		for second := range rapid.Int64Range(1, 20).Draw(t, "seconds") {
			if second == 10 {
				whole.Next()
				cut.Next()
			}
			primary, canary := new(measure.Snapshot), new(measure.Snapshot)
			for range rapid.IntRange(1, 3).Draw(t, "parts") {
				p, c := draw("primary"), draw("canary")
				cut.Add(second, p, c)
				primary.Merge(p)
				canary.Merge(c)
			}
			whole.Add(second, primary, canary)
		}
		for i := range whole.bounds {
			a, b := whole.bounds[i].test, cut.bounds[i].test
			rollout, step := a.against()
			cutRollout, cutStep := b.against()
			for _, pair := range [][2]float64{{rollout, cutRollout}, {step, cutStep}, {a.inFavour(), b.inFavour()}, {a.noise(), b.noise()}} {
				// A mean is rounded to the nanosecond.
				if pair[0] != pair[1] && !(math.Abs(pair[0]-pair[1]) <= 1e-6*max(math.Abs(pair[0]), 1)) {
					t.Fatalf("%s: evidence %g, cut otherwise %g", judge.Metrics[i].Name, pair[0], pair[1])
				}
			}
		}
		if a, b := whole.Verdict(time.Minute), cut.Verdict(time.Minute); a.Result != b.Result || a.String() != b.String() {
			t.Fatalf("verdict %v, cut otherwise %v", a, b)
		}
	})
}

func TestMoreErrorsNeverPassWhatFailed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		judge := guide()
		judge.Metrics = []Metric{
			successRate(rapid.Float64Range(50, 100).Draw(t, "min")),
			{Name: "error-rate", Kind: ErrorRate, Baseline: &Baseline{Delta: new(1.0)}},
		}
		before, after := NewTrial(judge), NewTrial(judge)
		for second := range rapid.Int64Range(1, 30).Draw(t, "seconds") {
			good, bad := rapid.IntRange(0, 10).Draw(t, "good"), rapid.IntRange(0, 3).Draw(t, "bad")
			more := rapid.IntRange(0, 3).Draw(t, "more")
			before.Add(second, sample(10, 0, 0), sample(good, bad, 0))
			after.Add(second, sample(10, 0, 0), sample(good, bad+more, 0))
		}
		if a, b := before.Result(time.Minute), after.Result(time.Minute); a == Fail && b == Pass {
			t.Fatal("more errors turn fail into pass")
		}
	})
}

// Under the hypothesis the evidence that counts, after all tempering, has mean
// 1 at most wherever one stops.
func TestEvidenceHasMeanOneAtAnyStop(t *testing.T) {
	const rollouts, seconds = 3000, 40
	stops := map[string]func(second int, bad float64) bool{
		"after one second":       func(s int, _ float64) bool { return s == 1 },
		"after 40 seconds":       func(s int, _ float64) bool { return s == seconds },
		"at the third bad one":   func(_ int, bad float64) bool { return bad >= 3 },
		"at 3 % once ten are in": func(s int, bad float64) bool { return bad >= 0.3*float64(s) && s >= 5 },
	}
	for name, stop := range stops {
		r := rand.New(rand.NewPCG(9, 9))
		sum, squares := 0.0, 0.0
		for range rollouts {
			p := newProportion(0.02, certain(failures))
			for s := 1; s <= seconds; s++ {
				bad := 0
				for range 10 {
					if r.Float64() < 0.02 {
						bad++
					}
				}
				p.add(int64(s), nil, &measure.Snapshot{}, nil)
				p.rollout.add(tallied(10, int64(bad)))
				p.batches.add(int64(s), float64(bad), 10)
				if stop(s, p.rollout.bad) || s == seconds {
					break
				}
			}
			rollout, _ := p.against()
			e := math.Exp(rollout)
			sum += e
			squares += e * e
		}
		mean := sum / rollouts
		if slack := 3 * math.Sqrt(squares/rollouts/rollouts); mean > 1+slack {
			t.Errorf("%s: mean evidence %.3f, want 1 at most (give or take %.3f)", name, mean, slack)
		}
	}
}
