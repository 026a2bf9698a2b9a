package analysis

import (
	"math"
	"time"

	"github.com/serin-dev/serin/measure"
)

// Trial gathers what is measured in the checks of one rollout, and judges it.
// What it says does not depend on how a second's results are cut into
// intervals. It needs a constant amount of memory, and is not for concurrent
// use.
type Trial struct {
	judge  Judge
	bounds []*bound
	bad    error // of a judge that makes no sense
	checks int   // begun

	primary, canary revision
	tails           bool // whether the primary's response times of the rollout are needed
}

// revision is what was measured of one revision: in the check that runs, and
// in the ones before.
type revision struct {
	check, before measure.Snapshot
	response      measure.Histogram // of all checks, where a tail needs it
}

// NewTrial begins a trial with its first check. That of a judge that fails
// Validate stays inconclusive and says why.
func NewTrial(j Judge) *Trial {
	t := &Trial{judge: j.withDefaults(), bad: j.Validate(), checks: 1}
	if t.bad != nil || j.Mode != Sequential {
		return t
	}
	t.bounds = t.judge.bounds()
	for _, b := range t.bounds {
		t.tails = t.tails || (b.side == likePrimary && b.metric.Kind == Duration)
	}
	return t
}

// Add takes what was measured of both revisions in an interval. The interval
// lies in one second, which is given by its number from any origin; numbers
// must not decrease. Neither snapshot is kept.
func (t *Trial) Add(second int64, primary, canary *measure.Snapshot) {
	for _, b := range t.bounds {
		b.test.add(second, b.metric.view(primary), b.metric.view(canary), &t.primary.response)
	}
	if t.tails {
		t.primary.response.Merge(&primary.Response)
	}
	t.primary.check.Merge(primary)
	t.canary.check.Merge(canary)
}

// Next begins the next check. What the checks before have said against the
// revision is not forgotten by a Sequential judge.
func (t *Trial) Next() {
	t.checks++
	for _, r := range []*revision{&t.primary, &t.canary} {
		r.before.Merge(&r.check)
		r.check.Reset()
	}
	for _, b := range t.bounds {
		b.test.next()
	}
}

// Again measures a Classic check from its beginning.
func (t *Trial) Again() { t.Next() }

// Summaries sum up what was measured in all checks.
func (t *Trial) Summaries() (primary, canary Summary) {
	return Summarize(t.primary.all()), Summarize(t.canary.all())
}

func (r *revision) all() *measure.Snapshot {
	all := new(measure.Snapshot)
	all.Merge(&r.before)
	all.Merge(&r.check)
	return all
}

// Result is the verdict in one word, for a fraction of the cost of a Verdict.
// elapsed is the time since the check began.
func (t *Trial) Result(elapsed time.Duration) Result {
	if t.bad != nil {
		return Inconclusive
	}
	if t.judge.Mode != Sequential {
		if elapsed < t.judge.Interval {
			return Inconclusive
		}
		return t.judge.classic(t.window(elapsed)).Result
	}
	result := Pass
	for _, b := range t.bounds {
		result = worst(result, t.decide(b, elapsed))
	}
	return t.notBefore(elapsed, result)
}

// notBefore holds back the result of a check that could pass before its time.
func (t *Trial) notBefore(elapsed time.Duration, result Result) Result {
	if result == Pass && (elapsed < t.judge.Interval || t.canary.check.Requests() < t.judge.MinSamples) {
		return Inconclusive
	}
	return result
}

// Verdict judges the check that runs. elapsed is the time since it began.
func (t *Trial) Verdict(elapsed time.Duration) Verdict {
	n := t.canary.check.Requests()
	switch {
	case t.bad != nil:
		return verdict(n, Finding{Message: t.bad.Error()})
	case t.judge.Mode != Sequential && elapsed < t.judge.Interval:
		return verdict(n, Finding{Requests: n, Message: "the check is not over"})
	case t.judge.Mode != Sequential:
		return t.judge.classic(t.window(elapsed))
	}
	findings := make([]Finding, 0, len(t.judge.Metrics))
	for i := range t.judge.Metrics {
		findings = append(findings, t.finding(&t.judge.Metrics[i], elapsed))
	}
	v := verdict(n, findings...)
	v.Proven = v.Result == Fail
	v.Result = t.notBefore(elapsed, v.Result)
	return v
}

func (t *Trial) window(elapsed time.Duration) *Window {
	return &Window{Primary: &t.primary.check, Canary: &t.canary.check, Elapsed: elapsed}
}

// The error rate is spent like this: each bound gets an equal part of it. Of a
// bound's part, the evidence of the whole rollout has a share, and the evidence
// of each later check by itself an equal part of the rest. That is a mixture of
// e-processes, which is one, so the parts add up to the error rate for the whole
// rollout. A revision that is bad from the beginning fails by the first; one that
// becomes bad under live load by the second.
const wholeRolloutShare = 0.75

// fails reports whether the evidence against a bound suffices, and whether it
// is the whole rollout's that weighs more.
func (t *Trial) fails(of test) (fails, byRollout bool) {
	rollout, step := of.against()
	share, later := 1.0, 0.0
	if steps := t.judge.Steps; steps > 1 {
		share = wholeRolloutShare
		later = (1 - share) / float64(steps-1)
	}
	if t.checks == 1 || t.checks > t.judge.Steps {
		later = 0 // the first check is the rollout so far; others were not planned for
	}
	rollout += math.Log(share)
	step += math.Log(later)
	sum := logSum{max: math.Inf(-1)}
	sum.add(rollout)
	sum.add(step)
	return sum.log() >= math.Log(float64(len(t.bounds))/t.judge.ErrorRate), rollout >= step
}

// passes reports whether a regression that is worth catching is ruled out.
func (t *Trial) passes(of test) bool { return of.inFavour() >= -math.Log(1-t.judge.Power) }

// decide judges one bound.
func (t *Trial) decide(b *bound, elapsed time.Duration) Result {
	if _, step := b.test.counts(); min(step.n, b.test.primaryRequests()) < float64(t.judge.MinSamples) {
		return Inconclusive
	}
	if fails, _ := t.fails(b.test); fails {
		return Fail
	}
	if t.passes(b.test) || (t.late(elapsed) && b.metric.classic(&t.judge, t.window(elapsed)).Result == Pass) {
		return Pass
	}
	return Inconclusive
}

func (t *Trial) late(elapsed time.Duration) bool {
	return t.judge.MaxDuration > 0 && elapsed >= t.judge.MaxDuration
}
