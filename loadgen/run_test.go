package loadgen

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-dev/serin/measure"
)

// roundTripper answers requests in a synctest bubble, where sockets do not
// work.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(status int) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("ok"))}
}

// sleep waits in bubble time, or until the request is given up.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// A server that is frozen for the first second, asked 100 times a second:
// request n was due at n*10ms and answered at 1s, so the response times are
// 1s, 990ms, … 10ms, however many connections there are. What the server took
// itself differs: with one connection only the first request saw the freeze.
func TestStallsAreChargedToTheIntendedStart(t *testing.T) {
	for _, connections := range []int{1, 7, 100} {
		t.Run(fmt.Sprintf("%d connections", connections), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				thaw := time.Now().Add(time.Second)
				frozen := roundTripper(func(r *http.Request) (*http.Response, error) {
					if err := sleep(r.Context(), time.Until(thaw)); err != nil {
						return nil, err
					}
					return respond(http.StatusOK), nil
				})
				rec := measure.NewRecorder()
				plan := Plan{Schedule: ConstantRate(100), Duration: time.Second, Connections: connections, Timeout: 10 * time.Second}
				if err := Run(t.Context(), plan, Target{URL: "http://target", Recorder: rec, Transport: frozen}); err != nil {
					t.Fatal(err)
				}
				got := rec.Take()
				if got.Requests() != 100 || got.Failures != 0 {
					t.Fatalf("%d requests, %d failures; want 100 and 0", got.Requests(), got.Failures)
				}
				for n := range 100 {
					want := time.Duration(n+1) * 10 * time.Millisecond
					// A hair below rank n+1, so that rounding cannot reach the next one.
					q := (float64(n) + 0.9) / 100
					if v := got.Response.Quantile(q); v < want || v > want+want/500 {
						t.Errorf("response time number %d = %v, want %v", n+1, v, want)
					}
				}
				stalled := min(connections, 100)
				q := 1 - (float64(stalled)+0.5)/100
				if v := got.Service.Quantile(q); connections < 100 && v > time.Millisecond {
					t.Errorf("service time below the %d stalled ones = %v, want about 0", stalled, v)
				}
			})
		})
	}
}

func TestScheduleDoesNotWaitForTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var starts []time.Duration
		begin := time.Now()
		slow := roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			starts = append(starts, time.Since(begin))
			mu.Unlock()
			if err := sleep(r.Context(), 3*time.Second); err != nil {
				return nil, err
			}
			return respond(http.StatusOK), nil
		})
		plan := Plan{Schedule: ConstantRate(10), Duration: 2 * time.Second}
		if err := Run(t.Context(), plan, Target{URL: "http://target", Recorder: measure.NewRecorder(), Transport: slow}); err != nil {
			t.Fatal(err)
		}
		if len(starts) != 20 {
			t.Fatalf("%d requests started, want 20", len(starts))
		}
		slices.Sort(starts)
		for n, at := range starts {
			if want := time.Duration(n) * 100 * time.Millisecond; at != want {
				t.Errorf("request %d started at %v, want %v", n, at, want)
			}
		}
	})
}

func TestTargetsGetTheSameRequestsInTheSameSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		sent := map[string][]string{}
		begin := time.Now()
		note := roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			sent[r.Host] = append(sent[r.Host], fmt.Sprint(time.Since(begin), r.Method, r.URL.RequestURI()))
			return respond(http.StatusOK), nil
		})
		plan := Plan{
			Schedule: ConstantRate(4), Duration: 3 * time.Second, Connections: 3,
			Requests: []Request{{Path: "/a?x=1", Weight: 2}, {Method: http.MethodPost, Path: "/b"}},
		}
		err := Run(t.Context(), plan,
			Target{URL: "http://gateway", Host: "primary", Recorder: measure.NewRecorder(), Transport: note},
			Target{URL: "http://gateway", Host: "canary", Recorder: measure.NewRecorder(), Transport: note})
		if err != nil {
			t.Fatal(err)
		}
		if len(sent["primary"]) != 12 || !slices.Equal(sent["primary"], sent["canary"]) {
			t.Errorf("primary got %v\ncanary got %v", sent["primary"], sent["canary"])
		}
		if got, want := sent["primary"][:4], []string{"0sGET/a?x=1", "250msGET/a?x=1", "500msPOST/b", "750msGET/a?x=1"}; !slices.Equal(got, want) {
			t.Errorf("requests %v, want %v", got, want)
		}
	})
}

func TestRunEndsWithItsContextAndDropsWhatItCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1050*time.Millisecond)
		defer cancel()
		never := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		rec := measure.NewRecorder()
		begin := time.Now()
		plan := Plan{Schedule: ConstantRate(10), Timeout: 500 * time.Millisecond}
		if err := Run(ctx, plan, Target{URL: "http://target", Recorder: rec, Transport: never}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 1050*time.Millisecond {
			t.Errorf("run ended after %v, want 1.05s", took)
		}
		// Started at 0, 100, … 500 ms and timed out half a second later.
		got := rec.Take()
		if got.Requests() != 6 || got.Outcomes[measure.Timeout] != 6 {
			t.Errorf("recorded %v, want 6 timeouts", got.Outcomes)
		}
	})
}

func TestPlansThatMakeNoSenseAreRefused(t *testing.T) {
	plan := Plan{Duration: -1, Connections: -1, Requests: []Request{{Path: "x"}, {Method: "B D"}, {Weight: -1}, {Expect: Expectation{Status: []StatusRange{{300, 200}}}}}}
	err := Run(t.Context(), plan)
	if err == nil {
		t.Fatal("plan was accepted")
	}
	for _, want := range []string{"no schedule", "duration", "connections", "requests[0].path", "requests[1]", "requests[2].weight", "requests[3].expect"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not mention %q", err, want)
		}
	}
	for _, target := range []Target{{URL: "ftp://x", Recorder: measure.NewRecorder()}, {URL: "http://x"}, {URL: ":", Recorder: measure.NewRecorder()}} {
		if err := Run(t.Context(), Plan{Schedule: ConstantRate(1)}, target); err == nil {
			t.Errorf("target %+v was accepted", target)
		}
	}
}

// A target that holds every connection makes requests wait. The waiting is in
// the response time, and not in the lag, which is the generator's own.
func TestWaitingForAConnectionIsTheTargetsDoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := roundTripper(func(r *http.Request) (*http.Response, error) {
			if err := sleep(r.Context(), 300*time.Millisecond); err != nil {
				return nil, err
			}
			return respond(http.StatusOK), nil
		})
		rec := measure.NewRecorder()
		plan := Plan{Schedule: ConstantRate(10), Duration: 500 * time.Millisecond, Connections: 1}
		if err := Run(t.Context(), plan, Target{URL: "http://target", Recorder: rec, Transport: slow}); err != nil {
			t.Fatal(err)
		}
		// Due at 0, 100, … 400 ms and answered at 300, 600, … 1500 ms.
		got := rec.Take()
		if got.Requests() != 5 || got.Waited != 4 {
			t.Errorf("%d requests, %d waited; want 5 and 4", got.Requests(), got.Waited)
		}
		if longest := got.Response.Max(); longest < 1099*time.Millisecond || longest > 1102*time.Millisecond {
			t.Errorf("longest response time %v, want 1.1s", longest)
		}
		if lag := got.Lag.Max(); lag > time.Millisecond {
			t.Errorf("lag %v, want none: the generator was in time", lag)
		}
		if got.GeneratorLimited() {
			t.Error("a slow target is taken for a slow generator")
		}
	})
}

// A request that a worker takes late had to wait for it only where no other
// connection was free. Otherwise it was the generator that was late.
func TestLatenessIsWaitingOnlyWhereEveryConnectionIsBusy(t *testing.T) {
	now := time.Now()
	for _, behind := range []bool{false, true} {
		plan := Plan{}.withDefaults()
		l := &openLoop{run: &run{plan: &plan}, begin: now, behind: behind, due: job{intended: now.Add(-time.Second)}}
		l.next = func() (time.Duration, bool) { return time.Hour, true }
		j, ok := l.take(&worker{}, now)
		if !ok || j.ready.IsZero() == behind {
			t.Errorf("behind %v: taken %v, ready %v", behind, ok, j.ready)
		}
	}
}

// A target that hangs: each connection is tied up for the timeout, and who
// waited that long for one is given up too, so that the run ends.
func TestRequestsThatWaitTooLongAreGivenUpAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		never := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		rec := measure.NewRecorder()
		plan := Plan{Schedule: ConstantRate(100), Duration: time.Second, Connections: 2, Timeout: 2 * time.Second}
		if err := Run(t.Context(), plan, Target{URL: "http://target", Recorder: rec, Transport: never}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("the run took %v, want at most its duration and twice the timeout", took)
		}
		got := rec.Take()
		if got.Requests() != 100 || got.Outcomes[measure.Timeout] != 100 {
			t.Errorf("%v, want all 100 requests timed out", got.Outcomes)
		}
		if sent := got.Service.Count(); sent >= 100 || sent < 2 {
			t.Errorf("%d requests were sent, want some, but not all", sent)
		}
	})
}

func TestConnectionsGrowOnlyAsNeeded(t *testing.T) {
	var mu sync.Mutex
	connections := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		connections[r.RemoteAddr] = true
	}))
	defer server.Close()
	rec := measure.NewRecorder()
	plan := Plan{Schedule: ConstantRate(50), MaxRequests: 20, Connections: 20}
	if err := Run(t.Context(), plan, Target{URL: server.URL, Recorder: rec}); err != nil {
		t.Fatal(err)
	}
	if n := rec.Take().Requests(); n != 20 {
		t.Errorf("%d requests, want 20", n)
	}
	// One, if each is answered within 20 ms; a busy machine may need more.
	if len(connections) >= 20 {
		t.Errorf("%d connections for 20 requests, one after the other", len(connections))
	}
}

func TestScheduleEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		rec := measure.NewRecorder()
		ok := roundTripper(func(*http.Request) (*http.Response, error) { return respond(200), nil })
		plan := Plan{Schedule: Steps(Step{10, time.Second}, Step{20, time.Second})}
		if err := Run(t.Context(), plan, Target{URL: "http://target", Recorder: rec, Transport: ok}); err != nil {
			t.Fatal(err)
		}
		if n := rec.Take().Requests(); n != 30 || time.Since(begin) != 1950*time.Millisecond {
			t.Errorf("%d requests in %v, want 30 in 1.95s", n, time.Since(begin))
		}
	})
}

// Starts are moved to ticks, but none out of the run.
func TestHighRatesAreSentWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := measure.NewRecorder()
		ok := roundTripper(func(*http.Request) (*http.Response, error) { return respond(200), nil })
		plan := Plan{Schedule: ConstantRate(10_000), Duration: time.Second}
		if err := Run(t.Context(), plan, Target{URL: "http://target", Recorder: rec, Transport: ok}); err != nil {
			t.Fatal(err)
		}
		if n := rec.Take().Requests(); n != 10_000 {
			t.Errorf("%d requests in a second, want 10000", n)
		}
	})
}

func TestClosedLoopWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := roundTripper(func(r *http.Request) (*http.Response, error) {
			if err := sleep(r.Context(), 100*time.Millisecond); err != nil {
				return nil, err
			}
			return respond(http.StatusOK), nil
		})
		for _, tc := range []struct {
			name string
			plan Plan
			want int64
			took time.Duration
		}{
			{"as fast as it goes", Plan{Closed: true, Connections: 3, Duration: time.Second}, 30, time.Second},
			{"so many requests", Plan{Closed: true, Connections: 3, MaxRequests: 12}, 12, 400 * time.Millisecond},
			// Each worker's turns are at 500, 1000, 1500 and 2000 ms; the last one is too late.
			{"at a rate of each", Plan{Closed: true, Connections: 3, WorkerRate: 2, Duration: 1900 * time.Millisecond}, 9, 1900 * time.Millisecond},
			{"whose first turn comes in ages", Plan{Closed: true, Connections: 2, WorkerRate: 1e-30, Duration: time.Second}, 0, time.Second},
			{"whose first turn never comes", Plan{Closed: true, Connections: 2, WorkerRate: 0.01, Duration: time.Second}, 0, time.Second},
			// A turn every 50 ms, of which every other one is lost.
			{"slower than its rate", Plan{Closed: true, Connections: 1, WorkerRate: 20, MaxRequests: 5}, 5, 600 * time.Millisecond},
		} {
			begin := time.Now()
			rec := measure.NewRecorder()
			if err := Run(t.Context(), tc.plan, Target{URL: "http://target", Recorder: rec, Transport: slow}); err != nil {
				t.Fatal(err)
			}
			got := rec.Take()
			if took := time.Since(begin); got.Requests() != tc.want || took < tc.took-100*time.Millisecond || took > tc.took+100*time.Millisecond {
				t.Errorf("%s: %d requests in %v, want %d in about %v", tc.name, got.Requests(), took, tc.want, tc.took)
			}
			if got.Lag.Max() > time.Millisecond || got.Waited > 0 {
				t.Errorf("%s: lag %v, %d waited; a closed loop knows neither", tc.name, got.Lag.Max(), got.Waited)
			}
		}
	})
}

// net/http's goroutines still have something to tell of a request that has
// timed out; the race detector would see it written into a detail given away.
func TestDetailOfARequestThatWasCutOffIsNotWrittenAfterwards(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer server.Close()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	var waits atomic.Int64
	target := Target{URL: server.URL, Transport: transport, Recorder: measure.NewRecorder(), Each: func(d *Detail) { waits.Add(int64(d.Phases.Wait)) }}
	// About as long as an answer takes here: some are in time, some are not.
	for timeout := 50 * time.Microsecond; timeout < 2*time.Millisecond; timeout += timeout / 4 {
		if err := Run(t.Context(), Plan{Closed: true, Connections: 4, MaxRequests: 100, Timeout: timeout}, target); err != nil {
			t.Fatal(err)
		}
	}
	got := target.Recorder.Take()
	t.Logf("%d requests, %d timed out", got.Requests(), got.Outcomes[measure.Timeout])
}

func TestEachRequestIsToldInDetail(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer server.Close()
	for _, protocol := range []Target{{URL: server.URL}, {URL: server.URL, Transport: new(http.Transport)}} {
		var mu sync.Mutex
		var got []Detail
		target := protocol
		target.Recorder = measure.NewRecorder()
		target.Each = func(d *Detail) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, *d)
		}
		plan := Plan{Closed: true, Connections: 1, MaxRequests: 3}
		if err := Run(t.Context(), plan, target); err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || got[0].Connect <= 0 || got[1].Connect != 0 {
			t.Fatalf("%d details, connected in %v and %v; want 3, one connection", len(got), got[0].Connect, got[1].Connect)
		}
		for _, d := range got {
			if parts := d.Connect + d.Write + d.Phases.Wait + d.Read; d.Phases.Wait <= 0 || parts > d.ServiceTime() {
				t.Errorf("phases %+v make more than the service time %v", d.Phases, d.ServiceTime())
			}
		}
		if transport, ok := target.Transport.(*http.Transport); ok {
			transport.CloseIdleConnections()
		}
	}
}

func TestPlansOfClosedLoops(t *testing.T) {
	for _, tc := range []struct {
		plan Plan
		want string
	}{
		{Plan{Closed: true, Schedule: ConstantRate(1)}, "closed loop has no schedule"},
		{Plan{Schedule: ConstantRate(1), WorkerRate: 1}, "only a closed loop"},
		{Plan{Closed: true, WorkerRate: -1}, "worker rate"},
		{Plan{Closed: true, MaxRequests: -1}, "max requests"},
		{Plan{Closed: true, MaxRedirects: -1}, "max redirects"},
		{Plan{Closed: true, Proxy: &url.URL{Scheme: "socks5", Host: "h"}}, "proxy"},
	} {
		if err := tc.plan.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want an error with %q", err, tc.want)
		}
	}
}
