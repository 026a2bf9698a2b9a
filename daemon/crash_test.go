package daemon_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// crash is a point at which a daemon dies: a write to a Canary or a Service.
type crash struct {
	Write int // from 1; 0 for none
	After bool
}

func (c crash) String() string {
	if c.After {
		return fmt.Sprintf("after write %d", c.Write)
	}
	return fmt.Sprintf("before write %d", c.Write)
}

// wrap makes a transport that kills the process.
func (c crash) wrap(next http.RoundTripper) http.RoundTripper {
	var writes atomic.Int64
	return transport(func(r *http.Request) (*http.Response, error) {
		if !isWrite(r) || writes.Add(1) != int64(c.Write) {
			return next.RoundTrip(r)
		}
		if c.After {
			_, _ = next.RoundTrip(r) // whatever came of it, nobody hears of it
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal arrives
	})
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// isWrite says whether a request writes what a rollout depends on. Events and
// Leases are not that.
func isWrite(r *http.Request) bool {
	path := r.URL.Path
	return r.Method != http.MethodGet && (strings.Contains(path, "/canaries/") || strings.Contains(path, "/services/"))
}

// outcomes are how a rollout may end.
var outcomes = []struct {
	name   string
	flags  []string
	phase  v1beta1.Phase
	live   string
	unlike string // what no event says
	hooks  int    // how many of hookTypes are called
}{
	{"promotion", nil, v1beta1.PhaseSucceeded, "podinfo-00002", "Rolling back", 6},
	{"rollback", []string{"--random-error=true"}, v1beta1.PhaseFailed, "podinfo-00001", "Promotion completed!", 4},
}

// writes is how many writes a whole life takes: from the Canary's creation to its
// initialization, and to the end of its rollout.
func writes(t *testing.T, flags []string, phase v1beta1.Phase) (initialized, all int) {
	w := newWorld(t)
	var n atomic.Int64
	cluster := rest.CopyConfig(env.Config)
	cluster.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			if isWrite(r) {
				n.Add(1)
			}
			return next.RoundTrip(r)
		})
	})
	w.quick()
	w.daemon(daemon.Config{Cluster: cluster})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	initialized = int(n.Load())
	w.push("6.0.1", flags...)
	w.awaitEnd(phase)
	return initialized, int(n.Load())
}

// awaitEnd waits until a rollout has ended and its post-rollout hooks have
// answered.
func (w *world) awaitEnd(phase v1beta1.Phase) {
	w.Helper()
	w.awaitOutcome("podinfo-00002", phase)
	w.eventually("the post-rollout hooks", func() bool { return w.canary.Status.Analysis.Stage == "" && len(w.service.Spec.Traffic) == 1 })
}

// quick is a rollout with few writes, but each kind of them, and with a hook of
// each type. called says which of those were called.
func (w *world) quick() (called func(hookType string) int) {
	a := &w.canary.Spec.Analysis
	a.StepWeight, a.MaxWeight, a.StepWeights, a.Threshold = nil, nil, []int32{50}, 1
	var mu sync.Mutex
	calls := make(map[string]int)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		calls[strings.TrimPrefix(r.URL.Path, "/")]++
	}))
	w.Cleanup(server.Close)
	for _, hookType := range hookTypes {
		a.Webhooks = append(a.Webhooks, v1beta1.Webhook{Name: "hook", Type: hookType, URL: server.URL + "/" + hookType})
	}
	return func(hookType string) int {
		mu.Lock()
		defer mu.Unlock()
		return calls[hookType]
	}
}

// hookTypes are those that a rollback calls, and then those that a promotion
// calls besides.
var hookTypes = []string{
	v1beta1.ConfirmRolloutHook, v1beta1.PreRolloutHook, v1beta1.RolloutHook, v1beta1.PostRolloutHook,
	v1beta1.ConfirmTrafficIncreaseHook, v1beta1.ConfirmPromotionHook,
}

// A daemon that dies before or after any of its writes is followed by one that
// ends as if nothing had happened.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, o := range outcomes {
		t.Run(o.name, func(t *testing.T) {
			var initialized, all int
			t.Run("without", func(t *testing.T) { // a group, so that it is over before the next
				t.Run("a crash", func(t *testing.T) { initialized, all = writes(t, o.flags, o.phase) })
			})
			t.Run("with one", func(t *testing.T) {
				if all < 8 {
					t.Fatalf("%d writes, there must be more", all)
				}
				t.Logf("%d writes", all)
				first := 1
				if o.phase == v1beta1.PhaseFailed {
					first = initialized + 1 // the ones before are the promotion's, too
				}
				for n := first; n <= all; n++ {
					for _, after := range []bool{false, true} {
						c := crash{Write: n, After: after}
						t.Run(c.String(), func(t *testing.T) {
							w := newWorld(t)
							called := w.quick()
							w.crashAndEnd(c, o.flags, o.phase)
							for _, hookType := range hookTypes[:o.hooks] {
								if called(hookType) == 0 {
									t.Errorf("the %s hook was not called", hookType)
								}
							}
							if w.live(o.live) != 100 || len(w.service.Spec.Traffic) != 1 {
								t.Errorf("traffic %+v, want all at %s", w.service.Spec.Traffic, o.live)
							}
							if told := strings.Join(w.events(), "\n"); strings.Contains(told, o.unlike) {
								t.Errorf("events:\n%s", told)
							}
						})
					}
				}
			})
		})
	}
}

// crashAndEnd lets a daemon die and another one finish.
func (w *world) crashAndEnd(c crash, flags []string, phase v1beta1.Phase) {
	_, ended := w.doomed(c)
	w.create(w.service)
	w.create(w.canary)
	pushed := false
	w.eventually("the daemon's end", func() bool {
		if !pushed && w.canary.Status.Phase == v1beta1.PhaseInitialized {
			pushed = true
			w.push("6.0.1", flags...)
		}
		select {
		case <-ended:
			return true
		default:
			// It may need fewer writes than it did before.
			return w.canary.Status.LastAppliedSpec == "podinfo-00002" && w.canary.Status.Phase == phase
		}
	})
	w.daemon(daemon.Config{})
	if !pushed {
		w.awaitPhase(v1beta1.PhaseInitialized)
		w.push("6.0.1", flags...)
	}
	w.awaitEnd(phase)
}
