package loadgen

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-dev/serin/measure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// acceptAll serves every connection with handle, closes it after, and is gone
// at the end of the test.
func acceptAll(t *testing.T, handle func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

// rawServer answers the first request of every connection with handle, after
// its head was read.
func rawServer(t *testing.T, handle func(net.Conn)) (url string) {
	t.Helper()
	return acceptAll(t, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			handle(conn)
		}
	})
}

// sendOnce sends the plan's first request by the client that Run would use.
func sendOnce(t *testing.T, plan Plan, target Target) reply {
	t.Helper()
	plan = plan.withDefaults()
	c, err := newClient(&plan, target)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	s := c.sender(t.Context())
	defer s.close()
	return s.send(0, nil)
}

func TestFailuresToConnectHaveTheirName(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	for _, client := range []http.RoundTripper{nil, transport} {
		for url, want := range map[string]measure.Outcome{
			"http://" + closed.Addr().String(): measure.Connect,
			"http://no-such-host.invalid":      measure.DNS,
		} {
			if got := sendOnce(t, Plan{}, Target{URL: url, Transport: client}); got.outcome != want {
				t.Errorf("%s: outcome = %v, want %v", url, got.outcome, want)
			}
		}
	}
}

func TestTLSErrorsAreTheirOwnKind(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("an unknown authority was trusted")
	}
	if got := Classify(err); got != measure.TLS {
		t.Errorf("outcome of %v = %v, want tls", err, got)
	}
}

func TestRequestArrivesAsPlanned(t *testing.T) {
	got := make(chan *http.Request, 1)
	body := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- r
		body <- string(b)
	}))
	defer server.Close()
	plan := Plan{Requests: []Request{{Method: "POST", Path: "/a/b?c=d", Header: http.Header{"X-Test": {"1"}}, Body: []byte("hello")}}}
	if got := sendOnce(t, plan, Target{URL: server.URL, Host: "canary-podinfo.test"}); got.outcome != measure.Status(200) || !got.ok {
		t.Fatalf("%+v", got)
	}
	r := <-got
	if r.Method != "POST" || r.RequestURI != "/a/b?c=d" || r.Host != "canary-podinfo.test" || r.Header.Get("X-Test") != "1" || r.UserAgent() != "serin" {
		t.Errorf("server saw %s %s host %s header %v", r.Method, r.RequestURI, r.Host, r.Header)
	}
	if b := <-body; b != "hello" {
		t.Errorf("server saw body %q", b)
	}
}

// Control sees the address that a name has led to, whatever the client is.
func TestControlRefusesConnections(t *testing.T) {
	url := acceptAll(t, func(net.Conn) { t.Error("it was reached") })
	for name, tc := range map[string]struct {
		plan   Plan
		scheme string
	}{"HTTP/1.1": {Plan{}, "http"}, "HTTP/2": {Plan{HTTP2: true}, "http"}, "gRPC": {Plan{}, "grpc"}} {
		asked := make(chan string, 10)
		target := Target{URL: strings.Replace(url, "http", tc.scheme, 1), Control: func(_, address string, _ syscall.RawConn) error {
			asked <- address
			return errors.New("refused")
		}}
		if tc.scheme == "grpc" {
			tc.plan.Requests = []Request{{Path: "/grpc.health.v1.Health/Check"}}
		}
		if got := sendOnce(t, tc.plan, target); got.outcome != measure.Connect {
			t.Errorf("%s: outcome = %v, want %v", name, got.outcome, measure.Connect)
		}
		if got := <-asked; "http://"+got != url {
			t.Errorf("%s: asked about %s, want the address of %s", name, got, url)
		}
	}
}
