package loadtester

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/measure"
)

func TestLoadIsSentAndMeasured(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fails" {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	}, nil).run()
	w.load("hey -n 20 -c 2 -m PUT -H 'X-Test: 1' -d body 'http://podinfo.test/a?b=c'")
	r := <-w.asked
	if r.Host != podinfo || r.Method != http.MethodPut || r.URL.String() != "/a?b=c" || r.Header.Get("X-Test") != "1" || r.ContentLength != 4 {
		t.Errorf("asked %s %s %s %v", r.Host, r.Method, r.URL, r.Header)
	}
	w.load("wrk -t1 -c1 -d1 -R 50 http://podinfo.test/fails")
	results := w.results(v1beta1.SidePrimary)
	good := 0
	for _, r := range results {
		if r.OK && r.Outcome == measure.Status(200) && r.ResponseTime() > 0 {
			good++
		}
	}
	if good != 20 || len(results) != 70 || len(w.asked) != 69 {
		t.Errorf("%d results, %d of them good, %d requests", len(results), good, len(w.asked)+1)
	}
	events := w.events()
	if !strings.Contains(events, "test/podinfo Normal Load hey to podinfo.test: 20 requests in ") || !strings.Contains(events, "50 requests in 1s, 50 not as expected, p50 ") {
		t.Error(events)
	}
	if w.ends("hey", resultDone) != 1 || w.ends("wrk", resultDone) != 1 {
		t.Error("the metrics do not know it")
	}
}

// The Service's own name means one revision or the other, request by request.
func TestResultsCountForTheRevisionThatAnswered(t *testing.T) {
	var n atomic.Int64
	w := newWorld(t, nil, nil)
	find := w.config.Find
	w.config.Find = func(ctx context.Context, asked string) (hosts.Place, error) {
		place, err := find(ctx, asked)
		if n.Add(1)%2 == 0 {
			place.Side, place.Host = v1beta1.SideCanary, "canary-podinfo.test"
		}
		return place, err
	}
	w.run()
	w.load("hey -z 1s -c 1 -q 40 http://podinfo.test/")
	asked := map[string]int{}
	for range len(w.asked) {
		asked[(<-w.asked).Host]++
	}
	canary, primary := len(w.results(v1beta1.SideCanary)), len(w.results(v1beta1.SidePrimary))
	if canary != asked["canary-podinfo.test"] || primary != asked[podinfo] || canary < 10 || primary < 10 {
		t.Errorf("recorded %d and %d, asked %v", canary, primary, asked)
	}
}

func TestLoadEndsWhenItsHostMeansNothingMore(t *testing.T) {
	w := newWorld(t, nil, nil).run()
	if status, answer := w.post("/", hook("hey -z 10m -c 1 -q 200 http://podinfo.test/")); status != 202 {
		t.Fatal(status, answer)
	}
	<-w.asked
	w.move(nil, fmt.Errorf("%w: it was deleted", hosts.ErrUnknown))
	w.idle()
	if w.ends("hey", resultFailed) != 1 || !strings.Contains(w.events(), "Warning Load hey to podinfo.test") || !strings.Contains(w.events(), "it was deleted") {
		t.Error(w.events())
	}
	for _, r := range w.results(v1beta1.SidePrimary) {
		if !r.OK {
			t.Errorf("a request that was not sent counts: %+v", r)
		}
	}
}

func TestCommandIsNotStartedTwice(t *testing.T) {
	w := newWorld(t, nil, nil).run()
	const cmd = "hey -z 10m -c 1 -q 10 http://podinfo.test/"
	for range 3 {
		if status, answer := w.post("/", hook(cmd)); status != 202 || answer != "" {
			t.Errorf("%d %s", status, answer)
		}
	}
	other := strings.Replace(hook(cmd), `"name":"podinfo"`, `"name":"backend"`, 1)
	if status, answer := w.post("/", other); status != 202 || answer != "" {
		t.Errorf("%d %s", status, answer)
	}
	w.Tester.mu.Lock()
	n := len(w.running)
	w.Tester.mu.Unlock()
	if n != 2 {
		t.Errorf("%d run", n)
	}
	<-w.asked
	w.eventually("its answer counts", func() bool { return len(w.results(v1beta1.SidePrimary)) > 0 })
	w.stopped()
	if w.ends("hey", resultStopped) != 2 || !strings.Contains(w.events(), "Normal Load hey") {
		t.Errorf("%v stopped, told %s", w.ends("hey", resultStopped), w.events())
	}
}

func TestNoLoadGoesElsewhere(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) { c.AllowTargets = []string{"allowed.example", "*.ok.example"} }).run()
	for _, target := range []string{
		"http://169.254.169.254/latest/meta-data", "http://localhost:8080/", "http://127.0.0.1/", "http://[::1]/", "http://0/", "http://2130706433/",
		"http://podinfo.prod/", "http://kubernetes.default.svc/", "http://podinfo.test.evil.example/", "http://metadata.google.internal/", "http://podinfo.test.:80.evil/",
		"http://evil.example/#podinfo.test", "http://evil.example?podinfo.test", "http://ok.example/", "http://xok.example/", "http://allowed.example.evil/",
	} {
		for _, command := range []string{"hey -n 1 -c 1 %s", "wrk -t1 -c1 -d1 %s", "hey -n 1 -c 1 -host 169.254.169.254 %s"} {
			status, answer := w.post("/", hook(fmt.Sprintf(command, target)))
			if status != 403 && status != 400 || !strings.Contains(answer, "error") {
				t.Errorf("%s: %d %s", fmt.Sprintf(command, target), status, answer)
			}
		}
	}
	for _, target := range []string{"169.254.169.254:80", "localhost:8080", "podinfo.prod:80"} {
		if status, answer := w.post("/", hook("ghz --insecure -n 1 -c 1 "+target)); status != 403 {
			t.Errorf("%s: %d %s", target, status, answer)
		}
	}
	if status, answer := w.post("/", hook("hey -n 1 -c 1 http://169.254.169.254/")); status != 403 || !strings.Contains(answer, "no Canary has that host") || !strings.Contains(answer, "loads go nowhere else") {
		t.Errorf("%d %s", status, answer)
	}
	for host, ok := range map[string]bool{"a.ok.example": true, "ok.example": false, "A.OK.example.": true, ".ok.example": false, "allowed.example": true, "x.allowed.example": false} {
		if w.allows(host) != ok {
			t.Errorf("%s: %v", host, !ok)
		}
	}
	w.idle()
	if len(w.asked) > 0 {
		t.Errorf("%d requests arrived", len(w.asked))
	}
}

func TestURLOfAnotherHostIsNotAskedWhereItSaysWhichIsMeant(t *testing.T) {
	w := newWorld(t, nil, nil).run()
	w.load("hey -n 1 -c 1 -host podinfo.test http://169.254.169.254/x")
	if r := <-w.asked; r.Host != podinfo || r.URL.Path != "/x" {
		t.Errorf("asked %s%s", r.Host, r.URL)
	}
}

func TestRedirectsStayWithTheirHost(t *testing.T) {
	elsewhere := make(chan string, 100)
	metadata := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere <- r.Host }))
	defer metadata.Close()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(rw, r, to, http.StatusTemporaryRedirect)
		}
	}, nil).run()
	for to, followed := range map[string]bool{
		metadata.URL + "/latest":           false,
		"http://169.254.169.254/":          false,
		"http://podinfo.test:8080/":        false,
		"https://podinfo.test/":            false,
		"//169.254.169.254/":               false,
		"http://podinfo.test@127.0.0.1:1/": false,
		"/there":                           true,
		"http://podinfo.test/there":        true,
		"http://PODINFO.test:80/there":     true,
	} {
		before := len(w.results(v1beta1.SidePrimary))
		w.load("hey -n 1 -c 1 'http://podinfo.test/?to=" + url.QueryEscape(to) + "'")
		requests := len(w.asked)
		for range requests {
			<-w.asked
		}
		results := w.results(v1beta1.SidePrimary)[before:]
		if len(results) != 1 {
			t.Fatalf("%s: %d results", to, len(results))
		}
		want, outcome := 1, measure.Status(307)
		if followed {
			want, outcome = 2, measure.Status(200)
		}
		if requests != want || results[0].Outcome != outcome || !results[0].OK {
			t.Errorf("%s: %d requests, %+v", to, requests, results[0])
		}
	}
	if len(elsewhere) > 0 {
		t.Errorf("%s was asked", <-elsewhere)
	}
}

func TestAllowedTargetsAreSentToAndCountNowhere(t *testing.T) {
	other := make(chan *http.Request, 100)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		other <- r
		http.Redirect(rw, r, "http://169.254.169.254/", http.StatusFound)
	}))
	defer server.Close()
	w := newWorld(t, nil, func(c *Config) { c.AllowTargets, c.Egress = []string{"127.0.0.1"}, loopback }).run()
	w.load("hey -n 2 -c 1 -host app.example.com " + server.URL + "/x")
	if len(other) != 2 || len(w.asked) > 0 || len(w.results(v1beta1.SidePrimary)) > 0 || w.events() != "" {
		t.Errorf("%d requests, results %v, told %s", len(other), w.recorded, w.events())
	}
	if r := <-other; r.Host != "app.example.com" {
		t.Errorf("asked %s", r.Host)
	}
}

func TestFaultsDisturbLoads(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) {
		c.Wrap = func(_ hosts.Place, next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err == nil {
					resp.StatusCode = http.StatusServiceUnavailable
				}
				return resp, err
			})
		}
	}).run()
	w.load("hey -n 1 -c 1 http://podinfo.test/")
	if r := w.results(v1beta1.SidePrimary); len(r) != 1 || r[0].Outcome != measure.Status(503) {
		t.Errorf("%+v", r)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestGRPCIsMeasuredAndEndsWhenItsHostMoves(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()

	w := newWorld(t, nil, nil)
	w.place.Address, w.config.Gateway = listener.Addr().String(), listener.Addr().String()
	w.run()
	w.load("ghz --insecure -n 5 -c 1 --proto x.proto --call grpc.health.v1.Health/Check podinfo.test:9898")
	results := w.results(v1beta1.SidePrimary)
	if len(results) != 5 || !results[0].OK {
		t.Errorf("%+v", results)
	}
	w.load("ghz --insecure -n 1 -c 1 --call not.There/AtAll podinfo.test:9898")
	if w.ends("ghz", resultFailed) != 1 || !strings.Contains(w.events(), "reflection") {
		t.Error(w.events())
	}
	if status, answer := w.post("/", hook("ghz --insecure -z 10m -q 10 -c 1 podinfo.test:9898")); status != 202 {
		t.Fatal(status, answer)
	}
	w.move(func(p *hosts.Place) { p.Revision = "podinfo-00002" }, nil)
	w.idle()
	if w.ends("ghz", resultFailed) != 2 || !strings.Contains(w.events(), "means another revision now") {
		t.Error(w.events())
	}
}

func TestRateOfAllLoadsIsCapped(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) { c.MaxRate = 100 }).run()
	post := func(cmd string, status int, says string) {
		t.Helper()
		got, answer, header := w.ask(http.MethodPost, "/", hook(cmd))
		if got != status || !strings.Contains(answer, says) || (got == 429) != (header.Get("Retry-After") != "") {
			t.Errorf("%s: %d %s %v", cmd, got, answer, header)
		}
	}
	post("hey -z 10m -c 1 -q 101 http://podinfo.test/", 403, "101 requests/s are asked for, and all loads may send 100 together")
	post("wrk -t1 -c 1 -R 101 http://podinfo.test/", 403, "--max-rate")
	post("ghz --insecure -r 101 podinfo.test:80", 403, "--max-rate")
	post("hey -z 10m -c 2 -q 30 http://podinfo.test/", 202, "")
	post("hey -z 10m -c 1 -q 50 http://podinfo.test/", 429, "40 are left of the 100")
	post("hey -z 10m -c 4 http://podinfo.test/", 202, "")
	post("hey -z 10m -c 1 -q 1 http://podinfo.test/", 429, "--max-rate")
	post("hey -z 10m -c 5 http://podinfo.test/", 429, "use up the 100 requests/s")
	w.Tester.mu.Lock()
	reserved := w.reserved
	w.Tester.mu.Unlock()
	if reserved != 100 {
		t.Errorf("%g are reserved", reserved)
	}
}

func TestLoadWithoutARateGetsWhatIsLeft(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) { c.MaxRate = 50 }).run()
	w.load("hey -z 1s -c 5 http://podinfo.test/")
	if n := len(w.asked); n < 20 || n > 55 {
		t.Errorf("%d requests in a second, of 50", n)
	}
}

func TestManyLoadsAreRefused(t *testing.T) {
	w := newWorld(t, nil, nil).run()
	command := func(i int) string { return fmt.Sprintf("hey -z 10m -c 1 -q 0.1 http://podinfo.test/%d", i) }
	for i := range startBurst {
		if status, answer := w.post("/", hook(command(i))); status != 202 {
			t.Fatal(status, answer)
		}
	}
	limited := false
	for i := startBurst; i < 3*startBurst && !limited; i++ {
		status, answer, header := w.ask(http.MethodPost, "/", hook(command(i)))
		limited = status == 429 && strings.Contains(answer, "being started") && header.Get("Retry-After") == "1"
	}
	if !limited {
		t.Error("as many as one likes start at once")
	}
	w.starts.SetLimit(1000)
	i := 1000
	w.eventually("there are too many", func() bool {
		i++
		status, answer := w.post("/", hook(command(i)))
		return status == 429 && strings.Contains(answer, "32 loads run already")
	})
	w.Tester.mu.Lock()
	n := len(w.running)
	w.Tester.mu.Unlock()
	if n != maxRunning {
		t.Errorf("%d run", n)
	}
}
