package loadgen

import (
	"bufio"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-dev/serin/measure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rawServer answers every connection with handle, after the request's head
// was read.
func rawServer(t *testing.T, handle func(net.Conn)) string {
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
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					handle(conn)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
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

func TestEveryWayToFailHasItsName(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	write := func(s string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, s) }
	}
	for _, tc := range []struct {
		name string
		url  string
		want measure.Outcome
	}{
		{"nobody listens", "http://" + closed.Addr().String(), measure.Connect},
		{"unknown name", "http://no-such-host.invalid", measure.DNS},
		{"closed without an answer", rawServer(t, func(net.Conn) {}), measure.Reset},
		{"reset without an answer", rawServer(t, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }), measure.Reset},
		{"garbage", rawServer(t, write("what?\r\n\r\n")), measure.Protocol},
		{"body cut off", rawServer(t, write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")), measure.Truncated},
		{"chunk cut off", rawServer(t, write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort")), measure.Truncated},
		{"never answers", rawServer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), measure.Timeout},
		{"never finishes", rawServer(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
			_, _ = io.Copy(io.Discard, c)
		}), measure.Timeout},
		{"whole", rawServer(t, write("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno")), measure.Status(503)},
		{"redirect is the answer", rawServer(t, write("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")), measure.Status(302)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			timeout := 20 * time.Second
			if tc.want == measure.Timeout {
				timeout = 50 * time.Millisecond
			}
			if got := sendOnce(t, Plan{Timeout: timeout}, Target{URL: tc.url}); got.outcome != tc.want {
				t.Errorf("outcome = %v, want %v", got.outcome, tc.want)
			}
		})
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
	if got := classify(err); got != measure.TLS {
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
