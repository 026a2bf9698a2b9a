package session

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

// session is the measured load of one rollout.
type session struct {
	config Config
	canary types.NamespacedName
	spec   Spec

	primaryRecorder, canaryRecorder *measure.Recorder

	stopOnce sync.Once
	stopped  chan struct{} // closed by stop
	changed  chan struct{} // holds a token when the check has changed

	mu      sync.Mutex // guards check and verdict
	check   int64
	verdict *rollout.Verdict
}

func newSession(config Config, canary types.NamespacedName, spec Spec) *session {
	return &session{
		config: config, canary: canary, spec: spec,
		primaryRecorder: measure.NewRecorder(),
		canaryRecorder:  measure.NewRecorder(),
		stopped:         make(chan struct{}),
		changed:         make(chan struct{}, 1),
	}
}

func (s *session) stop() { s.stopOnce.Do(func() { close(s.stopped) }) }

// judge says which check to judge from now on.
func (s *session) judge(check int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.check == check {
		return
	}
	s.check = check
	select {
	case s.changed <- struct{}{}:
	default: // a token is there already
	}
}

func (s *session) wanted() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.check
}

func (s *session) newest() *rollout.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verdict
}

func (s *session) publish(ctx context.Context, v *rollout.Verdict) {
	s.mu.Lock()
	s.verdict = v
	s.mu.Unlock()
	s.config.Notify(ctx, s.canary)
}

// run sends the load and judges the checks until the session is stopped or
// ctx ends, and returns when both have ended.
func (s *session) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		select {
		case <-s.stopped:
			cancel()
		case <-ctx.Done():
		}
	})
	wg.Go(func() { s.judgeChecks(ctx) })
	err := loadgen.Run(ctx, s.spec.Load.plan(), s.target(s.spec.Primary, s.primaryRecorder), s.target(s.spec.Canary, s.canaryRecorder))
	if err != nil {
		// LoadFor has validated the plan, so this is a defect, not a verdict.
		s.config.Log.ErrorContext(ctx, "the measured load cannot be sent", "canary", s.canary.String(), "error", err)
	}
	cancel()
}

func (s *session) target(t Target, recorder *measure.Recorder) loadgen.Target {
	return loadgen.Target{URL: "http://" + t.Host, ConnectTo: s.config.Gateway, Recorder: recorder, Transport: s.config.Transport}
}

// window is one check: what came in since it began.
type window struct {
	check  int64
	canary measure.Snapshot
	due    <-chan time.Time // nil when there is nothing to judge
}

// judgeChecks cuts the stream of results into checks.
func (s *session) judgeChecks(ctx context.Context) {
	var primary, canary measure.Snapshot // since the end of the warm-up
	if !s.warmUp(ctx) {
		return
	}
	var w window
	collect := func() {
		primary.Merge(s.primaryRecorder.Take())
		taken := s.canaryRecorder.Take()
		canary.Merge(taken)
		w.canary.Merge(taken)
	}
	for {
		if check := s.wanted(); check != w.check {
			collect() // what belongs to no check, or to the one before
			w = window{check: check}
			if check > 0 {
				w.due = time.After(s.spec.Interval)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-w.due:
			collect()
			v := s.spec.Judge.Verdict(&w.canary)
			w.due = nil
			if v.Result == analysis.Inconclusive {
				w.due = time.After(s.spec.Interval)
			}
			s.publish(ctx, &rollout.Verdict{
				Canary: s.spec.Canary.Revision, Check: w.check, Verdict: v,
				Primary: analysis.Summarize(&primary), Candidate: analysis.Summarize(&canary),
			})
		}
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
	s.primaryRecorder.Take()
	s.canaryRecorder.Take()
	return true
}
