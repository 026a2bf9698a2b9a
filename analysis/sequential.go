package analysis

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// finding says what a Sequential judge found of one metric: of its bounds, the
// one that decides.
func (t *Trial) finding(m *Metric, elapsed time.Duration) Finding {
	var decisive *bound
	result := Pass
	for _, b := range t.bounds {
		if b.metric != m {
			continue
		}
		if next := worst(result, t.decide(b, elapsed)); decisive == nil || next != result {
			decisive, result = b, next
		}
	}
	if decisive == nil {
		return m.unbounded(t.window(elapsed))
	}
	return t.describe(decisive, result, elapsed)
}

// unbounded is the finding of a metric without limits.
func (m *Metric) unbounded(w *Window) Finding {
	canary := m.view(w.Canary)
	f := Finding{Metric: m.Name, Result: Pass, Requests: canary.Requests()}
	if f.Requests > 0 {
		f.Value = m.value(canary, w.Elapsed)
		f.Message = m.plain(f.Value)
	}
	return f
}

// describe puts a decision into words.
func (t *Trial) describe(b *bound, result Result, elapsed time.Duration) Finding {
	m := b.metric
	primary, canary := &t.primary.check, &t.canary.check
	fails, byRollout := t.fails(b.test)
	if fails && byRollout && t.checks > 1 {
		primary, canary = t.primary.all(), t.canary.all()
	}
	primary, canary = m.view(primary), m.view(canary)
	f := Finding{Metric: m.Name, Result: result, Requests: canary.Requests(), Limit: b.limit}
	if n := int64(min(float64(f.Requests), b.test.primaryRequests())); n < t.judge.MinSamples {
		f.Message = fmt.Sprintf("%s: %s", m, tooFew(n, t.judge.MinSamples))
		if n < f.Requests {
			f.Message += " to the primary revision"
		}
		f.Explanation = fmt.Sprintf("%s more will tell", thousands(t.judge.MinSamples-n))
		return f
	}
	f.Value = m.value(canary, t.elapsed(elapsed, f.Requests))
	f.Low, f.High = m.interval(canary, t.elapsed(elapsed, f.Requests), b.test.noise())
	reference := math.NaN()
	if b.side == likePrimary {
		n := primary.Requests()
		reference = m.value(primary, t.elapsed(elapsed, n))
		f.Limit = m.baselineLimit(reference)
	}
	f.Message = b.sentence(&f, reference)
	f.Explanation = t.explain(b, &f, elapsed)
	return f
}

// elapsed is the time in which so many requests are sent, where that is known:
// that of the check says nothing about requests of the whole rollout.
func (t *Trial) elapsed(check time.Duration, requests int64) time.Duration {
	if t.judge.Rate <= 0 {
		return check
	}
	return time.Duration(float64(requests) / t.judge.Rate * float64(time.Second))
}

// explain says what would have changed the decision, or will.
func (t *Trial) explain(b *bound, f *Finding, elapsed time.Duration) string {
	if _, isMean := b.test.(*mean); isMean {
		return t.explainMean(b, f)
	}
	rollout, step := b.test.counts()
	bad := step.bad
	if _, byRollout := t.fails(b.test); f.Result == Fail && byRollout {
		bad = rollout.bad
	}
	switch f.Result {
	case Fail:
		fewer := search(bad, func(by float64) bool {
			fails, _ := t.fails(b.test.changed(0, -by))
			return !fails
		})
		return fmt.Sprintf("%s; %s would not have been enough to fail it", b.badRequests(bad), plainNumber(bad-fewer))
	case Pass:
		if !t.passes(b.test) {
			return fmt.Sprintf("undecided after %s, so the estimate alone passed it", rounded(elapsed))
		}
		more := search(step.n-bad, func(by float64) bool { return !t.passes(b.test.changed(0, by)) })
		if t.passes(b.test.changed(0, more)) {
			return "nothing is too bad for it"
		}
		return fmt.Sprintf("%s; with %s it would not have passed yet", b.badRequests(bad), plainNumber(bad+more))
	case Inconclusive:
	}
	const far = 1 << 24
	more := search(far, func(requests float64) bool { return t.passes(b.test.changed(requests, 0)) })
	if more >= far {
		return fmt.Sprintf("%s; more requests will tell", b.badRequests(bad))
	}
	return fmt.Sprintf("%s; about %s more requests without one would pass it", b.badRequests(bad), plainNumber(more))
}

func (t *Trial) explainMean(b *bound, f *Finding) string {
	scale := f.Limit
	switch f.Result {
	case Fail:
		by := search(1000, func(n float64) bool {
			fails, _ := t.fails(b.test.changed(0, -n*scale/1000*b.sign()))
			return !fails
		})
		return fmt.Sprintf("a mean of %s would not have failed it", b.metric.format(f.Value-by*scale/1000*b.sign(), f.Value))
	case Pass:
		by := search(1000, func(n float64) bool { return !t.passes(b.test.changed(0, n*scale/1000*b.sign())) })
		return fmt.Sprintf("with a mean of %s it would not have passed yet", b.metric.format(f.Value+by*scale/1000*b.sign(), f.Value))
	case Inconclusive:
	}
	return "more seconds will tell"
}

// search is the smallest whole number in [0,most] for which a condition holds
// that, once it holds, holds for all greater ones; most where there is none.
func search(most float64, holds func(float64) bool) float64 {
	return float64(sort.Search(int(most), func(n int) bool { return holds(float64(n)) }))
}
