package session

import (
	"context"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/measure"
)

// judging is the judgement of one session's checks.
type judging struct {
	*session
	trial *analysis.Trial
	check int64     // the one that runs; 0 for none
	began time.Time // the check
	// second numbers the seconds of all checks without a gap.
	second, firstSecond int64
	look                <-chan time.Time // nil while nothing is to be judged
	said                time.Time        // when the last verdict was published
}

// judgeChecks cuts the stream of results into checks.
func (s *session) judgeChecks(ctx context.Context) {
	if !s.warmUp(ctx) {
		return
	}
	j := &judging{session: s}
	tick := time.NewTicker(telling)
	defer tick.Stop()
	for {
		if check := s.wanted(); check != j.check {
			j.begin(check)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-tick.C:
			j.tick()
		case <-j.look:
			j.judge(ctx)
		}
	}
}

// telling is how often what was measured is told, at least.
const telling = time.Second

// tick takes what came in where judging does not do so often enough.
func (j *judging) tick() {
	switch {
	case j.look == nil:
		j.take() // belongs to no check
	case j.spec.Judge.Period() > telling:
		j.add(time.Since(j.began))
	}
}

// warmUp lets the first requests go by unjudged. It reports false when ctx
// ended first.
func (s *session) warmUp(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(s.spec.Load.Warmup):
	}
	s.take()
	return true
}

// take takes what came in since the last time.
func (s *session) take() (primary, candidate *measure.Snapshot) {
	primary, candidate = s.primaryRecorder.Take(), s.canaryRecorder.Take()
	if s.config.Measured != nil {
		s.config.Measured(s.canary, primary, candidate)
	}
	return primary, candidate
}

// begin begins a check. What came in meanwhile belongs to no check, or to the
// one before.
func (j *judging) begin(check int64) {
	j.take()
	j.check, j.look = check, nil
	if check == 0 {
		return
	}
	if j.trial == nil {
		j.trial = analysis.NewTrial(j.spec.Judge)
	} else {
		j.trial.Next()
	}
	j.restart()
}

// restart begins the time of the check.
func (j *judging) restart() {
	j.began = time.Now()
	j.said = j.began
	j.firstSecond = j.second + 1
	j.look = time.After(j.spec.Judge.Period())
}

// judge looks at the check that runs.
func (j *judging) judge(ctx context.Context) {
	period := j.spec.Judge.Period()
	elapsed := time.Since(j.began).Round(period) // timers are late, checks are not
	j.add(elapsed)
	result := j.trial.Result(elapsed)
	if decided := result != analysis.Inconclusive; decided {
		j.look = nil
		j.publish(ctx, j.verdict(elapsed))
		return
	}
	j.look = time.After(time.Until(j.began.Add(elapsed + period)))
	if time.Since(j.said) < j.spec.Judge.Interval-period/2 {
		return
	}
	j.said = time.Now()
	v := j.verdict(elapsed)
	j.publish(ctx, v)
	if v.GeneratorLimited {
		j.trial.Again()
		j.restart()
	}
}

// add adds what came in to the check that has lasted as long.
func (j *judging) add(elapsed time.Duration) {
	j.second = j.firstSecond + int64((elapsed-1)/time.Second) // a second's end is part of it
	primary, candidate := j.take()
	j.trial.Add(j.second, primary, candidate)
}

func (j *judging) verdict(elapsed time.Duration) *rollout.Verdict {
	v := &rollout.Verdict{Canary: j.spec.Canary.Revision, Check: j.check, Elapsed: elapsed, Verdict: j.trial.Verdict(elapsed)}
	v.Primary, v.Candidate = j.trial.Summaries()
	return v
}
