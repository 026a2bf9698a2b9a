package loadgen

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
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
