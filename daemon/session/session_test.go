package session

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

var podinfo = types.NamespacedName{Namespace: "test", Name: "podinfo"}

// workload answers by host, in bubble time, and counts.
type workload struct {
	mu     sync.Mutex
	hosts  map[string]int
	broken atomic.Bool
	// starts is how long the canary revision takes to start, from the first
	// request on.
	starts time.Duration
	begun  time.Time // the first request to it
}

func (w *workload) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.hosts[r.Host]++
	if w.begun.IsZero() && r.Host == "canary-podinfo.test" {
		w.begun = time.Now()
	}
	ready := w.begun.Add(w.starts)
	w.mu.Unlock()
	if r.Host == "canary-podinfo.test" {
		select {
		case <-time.After(time.Until(ready)):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status := http.StatusOK
	if w.broken.Load() && r.Host == "canary-podinfo.test" {
		status = http.StatusInternalServerError
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func (w *workload) requests(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hosts[host]
}

// guideSpec sends requests at every tenth of a second and ends its checks in
// between, so that the order of timers that are due at once does not matter.
func guideSpec(canary string) Spec {
	return Spec{
		Primary: Target{Revision: "rev-1", Host: "primary-podinfo.test"},
		Canary:  Target{Revision: canary, Host: "canary-podinfo.test"},
		Load:    Load{Rate: 10, Requests: []loadgen.Request{{Method: "GET", Path: "/"}}, Warmup: 950 * time.Millisecond, Timeout: time.Second, Connections: 4},
		Judge:   analysis.Judge{Metrics: []analysis.Metric{{Name: "request-success-rate", Min: new(99.0)}}, MinSamples: 20, Interval: 5 * time.Second},
	}
}

// running runs Sessions in the bubble around f and fails when anything of it
// outlives the context: a synctest bubble ends only with its last goroutine.
func running(t *testing.T, f func(t *testing.T, s *Sessions, w *workload, notified <-chan time.Time)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &workload{hosts: map[string]int{}}
		notified := make(chan time.Time)
		s := New(Config{
			Transport: w,
			Notify: func(ctx context.Context, _ types.NamespacedName) {
				select {
				case notified <- time.Now():
				case <-ctx.Done():
				}
			},
			Log: slog.New(slog.DiscardHandler),
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		f(t, s, w, notified)
		cancel()
		wg.Wait()
	})
}

func measureCheck(t *testing.T, s *Sessions, spec Spec, check int64) {
	t.Helper()
	if err := s.Measure(t.Context(), podinfo, spec, check); err != nil {
		t.Fatal(err)
	}
}

func TestCheckIsJudgedAfterOneInterval(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, w *workload, notified <-chan time.Time) {
		begin := time.Now()
		measureCheck(t, s, guideSpec("rev-2"), 1)
		if took := (<-notified).Sub(begin); took != 5950*time.Millisecond {
			t.Errorf("verdict after %v, want warm-up and interval, 5.95s", took)
		}
		v := s.Verdict(podinfo)
		if v == nil || v.Result != analysis.Pass || v.Check != 1 || v.Canary != "rev-2" {
			t.Fatalf("verdict %+v", v)
		}
		if v.Requests != 50 || v.Primary.Requests != 50 {
			t.Errorf("judged %d requests, measured %d of the primary; want 50 without those of the warm-up", v.Requests, v.Primary.Requests)
		}
		if p, c := w.requests("primary-podinfo.test"), w.requests("canary-podinfo.test"); p != 60 || c != 60 {
			t.Errorf("primary got %d requests, canary %d; want 60 each", p, c)
		}
	})
}

func TestEachCheckHasItsOwnRequests(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, w *workload, notified <-chan time.Time) {
		spec := guideSpec("rev-2")
		w.broken.Store(true)
		measureCheck(t, s, spec, 1)
		<-notified
		if v := s.Verdict(podinfo); v.Result != analysis.Fail {
			t.Fatalf("verdict %+v of a broken canary", v)
		}
		w.broken.Store(false)
		measureCheck(t, s, spec, 2)
		<-notified
		v := s.Verdict(podinfo)
		if v.Result != analysis.Pass || v.Check != 2 {
			t.Errorf("verdict %+v, want pass: the failures belong to the check before", v)
		}
		if v.Candidate.Requests != 100 || v.Candidate.SuccessRate != 0.5 {
			t.Errorf("summary %+v, want both checks in it", v.Candidate)
		}
	})
}

func TestInconclusiveCheckGoesOn(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, _ *workload, notified <-chan time.Time) {
		spec := guideSpec("rev-2")
		spec.Judge.MinSamples = 80
		measureCheck(t, s, spec, 1)
		<-notified
		if v := s.Verdict(podinfo); v.Result != analysis.Inconclusive {
			t.Fatalf("verdict %+v, want inconclusive", v)
		}
		<-notified
		if v := s.Verdict(podinfo); v.Result != analysis.Pass || v.Requests != 100 {
			t.Errorf("verdict %+v, want pass over two intervals", v)
		}
	})
}

func TestLoadRunsOnUnjudgedBetweenChecks(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, w *workload, notified <-chan time.Time) {
		measureCheck(t, s, guideSpec("rev-2"), 1)
		<-notified
		measureCheck(t, s, guideSpec("rev-2"), 0)
		before := w.requests("canary-podinfo.test")
		select {
		case <-notified:
			t.Error("a verdict about no check")
		case <-time.After(time.Minute):
		}
		if sent := w.requests("canary-podinfo.test") - before; sent < 590 {
			t.Errorf("%d requests in a minute, want 600", sent)
		}
	})
}

func TestAnotherRevisionIsAnotherSession(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, _ *workload, notified <-chan time.Time) {
		measureCheck(t, s, guideSpec("rev-2"), 1)
		<-notified
		measureCheck(t, s, guideSpec("rev-3"), 1)
		if v := s.Verdict(podinfo); v != nil {
			t.Errorf("rev-3 has verdict %+v before it was measured", v)
		}
		<-notified
		if v := s.Verdict(podinfo); v.Canary != "rev-3" {
			t.Errorf("verdict about %s", v.Canary)
		}
	})
}

func TestStoppedSessionSendsNothing(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, w *workload, notified <-chan time.Time) {
		measureCheck(t, s, guideSpec("rev-2"), 1)
		<-notified
		s.Stop(podinfo)
		synctest.Wait()
		before := w.requests("canary-podinfo.test")
		time.Sleep(time.Minute) //nolint:forbidigo // bubble time
		if after := w.requests("canary-podinfo.test"); after != before {
			t.Errorf("%d requests after Stop", after-before)
		}
		if v := s.Verdict(podinfo); v != nil {
			t.Errorf("verdict %+v after Stop", v)
		}
	})
}

func TestMeasureGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Measure(ctx, podinfo, guideSpec("rev-2"), 1); err == nil {
			t.Error("a session started although nothing runs sessions")
		}
		var none *rollout.Verdict
		if v := s.Verdict(podinfo); v != none {
			t.Errorf("verdict %+v", v)
		}
	})
}

// What somebody else sends to the canary revision counts in its verdict.
func TestRequestsByHandCount(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, _ *workload, notified <-chan time.Time) {
		failed := measure.Result{Intended: time.Now(), Sent: time.Now(), Done: time.Now().Add(time.Millisecond), Outcome: measure.Status(500)}
		if s.Record(podinfo, v1beta1.SideCanary, failed) {
			t.Error("it counts without a session")
		}
		measureCheck(t, s, guideSpec("rev-2"), 1)
		time.Sleep(2 * time.Second) //nolint:forbidigo // bubble time
		for range 5 {
			if !s.Record(podinfo, v1beta1.SideCanary, failed) || !s.Record(podinfo, v1beta1.SidePrimary, failed) {
				t.Error("it does not count")
			}
		}
		<-notified
		v := s.Verdict(podinfo)
		if v.Result != analysis.Fail || v.Requests != 55 || v.Primary.Requests != 55 {
			t.Errorf("%v of %d requests, primary %d: %v", v.Result, v.Requests, v.Primary.Requests, v)
		}
		s.Stop(podinfo)
		if s.Record(podinfo, v1beta1.SideCanary, failed) {
			t.Error("it counts after the session")
		}
	})
}
