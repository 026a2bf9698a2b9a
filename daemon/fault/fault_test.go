package fault

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

var podinfo = types.NamespacedName{Namespace: "test", Name: "podinfo"}

// heard collects what is told.
type heard struct {
	mu   sync.Mutex // guards said
	said []string
}

func (h *heard) notify(_ context.Context, canary types.NamespacedName, kind, message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, canary.String()+" "+kind+" "+message)
}

func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.said, "\n")
}

func newFaults() (*Faults, *heard) {
	h := new(heard)
	return New(Config{Notify: h.notify}), h
}

func add(t *testing.T, f *Faults, rule string) Rule {
	t.Helper()
	r, err := Decode(strings.NewReader(rule))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = f.Add(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// workload answers with a body of 1,000 bytes, and remembers what was asked.
func workload(t *testing.T) (server *httptest.Server, asked *atomic.Value) {
	asked = new(atomic.Value)
	asked.Store("")
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.URL.String() + " " + r.Header.Get("X-Test"))
		if r.URL.Path == "/status/500" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
	}))
	t.Cleanup(server.Close)
	return server, asked
}

const about = `"namespace": "test", "name": "podinfo"`

// rules are one of each kind, and what becomes of a request under it.
var rules = []struct {
	rule    string
	outcome measure.Outcome
	least   time.Duration
	asked   string // of the workload
}{
	{`"status": 503`, measure.Status(503), 0, ""},
	{`"status": 404`, measure.Status(404), 0, ""},
	{`"delay": {"kind": "fixed", "ms": 50}`, measure.Status(200), 50 * time.Millisecond, "POST /api?q=1 yes"},
	{`"delay": {"kind": "fixed", "ms": 5000}`, measure.Timeout, 400 * time.Millisecond, ""},
	{`"reset": true`, measure.Reset, 0, ""},
	{`"timeout": true`, measure.Timeout, 400 * time.Millisecond, ""},
	{`"truncate": true`, measure.Truncated, 0, "POST /api?q=1 yes"},
	{`"bandwidthBytesPerSecond": 5000`, measure.Status(200), 150 * time.Millisecond, "POST /api?q=1 yes"},
	{`"bandwidthBytesPerSecond": 100`, measure.Timeout, 400 * time.Millisecond, "POST /api?q=1 yes"},
	{`"request": {"path": "/status/500"}`, measure.Status(500), 0, "GET /status/500 yes"},
	{`"request": {"path": "/slow?ms=1", "method": "PUT"}`, measure.Status(200), 0, "PUT /slow?ms=1 yes"},
	{`"status": 503, "pathPrefix": "/ap"`, measure.Status(503), 0, ""},
	{`"status": 503, "pathPrefix": "/other"`, measure.Status(200), 0, "POST /api?q=1 yes"},
	{`"status": 503, "target": "primary"`, measure.Status(200), 0, "POST /api?q=1 yes"},
	{`"status": 503, "target": "both"`, measure.Status(503), 0, ""},
}

func TestLoadMeetsEachFault(t *testing.T) {
	for _, tc := range rules {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			server, asked := workload(t)
			f, _ := newFaults()
			rule := add(t, f, "{"+about+", "+tc.rule+"}")
			recorder := measure.NewRecorder()
			plan := loadgen.Plan{
				Schedule: loadgen.ConstantRate(100), MaxRequests: 1, Timeout: 400 * time.Millisecond,
				Requests: []loadgen.Request{{Method: "POST", Path: "/api?q=1", Header: http.Header{"X-Test": {"yes"}}, Body: []byte("body")}},
			}
			err := loadgen.Run(t.Context(), plan, loadgen.Target{URL: server.URL, Recorder: recorder, Detour: f.Detour(podinfo, v1beta1.SideCanary)})
			if err != nil {
				t.Fatal(err)
			}
			got := recorder.Take()
			if got.Outcomes[tc.outcome] != 1 || got.Response.Max() < tc.least || got.Response.Max() > 5*time.Second {
				t.Errorf("outcomes %v in %v, want %v in %v at least", got.Outcomes, got.Response.Max(), tc.outcome, tc.least)
			}
			if lag := got.Lag.Max(); tc.least > 0 && lag > tc.least {
				t.Errorf("the generator is blamed for %v", lag)
			}
			if asked.Load() != tc.asked {
				t.Errorf("the workload was asked %q, want %q", asked.Load(), tc.asked)
			}
			hits := int64(1)
			if tc.asked == "POST /api?q=1 yes" && tc.least == 0 && tc.outcome == measure.Status(200) {
				hits = 0 // not about this request
			}
			if rule, err = f.Get(rule.ID); err != nil || rule.Hits != hits {
				t.Errorf("%d hits, %v; want %d", rule.Hits, err, hits)
			}
		})
	}
}

// Requests by hand, which go through a proxy, meet the same faults.
func TestRequestsByHandMeetEachFault(t *testing.T) {
	for _, tc := range rules {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			server, asked := workload(t)
			target, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			f, _ := newFaults()
			add(t, f, "{"+about+", "+tc.rule+"}")
			proxy := httptest.NewServer(&httputil.ReverseProxy{
				Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
				Transport:    f.Transport(podinfo, v1beta1.SideCanary, http.DefaultTransport),
				ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
				ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
			})
			defer proxy.Close()
			begin := time.Now() // before the timeout's own clock
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, proxy.URL+"/api?q=1", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Test", "yes")
			status := 0
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				status = resp.StatusCode
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if wantErr := tc.outcome.Code() == 0; (err != nil) != wantErr || (!wantErr && status != tc.outcome.Code()) {
				t.Errorf("status %d, %v; want %v", status, err, tc.outcome)
			}
			if took := time.Since(begin); took < tc.least {
				t.Errorf("answered after %v", took)
			}
			if asked.Load() != tc.asked {
				t.Errorf("the workload was asked %q, want %q", asked.Load(), tc.asked)
			}
		})
	}
}

func TestFaultsEndAndAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		h := new(heard)
		f := New(Config{Notify: h.notify, Registerer: registry})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = f.Run(ctx) })
		short := add(t, f, `{`+about+`, "status": 503, "percent": 30, "duration": "1m"}`)
		long := add(t, f, `{`+about+`, "reset": true, "target": "both"}`)
		if len(f.List(podinfo)) != 2 || len(f.List(types.NamespacedName{})) != 2 || len(f.List(types.NamespacedName{Namespace: "test", Name: "other"})) != 0 {
			t.Errorf("rules %+v", f.List(podinfo))
		}
		time.Sleep(time.Minute - time.Second) //nolint:forbidigo // bubble time
		if _, err := f.Get(short.ID); err != nil {
			t.Errorf("it ended early: %v", err)
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // bubble time
		if _, err := f.Get(short.ID); !errors.Is(err, ErrNone) {
			t.Errorf("after its time: %v", err)
		}
		if f.hit(podinfo, v1beta1.SidePrimary, "/") == nil {
			t.Error("the other one has ended, too")
		}
		if err := f.Delete(ctx, long.ID); err != nil {
			t.Error(err)
		}
		if err := f.Delete(ctx, long.ID); !errors.Is(err, ErrNone) {
			t.Errorf("ended twice: %v", err)
		}
		for _, want := range []string{
			"test/podinfo Warning Drill: 30% of Serin's requests to the canary revision of podinfo.test are answered 503 for 1m0s (fault " + short.ID + ")",
			"test/podinfo Warning Drill: Serin's requests to both revisions of podinfo.test are reset for 5m0s",
			"test/podinfo Normal Drill: fault " + short.ID + " has ended after 1m0s and 0 requests",
			"test/podinfo Normal Drill: fault " + long.ID + " was ended after 1m1s and 1 requests",
		} {
			if !strings.Contains(h.all(), want) {
				t.Errorf("nobody was told %q, only\n%s", want, h.all())
			}
		}
		if n := testutil.ToFloat64(f.active.WithLabelValues("test", "podinfo")); n != 0 {
			t.Errorf("%g faults are active", n)
		}
		if n := testutil.ToFloat64(f.injections.WithLabelValues("test", "podinfo", "primary", "reset")); n != 1 {
			t.Errorf("%g injections are counted", n)
		}
		cancel()
		wg.Wait()
	})
}

func TestShareOfTheRequestsIsHit(t *testing.T) {
	f, _ := newFaults()
	add(t, f, `{`+about+`, "status": 503, "percent": 30}`)
	hits := 0
	for range 10_000 {
		if f.hit(podinfo, v1beta1.SideCanary, "/") != nil {
			hits++
		}
	}
	if hits < 2700 || hits > 3300 { // 6.5 standard deviations
		t.Errorf("%d of 10,000 requests were hit", hits)
	}
}

func TestDelaysAreDrawnAsTheySay(t *testing.T) {
	for _, tc := range []struct {
		delay       Delay
		least, most time.Duration
		belowSecond float64 // share, +-0.03
	}{
		{Delay{Kind: "fixed", Ms: 1000}, time.Second, time.Second, 0},
		{Delay{Kind: "uniform", MinMs: 500, MaxMs: 1500}, 500 * time.Millisecond, 1500 * time.Millisecond, 0.5},
		{Delay{Kind: "normal", MeanMs: 1000, StddevMs: 100}, 0, 2 * time.Second, 0.5},
		{Delay{Kind: "normal", MeanMs: 1, StddevMs: 60000}, 0, maxDelay, 0.507},
		{Delay{Kind: "pareto", ScaleMs: 500, Shape: 2}, 500 * time.Millisecond, maxDelay, 0.75},
	} {
		below := 0
		for range 10_000 {
			d := tc.delay.draw()
			if d < tc.least || d > tc.most {
				t.Fatalf("%s: %v", &tc.delay, d)
			}
			if d < time.Second {
				below++
			}
		}
		if share := float64(below) / 10_000; share < tc.belowSecond-0.03 || share > tc.belowSecond+0.03 {
			t.Errorf("%s: %g below a second, want %g", &tc.delay, share, tc.belowSecond)
		}
	}
}

func TestMistakesInRulesAreNamed(t *testing.T) {
	for rule, want := range map[string]string{
		``:                       "the body is no fault: EOF",
		`[]`:                     "the body is no fault",
		`{"a": 1}`:               `unknown field "a"`,
		`{"status": 503}`:        `namespace "" is none: name the Canary's`,
		`{"status": 503} {}`:     "send one at a time",
		`{` + about + `}`:        "give exactly one of status, delay, reset",
		"{" + about + "\xff\x00": "the body is no fault",
		`{` + about + `, "status": 503, "reset": true}`:                                  "exactly one",
		`{` + about + `, "status": 99}`:                                                  "from 200 to 599",
		`{` + about + `, "status": 600}`:                                                 "from 200 to 599",
		`{` + about + `, "status": "503"}`:                                               "the body is no fault",
		`{` + about + `, "status": 503, "percent": 101}`:                                 "at most 100, not 101",
		`{` + about + `, "status": 503, "percent": 0}`:                                   "above 0 and at most 100, not 0",
		`{` + about + `, "status": 503, "percent": -1}`:                                  "above 0",
		`{` + about + `, "status": 503, "target": "users"}`:                              `target must be canary, primary or both, not "users"`,
		`{` + about + `, "status": 503, "pathPrefix": "api"}`:                            "must begin with /",
		`{` + about + `, "status": 503, "duration": "2h"}`:                               "at most 1h0m0s, not 2h0m0s",
		`{` + about + `, "status": 503, "duration": "-5m"}`:                              "above 0",
		`{` + about + `, "status": 503, "duration": "soon"}`:                             "such as 30s or 5m",
		`{` + about + `, "status": 503, "duration": 5}`:                                  `must be a text such as "5m"`,
		`{` + about + `, "status": 503, "id": "x"}`:                                      "told, not asked",
		`{` + about + `, "delay": {}}`:                                                   "delay.kind must be",
		`{` + about + `, "delay": {"kind": "fixed"}}`:                                    "delay.ms must be from 1",
		`{` + about + `, "delay": {"kind": "fixed", "ms": 61000}}`:                       "to 60000 milliseconds",
		`{` + about + `, "delay": {"kind": "fixed", "ms": 1, "maxMs": 2}}`:               "delay.maxMs has no meaning for kind fixed",
		`{` + about + `, "delay": {"kind": "uniform", "minMs": 2, "maxMs": 1}}`:          "is more than",
		`{` + about + `, "delay": {"kind": "normal", "stddevMs": 1}}`:                    "delay.meanMs",
		`{` + about + `, "delay": {"kind": "pareto", "scaleMs": 1}}`:                     "delay.shape",
		`{` + about + `, "bandwidthBytesPerSecond": -1}`:                                 "must be positive",
		`{` + about + `, "request": {"path": "status/500"}}`:                             "request.path must begin with /",
		`{` + about + `, "request": {"path": "/a b"}}`:                                   "no spaces",
		`{` + about + `, "request": {"path": "/", "method": "CONNECT"}}`:                 `request.method "CONNECT"`,
		`{"namespace": "../kube-system", "name": "a/b", "status": 503}`:                  `name "a/b" is none`,
		`{"namespace": "test", "name": "` + strings.Repeat("x", 300) + `", "status": 5}`: "is none",
	} {
		if _, err := Decode(strings.NewReader(rule)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", rule, err, want)
		}
	}
}

func TestNumberOfFaultsIsBounded(t *testing.T) {
	f, _ := newFaults()
	rule := Rule{Namespace: "test", Name: "podinfo", Reset: true}
	for range maxRulesOfCanary {
		if _, err := f.Add(t.Context(), rule); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Add(t.Context(), rule); err == nil || !strings.Contains(err.Error(), "end some first") {
		t.Errorf("one more: %v", err)
	}
	if n := f.DeleteAll(t.Context(), podinfo); n != maxRulesOfCanary {
		t.Errorf("%d were ended", n)
	}
	if f.hit(podinfo, v1beta1.SideCanary, "/") != nil {
		t.Error("a fault acts after all were ended")
	}
}

// What everybody's requests pay for there being faults: next to nothing.
func BenchmarkNoFault(b *testing.B) {
	f, _ := newFaults()
	detour := f.Detour(podinfo, v1beta1.SideCanary)
	r := &loadgen.Request{Path: "/"}
	b.ReportAllocs()
	for b.Loop() {
		if detour(r) != nil {
			b.Fatal("hit")
		}
	}
}
