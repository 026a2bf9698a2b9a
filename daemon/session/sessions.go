package session

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"syscall"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

// Spec is what a session sends and how it judges. Two Specs that are equal to
// reflect.DeepEqual are the same session.
type Spec struct {
	Primary, Canary Target
	Load            Load
	Judge           analysis.Judge
}

// Target is one revision and the host under which it can be reached.
type Target struct {
	Revision string
	Host     string // canary-podinfo.test
	// Address is the host:port to connect to, where there is no Gateway.
	Address string
}

// Config says how sessions reach their targets.
type Config struct {
	// Gateway is the host:port to connect to; empty to connect to each
	// target's own Address.
	Gateway string
	// Control may refuse the address of a target just before a connection to
	// it, where there is no Gateway; nil for none.
	Control func(network, address string, c syscall.RawConn) error
	// Transport sends the requests; nil for HTTP/1.1.
	Transport http.RoundTripper
	// Notify is called, from the session's goroutine, when there is a new
	// verdict. Required; must return when ctx ends.
	Notify func(context.Context, types.NamespacedName)
	// Measured is given everything that is measured, judged or not; nil for
	// nobody. It must not keep the snapshots.
	Measured func(canary types.NamespacedName, primary, candidate *measure.Snapshot)
	// Detour may disturb the requests to a revision; nil for nobody.
	Detour func(canary types.NamespacedName, side v1beta1.Side) loadgen.Detour
	Log    *slog.Logger
}

// Sessions is the set of running sessions, one per Canary.
type Sessions struct {
	config Config
	start  chan *session

	mu      sync.Mutex // guards running
	running map[types.NamespacedName]*session
}

// New returns an empty set. Nothing is sent before Run.
func New(config Config) *Sessions {
	return &Sessions{config: config, start: make(chan *session), running: make(map[types.NamespacedName]*session)}
}

// Run runs the sessions until ctx ends, and returns when all have ended.
func (s *Sessions) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case one := <-s.start:
			wg.Go(func() { one.run(ctx) })
		}
	}
}

// Measure makes sure that a session as specified runs for the Canary, and that
// it judges the given check; check 0 sends the load and judges nothing. A
// session that is specified otherwise is replaced.
func (s *Sessions) Measure(ctx context.Context, canary types.NamespacedName, spec Spec, check int64) error {
	s.mu.Lock()
	one := s.running[canary]
	if one != nil && reflect.DeepEqual(one.spec, spec) {
		s.mu.Unlock()
		one.judge(check)
		return nil
	}
	if one != nil {
		one.stop()
	}
	one = newSession(s.config, canary, spec)
	one.judge(check)
	s.running[canary] = one
	s.mu.Unlock()
	select {
	case s.start <- one:
		return nil
	case <-ctx.Done():
		s.Stop(canary)
		return ctx.Err()
	}
}

// Stop ends the Canary's session, if it has one. It does not wait for it.
func (s *Sessions) Stop(canary types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.running[canary]; one != nil {
		one.stop()
		delete(s.running, canary)
	}
}

// Record adds the result of a request that somebody else sent to a revision,
// so that it counts in the verdict like the session's own. It reports false
// where no session runs that it could count in.
func (s *Sessions) Record(canary types.NamespacedName, side v1beta1.Side, r measure.Result) (counts bool) {
	s.mu.Lock()
	one := s.running[canary]
	s.mu.Unlock()
	if one == nil {
		return false
	}
	one.record(side, r)
	return true
}

// Verdict returns the newest verdict of the Canary's session, or nil.
func (s *Sessions) Verdict(canary types.NamespacedName) *rollout.Verdict {
	s.mu.Lock()
	one := s.running[canary]
	s.mu.Unlock()
	if one == nil {
		return nil
	}
	return one.newest()
}
