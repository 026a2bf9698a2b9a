package session

import (
	"cmp"
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

// coldStartLimit is how long a revision may take to answer for the first time
// before it is judged all the same. It is more than a pod takes whose image is
// on its node.
const coldStartLimit = 30 * time.Second

// session is the measured load of one rollout.
type session struct {
	config Config
	canary types.NamespacedName
	spec   Spec

	primaryRecorder, canaryRecorder *measure.Recorder

	handMu sync.Mutex // guards what the writers are given
	byHand map[v1beta1.Side]*measure.Writer

	stopOnce sync.Once
	stopped  chan struct{} // closed by stop
	changed  chan struct{} // holds a token when the check has changed

	mu      sync.Mutex // guards check and verdict
	check   int64
	verdict *rollout.Verdict
}

func newSession(config Config, canary types.NamespacedName, spec Spec) *session {
	s := &session{
		config: config, canary: canary, spec: spec,
		primaryRecorder: measure.NewColdStartRecorder(coldStartLimit),
		canaryRecorder:  measure.NewColdStartRecorder(coldStartLimit),
		stopped:         make(chan struct{}),
		changed:         make(chan struct{}, 1),
	}
	s.byHand = map[v1beta1.Side]*measure.Writer{
		v1beta1.SidePrimary: s.primaryRecorder.Writer(),
		v1beta1.SideCanary:  s.canaryRecorder.Writer(),
	}
	return s
}

// record adds the result of a request that the session did not send.
func (s *session) record(side v1beta1.Side, r measure.Result) {
	s.handMu.Lock()
	defer s.handMu.Unlock()
	if w := s.byHand[side]; w != nil {
		w.Record(r)
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
	err := loadgen.Run(ctx, s.spec.Load.plan(),
		s.target(v1beta1.SidePrimary, s.spec.Primary, s.primaryRecorder), s.target(v1beta1.SideCanary, s.spec.Canary, s.canaryRecorder))
	if err != nil {
		// LoadFor has validated the plan, so this is a defect, not a verdict.
		s.config.Log.ErrorContext(ctx, "the measured load cannot be sent", "canary", s.canary.String(), "error", err)
	}
	cancel()
}

func (s *session) target(side v1beta1.Side, t Target, recorder *measure.Recorder) loadgen.Target {
	target := loadgen.Target{URL: "http://" + t.Host, ConnectTo: cmp.Or(s.config.Gateway, t.Address), Recorder: recorder, Transport: s.config.Transport}
	if s.config.Gateway == "" {
		target.Control = s.config.Control
	}
	if s.config.Detour != nil {
		target.Detour = s.config.Detour(s.canary, side)
	}
	return target
}
