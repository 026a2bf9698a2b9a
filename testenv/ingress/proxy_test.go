package ingress

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
)

// backends are servers that answer with their own name, by revision.
type backends map[string][]string

func (b backends) resolve(_, service string) []string { return b[service] }

// serve starts a backend for a revision, over HTTP/1.1 and cleartext HTTP/2.
func (b backends) serve(t *testing.T, revision string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s host=%s tag=%s", revision, r.Proto, r.Host, r.Header.Get("Knative-Serving-Tag"))
	}))
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server.Config.Protocols = &protocols
	server.Start()
	t.Cleanup(server.Close)
	b[revision] = append(b[revision], server.Listener.Addr().String())
}

func to(revision string, percent int) netv1alpha1.IngressBackendSplit {
	return netv1alpha1.IngressBackendSplit{
		IngressBackend: netv1alpha1.IngressBackend{ServiceNamespace: "test", ServiceName: revision, ServicePort: intstr.FromInt32(80)},
		Percent:        percent,
		AppendHeaders:  map[string]string{"Knative-Serving-Revision": revision},
	}
}

func ingress(rules ...netv1alpha1.IngressRule) netv1alpha1.Ingress {
	return netv1alpha1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "podinfo"}, Spec: netv1alpha1.IngressSpec{Rules: rules}}
}

func rule(host string, paths ...netv1alpha1.HTTPIngressPath) netv1alpha1.IngressRule {
	return netv1alpha1.IngressRule{Hosts: []string{host}, HTTP: &netv1alpha1.HTTPIngressRuleValue{Paths: paths}}
}

func splits(s ...netv1alpha1.IngressBackendSplit) netv1alpha1.HTTPIngressPath {
	return netv1alpha1.HTTPIngressPath{Splits: s}
}

func newTestProxy(t *testing.T, b backends) *Proxy {
	p := NewProxy(b.resolve, slog.New(slog.DiscardHandler))
	t.Cleanup(p.Close)
	return p
}

func ask(t *testing.T, p *Proxy, host, path string, header http.Header) (status int, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://"+host+path, nil)
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHostsAndTagsAreHonoured(t *testing.T) {
	b := backends{}
	b.serve(t, "rev-1")
	b.serve(t, "rev-2")
	p := newTestProxy(t, b)
	canary := splits(to("rev-2", 0))
	canary.AppendHeaders = map[string]string{"Knative-Serving-Tag": "canary"}
	byHeader := splits(to("rev-2", 100))
	byHeader.Headers = map[string]netv1alpha1.HeaderMatch{"knative-serving-tag": {Exact: "canary"}}
	below := splits(to("rev-2", 100))
	below.Path = "/beta"
	p.Switch(NewTable([]netv1alpha1.Ingress{ingress(
		rule("podinfo.test", splits(to("rev-1", 100)), byHeader, below),
		rule("canary-podinfo.test", canary),
		rule("broken.test", splits(to("rev-1", 30), to("rev-2", 30))),
		rule("nobody.test", splits(to("rev-3", 100))),
	)}))
	for _, tc := range []struct {
		host, path string
		header     http.Header
		status     int
		want       string
	}{
		{"podinfo.test", "/", nil, 200, "rev-1 HTTP/1.1 host=podinfo.test tag="},
		{"PodInfo.Test:8080", "/", nil, 200, "rev-1"},
		{"podinfo.test", "/beta/x", nil, 200, "rev-2"},
		{"podinfo.test", "/", http.Header{"Knative-Serving-Tag": {"canary"}}, 200, "rev-2"},
		{"podinfo.test", "/", http.Header{"Knative-Serving-Tag": {"other"}}, 200, "rev-1"},
		{"canary-podinfo.test", "/", nil, 200, "rev-2 HTTP/1.1 host=canary-podinfo.test tag=canary"},
		{"unknown.test", "/", nil, 404, `no Ingress knows host "unknown.test"`},
		{"nobody.test", "/", nil, 503, "revision test/rev-3 has no ready process"},
	} {
		status, body := ask(t, p, tc.host, tc.path, tc.header)
		if status != tc.status || !strings.HasPrefix(body, tc.want) {
			t.Errorf("%s%s %v = %d %q, want %d %q", tc.host, tc.path, tc.header, status, body, tc.status, tc.want)
		}
	}
	p.random = func(int) int { return 99 }
	if status, body := ask(t, p, "broken.test", "/", nil); status != 503 || !strings.Contains(body, "do not sum to 100") {
		t.Errorf("broken percentages give %d %q", status, body)
	}
}

func TestPercentagesAreExact(t *testing.T) {
	b := backends{}
	b.serve(t, "rev-1")
	b.serve(t, "rev-2")
	p := newTestProxy(t, b)
	p.Switch(NewTable([]netv1alpha1.Ingress{ingress(rule("podinfo.test", splits(to("rev-1", 90), to("rev-2", 10))))}))
	got := map[string]int{}
	for n := range 100 {
		p.random = func(int) int { return n }
		_, body := ask(t, p, "podinfo.test", "/", nil)
		revision, _, _ := strings.Cut(body, " ")
		got[revision]++
	}
	if got["rev-1"] != 90 || got["rev-2"] != 10 {
		t.Errorf("100 requests, one for each number, went to %v; want 90 and 10", got)
	}
}

func TestProcessesTakeTurns(t *testing.T) {
	b := backends{}
	b.serve(t, "rev-1")
	b["rev-1"] = append(b["rev-1"], "127.0.0.1:1") // nobody listens there
	p := newTestProxy(t, b)
	p.Switch(NewTable([]netv1alpha1.Ingress{ingress(rule("podinfo.test", splits(to("rev-1", 100))))}))
	got := map[int]int{}
	for range 10 {
		status, _ := ask(t, p, "podinfo.test", "/", nil)
		got[status]++
	}
	if got[200] != 5 || got[503] != 5 {
		t.Errorf("statuses %v, want 5 of each process", got)
	}
}

func TestCleartextHTTP2OnBothSides(t *testing.T) {
	b := backends{}
	b.serve(t, "rev-1")
	p := newTestProxy(t, b)
	split := to("rev-1", 100)
	split.ServicePort = intstr.FromInt32(http2Port)
	p.Switch(NewTable([]netv1alpha1.Ingress{ingress(rule("podinfo.test", splits(split)))}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(p)
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(listener) })
	defer wg.Wait()
	defer func() { _ = server.Close() }()

	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "podinfo.test"
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 || !strings.HasPrefix(string(body), "rev-1 HTTP/2.0") {
		t.Errorf("answered in %s with %q, error %v", resp.Proto, body, err)
	}
}

// Under load the table flips between two revisions a few hundred times. Every
// request is answered by one of them.
func TestSwitchingLosesNoRequest(t *testing.T) {
	b := backends{}
	b.serve(t, "rev-1")
	b.serve(t, "rev-2")
	p := newTestProxy(t, b)
	tables := []*Table{
		NewTable([]netv1alpha1.Ingress{ingress(rule("podinfo.test", splits(to("rev-1", 100))))}),
		NewTable([]netv1alpha1.Ingress{ingress(rule("podinfo.test", splits(to("rev-2", 100))))}),
	}
	p.Switch(tables[0])
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				if status, body := ask(t, p, "podinfo.test", "/", nil); status != http.StatusOK {
					t.Errorf("status %d %q while switching", status, body)
					return
				}
			}
		})
	}
	for n := range 400 {
		p.Switch(tables[n%2])
		want := fmt.Sprintf("rev-%d", n%2+1)
		if _, body := ask(t, p, "podinfo.test", "/", nil); !strings.HasPrefix(body, want) {
			t.Fatalf("after the switch to %s the answer is %q", want, body)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// askThrough sends a request through a proxy in front of a backend; the caller
// closes the body. Both servers end with the test.
func askThrough(t *testing.T, backend *httptest.Server) *http.Response {
	t.Helper()
	t.Cleanup(backend.Close)
	p := newTestProxy(t, backends{"rev-1": {backend.Listener.Addr().String()}})
	p.Switch(NewTable([]netv1alpha1.Ingress{ingress(rule("podinfo.test", splits(to("rev-1", 100))))}))
	front := httptest.NewServer(p)
	t.Cleanup(front.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "podinfo.test"
	resp, err := front.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// What is streamed arrives piece by piece: the server sends the second one
// only after the client has the first.
func TestStreamsAreNotHeldBack(t *testing.T) {
	received := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// With a length, which a proxy takes for an answer that may be gathered.
		w.Header().Set("Content-Length", strconv.Itoa(len("first\nsecond\n")))
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		select {
		case <-received:
			_, _ = io.WriteString(w, "second\n")
		case <-r.Context().Done():
		}
	}))
	resp := askThrough(t, backend)
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || lines.Text() != "first" {
		t.Fatalf("got %q, error %v", lines.Text(), lines.Err())
	}
	close(received)
	if !lines.Scan() || lines.Text() != "second" {
		t.Errorf("got %q, error %v", lines.Text(), lines.Err())
	}
}

// An answer that breaks off must not look complete.
func TestBrokenAnswersBreakOff(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	resp := askThrough(t, backend)
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q passes for a complete answer", body)
	}
}

// A request to a revision that comes up from zero waits for it; one to a revision
// that has broken down does not.
func TestRequestsWaitForActivation(t *testing.T) {
	b := backends{}
	b.serve(t, "rev-1")
	var ready, activating atomic.Bool
	activating.Store(true)
	p := newTestProxy(t, nil)
	p.resolve = func(namespace, service string) []string {
		if !ready.Load() {
			return nil
		}
		return b.resolve(namespace, service)
	}
	p.Activating = func(string, string) bool { return activating.Load() }
	p.Switch(NewTable([]netv1alpha1.Ingress{ingress(rule("podinfo.test", splits(to("rev-1", 100))))}))
	time.AfterFunc(50*time.Millisecond, func() { ready.Store(true) })
	if status, body := ask(t, p, "podinfo.test", "/", nil); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	ready.Store(false)
	activating.Store(false)
	if status, _ := ask(t, p, "podinfo.test", "/", nil); status != 503 {
		t.Errorf("status %d of a revision that has broken down", status)
	}
}
