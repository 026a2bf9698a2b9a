package loadgen

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/serin-dev/serin/measure"
)

// describe answers with what the server saw of a request.
func describe(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	sni := "none"
	if r.TLS != nil {
		sni = fmt.Sprintf("%s/%d", r.TLS.ServerName, len(r.TLS.PeerCertificates))
	}
	_, _ = fmt.Fprintf(w, "proto=%s host=%s sni=%s uri=%s body=%s", r.Proto, r.Host, sni, r.RequestURI, body)
}

// quietServer does not log handshakes that are meant to fail.
func quietServer(handler http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

func startTLS(t *testing.T, configure func(*httptest.Server)) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	s := quietServer(http.HandlerFunc(describe))
	configure(s)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

// expecting is a plan of one request whose answer is to have a text in it.
func expecting(body string, p Plan) Plan {
	p.Requests = []Request{{Path: "/x?y", Expect: Expectation{BodyContains: body}}}
	return p
}

func check(t *testing.T, name string, got reply, want measure.Outcome) {
	t.Helper()
	if got.outcome != want || got.ok != (want == measure.Status(200)) {
		t.Errorf("%s: %v, as expected: %v; want %v", name, got.outcome, got.ok, want)
	}
}

func TestTLS(t *testing.T) {
	server, pool := startTLS(t, func(*httptest.Server) {})
	address := server.Listener.Addr().String()
	// httptest's certificate is for example.com, too.
	named := Target{URL: "https://example.com", ConnectTo: address}
	check(t, "trusted", sendOnce(t, expecting("sni=example.com/0", Plan{TLS: &tls.Config{RootCAs: pool}}), named), measure.Status(200))
	check(t, "unknown authority", sendOnce(t, Plan{}, named), measure.TLS)
	check(t, "another name", sendOnce(t, Plan{TLS: &tls.Config{RootCAs: pool}}, Target{URL: "https://other.test", ConnectTo: address}), measure.TLS)
	check(t, "the host's name is the server's", sendOnce(t, expecting("host=example.com sni=example.com/0", Plan{TLS: &tls.Config{RootCAs: pool}}),
		Target{URL: server.URL, Host: "example.com"}), measure.Status(200))
	check(t, "a name of its own", sendOnce(t, expecting("host=other.test sni=example.com/0", Plan{TLS: &tls.Config{RootCAs: pool, ServerName: "example.com"}}),
		Target{URL: server.URL, Host: "other.test"}), measure.Status(200))
	check(t, "insecure, as said", sendOnce(t, expecting("sni=other.test", Plan{TLS: &tls.Config{InsecureSkipVerify: true}}),
		Target{URL: "https://other.test", ConnectTo: address}), measure.Status(200))
	check(t, "no TLS there", sendOnce(t, Plan{}, Target{URL: "https" + strings.TrimPrefix(rawServer(t, say("HTTP/1.1 400 Bad\r\n\r\n")), "http")}), measure.TLS)
}

func TestClientCertificates(t *testing.T) {
	server, pool := startTLS(t, func(s *httptest.Server) { s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert} })
	target := Target{URL: server.URL}
	check(t, "shown", sendOnce(t, expecting("/1", Plan{TLS: &tls.Config{RootCAs: pool, Certificates: server.TLS.Certificates}}), target), measure.Status(200))
	// The server refuses after the client's side of the handshake, and what it
	// says may be lost when it closes.
	if got := sendOnce(t, Plan{TLS: &tls.Config{RootCAs: pool}}, target); got.outcome != measure.TLS && got.outcome != measure.Reset {
		t.Errorf("not shown: %v, want tls or reset", got.outcome)
	}
}

func TestHTTP2(t *testing.T) {
	server, pool := startTLS(t, func(s *httptest.Server) { s.EnableHTTP2 = true })
	plan := expecting("proto=HTTP/2.0", Plan{HTTP2: true, TLS: &tls.Config{RootCAs: pool}})
	check(t, "over TLS", sendOnce(t, plan, Target{URL: server.URL}), measure.Status(200))

	clear := quietServer(http.HandlerFunc(describe))
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	defer clear.Close()
	check(t, "without", sendOnce(t, expecting("proto=HTTP/2.0", Plan{HTTP2: true}), Target{URL: clear.URL}), measure.Status(200))

	one, _ := startTLS(t, func(*httptest.Server) {})
	only := sendOnce(t, Plan{HTTP2: true, TLS: &tls.Config{InsecureSkipVerify: true}}, Target{URL: one.URL})
	if only.ok {
		t.Error("a server without HTTP/2 was good enough")
	}
	garbage := sendOnce(t, Plan{HTTP2: true}, Target{URL: acceptAll(t, say("HTTP/1.1 200 OK\r\n\r\n"))})
	if garbage.outcome.Code() != 0 {
		t.Errorf("outcome %v of a server that speaks HTTP/1.1 over h2c", garbage.outcome)
	}
}

func TestHTTP2SharesAConnection(t *testing.T) {
	var connections atomic.Int32
	server := quietServer(http.HandlerFunc(describe))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	rec := measure.NewRecorder()
	if err := Run(t.Context(), Plan{Closed: true, Connections: 300, MaxRequests: 2000, HTTP2: true}, Target{URL: server.URL, Recorder: rec}); err != nil {
		t.Fatal(err)
	}
	got := rec.Take()
	if got.Outcomes[measure.Status(200)] != 2000 {
		t.Errorf("outcomes %v, want 2000 good ones", got.Outcomes)
	}
	// A server allows 250 requests at a time on one, so that there are at
	// least two.
	if n := connections.Load(); n > 30 {
		t.Errorf("%d connections for 300 requests in flight", n)
	}
}

func TestConnectTo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(describe))
	defer server.Close()
	target := Target{URL: "http://podinfo.test:81", ConnectTo: server.Listener.Addr().String()}
	check(t, "another address", sendOnce(t, expecting("host=podinfo.test:81", Plan{}), target), measure.Status(200))

	path := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	local := httptest.NewUnstartedServer(http.HandlerFunc(describe))
	local.Listener = listener
	local.Start()
	defer local.Close()
	check(t, "a socket", sendOnce(t, expecting("host=podinfo.test ", Plan{}), Target{URL: "http://podinfo.test", ConnectTo: "unix:" + path}), measure.Status(200))
	check(t, "no socket", sendOnce(t, Plan{}, Target{URL: "http://podinfo.test", ConnectTo: "unix:" + path + "x"}), measure.Connect)
}

func TestProxy(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(describe))
	defer backend.Close()
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.RequestURI)
		target, _ := url.Parse(backend.URL)
		(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}).ServeHTTP(w, r)
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "proxied", sendOnce(t, expecting("uri=/x?y", Plan{Proxy: through}), Target{URL: "http://podinfo.test"}), measure.Status(200))
	if got := asked.Load(); got != "GET http://podinfo.test/x?y" {
		t.Errorf("the proxy was asked for %v", got)
	}
	for _, target := range []Target{{URL: "http://h", ConnectTo: "h:1"}, {URL: "grpc://h"}} {
		if _, err := newClient(&Plan{Proxy: through}, target); err == nil {
			t.Errorf("%+v makes no sense through a proxy", target)
		}
	}
}

func TestCompressedBodiesAreSearched(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var z bytes.Buffer
		zip := gzip.NewWriter(&z)
		_, _ = io.WriteString(zip, strings.Repeat("hay ", 1000)+"needle")
		_ = zip.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(z.Bytes())
	}))
	defer server.Close()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	for _, target := range []Target{{URL: server.URL}, {URL: server.URL, Transport: transport}} {
		check(t, "compressed", sendOnce(t, expecting("needle", Plan{}), target), measure.Status(200))
		if got := sendOnce(t, expecting("thread", Plan{}), target); got.ok {
			t.Error("a text was found that is not there")
		}
	}
}

func TestOnlyTheBeginningOfABodyIsSearched(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", searchedBytes-1)+"ab")
	}))
	defer server.Close()
	check(t, "within", sendOnce(t, expecting("xa", Plan{}), Target{URL: server.URL}), measure.Status(200))
	if got := sendOnce(t, expecting("ab", Plan{}), Target{URL: server.URL}); got.ok {
		t.Error("a text beyond the first MiB was found")
	}
}

// redirects answers /n with a redirect to /n-1, and /0 with what it saw.
func redirects(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err != nil || n == 0 {
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %s auth=%s host=%s", r.Method, body, r.Header.Get("Authorization"), r.Host)
			return
		}
		http.Redirect(w, r, fmt.Sprintf("/%d", n-1), code)
	})
}

func TestRedirects(t *testing.T) {
	for _, tc := range []struct {
		name      string
		code, max int
		path      string
		want      measure.Outcome
		followed  int
		body      string
	}{
		{"off by default", 302, 0, "/1", measure.Status(302), 0, ""},
		{"one", 302, 9, "/1", measure.Status(200), 1, "GET  auth=secret host=podinfo.test"},
		{"several", 301, 9, "/9", measure.Status(200), 9, "GET  auth=secret"},
		{"with its method", 307, 9, "/2", measure.Status(200), 2, "POST data auth=secret"},
		{"too many", 302, 2, "/3", measure.Status(302), 2, ""},
	} {
		server := httptest.NewServer(redirects(tc.code))
		request := Request{Method: "POST", Path: tc.path, Body: []byte("data"), Header: http.Header{"Authorization": {"secret"}}, Expect: Expectation{BodyContains: tc.body}}
		transport := new(http.Transport)
		for _, target := range []Target{{URL: "http://podinfo.test", ConnectTo: server.Listener.Addr().String()}, {URL: server.URL, Host: "podinfo.test", Transport: transport}} {
			got := sendOnce(t, Plan{MaxRedirects: tc.max, Requests: []Request{request}}, target)
			if got.outcome != tc.want || got.redirects != tc.followed {
				t.Errorf("%s: %v after %d redirects, want %v after %d", tc.name, got.outcome, got.redirects, tc.want, tc.followed)
			}
			if tc.followed > 0 && got.ok != (tc.name != "too many") {
				t.Errorf("%s: as expected is %v", tc.name, got.ok)
			}
		}
		transport.CloseIdleConnections()
		server.Close()
	}
}

func TestRedirectsOverTLSLeadToOtherNames(t *testing.T) {
	other, pool := startTLS(t, func(*httptest.Server) {})
	server := quietServer(http.RedirectHandler(other.URL+"/x", http.StatusFound))
	server.StartTLS()
	defer server.Close()
	plan := expecting("sni=/0 uri=/x", Plan{MaxRedirects: 1, TLS: &tls.Config{RootCAs: pool}})
	got := sendOnce(t, plan, Target{URL: "https://example.com", ConnectTo: server.Listener.Addr().String()})
	check(t, "another name", got, measure.Status(200))
}

func TestAnotherHostIsNotToldTheCredentials(t *testing.T) {
	other := httptest.NewServer(redirects(302))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL+"/0", http.StatusTemporaryRedirect))
	defer server.Close()
	request := Request{Header: http.Header{"Authorization": {"secret"}}, Expect: Expectation{BodyContains: "auth= host=" + other.Listener.Addr().String()}}
	got := sendOnce(t, Plan{MaxRedirects: 1, Requests: []Request{request}}, Target{URL: strings.Replace(server.URL, "127.0.0.1", "localhost", 1)})
	check(t, "another host", got, measure.Status(200))
}
