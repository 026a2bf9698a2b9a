package main

import (
	"fmt"
	"math"
	"testing"
	"time"

	"gonum.org/v1/gonum/mathext"

	"github.com/serin-dev/serin/analysis"
)

const (
	ms        = time.Millisecond
	errorRate = analysis.DefaultErrorRate
)

var (
	fast  = lognormal{60 * ms, 300 * ms}
	edge  = lognormal{60 * ms, 500 * ms} // p99 at the limit of 500 ms
	tail  = lognormal{60 * ms, 600 * ms} // p99 doubled, p50 as before
	slow  = lognormal{1200 * ms, 3000 * ms}
	good  = behaviour{independent(0.005), fast}
	guide = func(rate float64) policy { return newSequential(rate, successRate, duration) }
	alone = func(rate float64) policy { return newSequential(rate, successRate) }
	pairs = func(rate float64) policy { return newSequential(rate, successRate, likePrimary) }
)

// both revisions behave alike.
func both(name string, b behaviour) scenario { return scenario{name: name, primary: b, canary: b} }

// bad canary revisions appear at a weight.
func bad(name string, b behaviour, onset int) scenario {
	return scenario{name: name, primary: good, canary: b, onset: onset}
}

// goals prints how far each goal is reached.
func (b *bench) goals() {
	b.printf("### Goals\n\n| what | goal | measured | |\n|---|---|---|---|\n")
	b.falseRollbacks("good revision: 0.5 % errors, p99 300 ms", 1, both("", good), guide)
	b.falseRollbacks("revision at its limits: 1 % errors, p99 500 ms", 1, both("", behaviour{independent(0.01), edge}), guide)
	b.falseRollbacks("errors in bursts: 2 s without an answer, 0.5 % on average", 2, both("", behaviour{bursts(0.005, 1, 2*time.Second), fast}), guide)
	b.falseRollbacks("both revisions' latency drifts by a factor of 3 within 5 min, against the primary", 2,
		scenario{primary: good, canary: good, drift: 2, period: 5 * time.Minute}, pairs)
	b.equallySlow()
	for _, rate := range []float64{10, 50} {
		b.wald(rate, "one metric", alone)
		b.wald(rate, "two metrics", guide)
	}
	broken := behaviour{independent(1), fast}
	b.allFail("every request fails", bad("", broken, 0))
	b.allFail("every request fails from 30 % weight on", bad("", broken, 30))
	b.doubledTail("p99 doubled, p50 unchanged, max 500 ms", guide)
	b.doubledTail("p99 doubled, p50 unchanged, at most 10 % over the primary's", pairs)
	b.cost()
	b.printf("\n")
}

func (b *bench) goal(what, goal, measured string, reached bool) {
	verdict := "reached"
	if !reached {
		verdict = "**missed**"
	}
	b.printf("| %s | %s | %s | %s |\n", what, goal, measured, verdict)
}

// upperBound is the exact one-sided 95 % bound of a proportion (C. Clopper,
// E. Pearson, 1934).
func upperBound(k, n int) float64 {
	if k >= n {
		return 1
	}
	return mathext.InvRegIncBeta(float64(k+1), float64(n-k), 0.95)
}

func (b *bench) falseRollbacks(what string, times float64, s scenario, p func(float64) policy) {
	all := b.experiment(s, 10, b.rollouts, p)
	k := all.count(rolledBack)
	bound := upperBound(k, len(all))
	b.goal(what+fmt.Sprintf("; %d rollouts", len(all)), fmt.Sprintf("false rollbacks <= %s", percent(times*errorRate)),
		fmt.Sprintf("%s (%d; 95 %% upper bound %s); %s", percent(float64(k)/float64(len(all))), k, percent(bound), all.lasted()),
		bound <= times*errorRate)
}

func (b *bench) equallySlow() {
	all := b.experiment(both("", behaviour{independent(0.005), slow}), 10, b.few(), pairs)
	k := all.count(rolledBack)
	b.goal(fmt.Sprintf("both revisions equally slow (p99 3 s), against the primary; %d rollouts", len(all)), "no rollback",
		fmt.Sprintf("%d; %s", k, all.lasted()), k == 0)
}

// wald compares with the expected number of requests of Wald's test between
// 1 % and 5 %, at the same error rate and power, which no test betters.
func (b *bench) wald(rate float64, metrics string, p func(float64) policy) {
	bound := sprt(0.01, 0.05, errorRate, analysis.DefaultPower)
	all := b.experiment(bad("", behaviour{independent(0.05), fast}, 0), rate, b.few(), p)
	median, _ := all.median(requests)
	b.goal(fmt.Sprintf("5 %% errors against min 99, %g/s, %s", rate, metrics), fmt.Sprintf("<= %.0f requests (1.5 x %.1f)", 1.5*bound, bound),
		fmt.Sprintf("median %.0f; %d of %d failed", median, all.count(rolledBack), len(all)), median <= 1.5*bound)
}

// sprt is Wald's approximation of the expected number of samples under p1 of
// his sequential probability ratio test of p0 ("Sequential Analysis", 1947, 3.5).
func sprt(p0, p1, alpha, power float64) float64 {
	drift := p1*math.Log(p1/p0) + (1-p1)*math.Log((1-p1)/(1-p0))
	return (power*math.Log(power/alpha) + (1-power)*math.Log((1-power)/(1-alpha))) / drift
}

func (b *bench) allFail(what string, s scenario) {
	all := b.experiment(s, 10, b.few(), guide)
	most, _ := all.quantile(1, requests)
	b.goal(what, "<= 10 requests", fmt.Sprintf("at most %.0f; %d of %d failed", most, all.count(rolledBack), len(all)),
		most <= 10 && all.count(rolledBack) == len(all))
}

func (b *bench) doubledTail(what string, p func(float64) policy) {
	all := b.experiment(bad("", behaviour{independent(0.005), tail}, 0), 20, b.few(), p)
	early := all.count(func(o *outcome) bool { return o.rolledBack && o.weight < 50 })
	median, _ := all.median(seconds)
	b.goal(what+", 20/s", ">= 95 % before 50 % weight",
		fmt.Sprintf("%s; median %.0f s", percent(float64(early)/float64(len(all))), median), float64(early) >= 0.95*float64(len(all)))
}

// cost measures a look at two revisions with two metrics, after many requests.
func (b *bench) cost() {
	traffic := newTraffic(&scenario{primary: good, canary: good}, 10, newRandom(b.seed, 0))
	trial := analysis.NewTrial(sequentialJudge(10, successRate, duration))
	second := int64(0)
	look := func() {
		primary, canary := traffic.slice(time.Duration(second)*time.Second, time.Second, 0)
		second++
		trial.Add(second, primary, canary)
		trial.Result(10 * time.Second)
	}
	for range 10_000 {
		look()
	}
	primary, canary := traffic.slice(0, time.Second, 0)
	r := testing.Benchmark(func(tb *testing.B) {
		tb.ReportAllocs()
		for tb.Loop() {
			second++
			trial.Add(second, primary, canary)
			trial.Result(10 * time.Second)
		}
	})
	b.goal("one look at two revisions, 2 metrics, after 100,000 requests", "<= 100 µs, allocations do not grow",
		fmt.Sprintf("%.1f µs, %d allocations", float64(r.NsPerOp())/1000, r.AllocsPerOp()), r.NsPerOp() <= 100_000)
}

func percent(x float64) string { return fmt.Sprintf("%.3g %%", 100*x) }

// lasted says how long those rollouts took that were promoted.
func (all outcomes) lasted() string {
	sum, n := 0.0, 0
	for i := range all {
		if !all[i].rolledBack {
			sum += all[i].took.Seconds()
			n++
		}
	}
	if n == 0 {
		return "none was promoted"
	}
	return fmt.Sprintf("promoted after %.0f s on average", sum/float64(n))
}
