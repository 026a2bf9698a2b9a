package loadgen

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/measure"
)

// hostile is what servers do to a client, and what is to be said of it.
var hostile = []struct {
	name   string
	answer func(net.Conn)
	want   measure.Outcome
}{
	{"closes without an answer", func(net.Conn) {}, measure.Reset},
	{"resets without an answer", func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }, measure.Reset},
	{"resets in the head", func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1")
		_ = c.(*net.TCPConn).CloseWrite()
	}, measure.Truncated},
	{"speaks garbage", say("what?\r\n\r\n"), measure.Protocol},
	{"speaks binary garbage", say("\x16\x03\x01\x00\x00\xff\xfe\r\n\r\n"), measure.Protocol},
	{"status out of range", say("HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n"), measure.Protocol},
	{"status zero", say("HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"), measure.Protocol},
	{"status zero, after more spaces", say("HTTP/1.1   000 OK\r\nContent-Length: 0\r\n\r\n"), measure.Protocol},
	{"status zero, after an interim one", say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"), measure.Protocol},
	{"status zero, after an empty line", say("\r\nHTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"), measure.Protocol},
	{"body cut off", say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), measure.Truncated},
	{"chunk cut off", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort"), measure.Truncated},
	{"last chunk missing", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"), measure.Truncated},
	{"never answers", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, measure.Timeout},
	{"never ends its head", func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		_, _ = io.Copy(io.Discard, c)
	}, measure.Timeout},
	{"never ends its body", func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
		_, _ = io.Copy(io.Discard, c)
	}, measure.Timeout},
	{"trickles too slowly", func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
		for range 1000 {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond) //nolint:forbidigo // this is what the server does
		}
	}, measure.Timeout},
	{"trickles, but ends", func(c net.Conn) {
		for _, b := range []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
			_, _ = c.Write([]byte{b})
		}
	}, measure.Status(200)},
	{"says less before", say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), measure.Status(204)},
	{"body until it closes", say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"), measure.Status(200)},
	{"HTTP/1.0", say("HTTP/1.0 200 OK\r\n\r\nuntil the end"), measure.Status(200)},
	{"more than it said", say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 Bad\r\n\r\n"), measure.Status(200)},
	{"chunks with extensions", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n1;c=\"d\"\r\n!\r\n0;e\r\n\r\n"), measure.Status(200)},
	{"many small chunks", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 20_000) + "0\r\n\r\n"), measure.Status(200)},
	{"trailers", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n"), measure.Status(200)},
	{"an error, whole", say("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno"), measure.Status(503)},
	{"a redirect", say("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"), measure.Status(302)},
	{"a large head", say("HTTP/1.1 200 OK\r\nX-Large: " + strings.Repeat("x", 8<<10) + "\r\nContent-Length: 2\r\n\r\nok"), measure.Status(200)},
	{"a large body", say("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + strings.Repeat("x", 3_000_000)), measure.Status(200)},
}

// say is a server that answers so, and closes when the client does or has
// heard enough.
func say(s string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, s) }
}

func TestHostileServers(t *testing.T) {
	// A connection each: net/http would take what a server says too much for the
	// answer to the next request, if that is sent soon enough.
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	for _, client := range []struct {
		name      string
		transport http.RoundTripper
	}{{"http1", nil}, {"net-http", transport}} {
		for _, tc := range hostile {
			t.Run(client.name+"/"+tc.name, func(t *testing.T) {
				timeout := 20 * time.Second
				if tc.want == measure.Timeout {
					timeout = 60 * time.Millisecond
				}
				url := rawServer(t, tc.answer)
				for _, search := range []string{"", "o"} { // bodies are read another way where they are searched
					plan := Plan{Timeout: timeout, Requests: []Request{{Expect: Expectation{BodyContains: search}}}}
					got := sendOnce(t, plan, Target{URL: url, Transport: client.transport})
					if got.outcome != tc.want {
						t.Errorf("outcome = %v, want %v", got.outcome, tc.want)
					}
				}
			})
		}
	}
}

// What brings no content is an error before it costs much. All of these end, so
// that only the bound tells them from a whole answer.
func TestEndlessChunksAreAnError(t *testing.T) {
	for name, body := range map[string]string{
		"one extension":        "1;" + strings.Repeat("x", 1<<20) + "\r\nx\r\n",
		"many extensions":      strings.Repeat("1;"+strings.Repeat("x", 3000)+"\r\nx\r\n", 100),
		"short extensions":     strings.Repeat("1;"+strings.Repeat("x", 100)+"\r\nx\r\n", 1000),
		"spaces":               "1" + strings.Repeat(" ", 1<<20) + "\r\nx\r\n",
		"zeros":                strings.Repeat("0", 1<<20) + "1\r\nx\r\n",
		"an empty size":        ";x\r\n",
		"a negative size":      "-1\r\nx\r\n",
		"a size of 2^64":       "10000000000000000\r\nx\r\n",
		"no line break behind": "1\r\nxx1\r\nx\r\n",
		"a bare line feed":     "1\nx\r\n",
	} {
		for _, search := range []string{"", "x"} {
			url := rawServer(t, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+body+"0\r\n\r\n"))
			plan := Plan{Requests: []Request{{Expect: Expectation{BodyContains: search}}}}
			if got := sendOnce(t, plan, Target{URL: url}); got.outcome != measure.Protocol {
				t.Errorf("%s: outcome = %v, want protocol", name, got.outcome)
			}
		}
	}
}

// Heads that are too long are an error, not a reason to hold them all.
func TestEndlessHeadIsAnError(t *testing.T) {
	url := rawServer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for range 2000 {
			if _, err := fmt.Fprintf(c, "X-More: %s\r\n", strings.Repeat("x", 1000)); err != nil {
				return
			}
		}
	})
	if got := sendOnce(t, Plan{}, Target{URL: url}); got.outcome != measure.Protocol {
		t.Errorf("outcome = %v, want protocol", got.outcome)
	}
}

// keepAliveServer answers each request on a connection with handle, which
// says whether to go on.
func keepAliveServer(t *testing.T, handle func(c net.Conn, n int) bool) string {
	t.Helper()
	return acceptAll(t, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		for n := 0; ; n++ {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if !handle(conn, n) {
				return
			}
		}
	})
}

const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// sendMany sends the plan's first request n times on one sender.
func sendMany(t *testing.T, n int, plan Plan, target Target) []measure.Outcome {
	t.Helper()
	plan = plan.withDefaults()
	c, err := newClient(&plan, target)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	s := c.sender(t.Context())
	defer s.close()
	var outcomes []measure.Outcome
	for range n {
		outcomes = append(outcomes, s.send(0, nil).outcome)
	}
	return outcomes
}

// A server may close a connection that is idle: a GET finds out and is sent
// again on another one. That a server closes on a new connection is an error.
func TestConnectionsClosedWhileIdleAreNoErrors(t *testing.T) {
	url := keepAliveServer(t, func(c net.Conn, _ int) bool {
		_, _ = io.WriteString(c, okResponse)
		return false // keep-alive, it said, and closes
	})
	for i, outcome := range sendMany(t, 5, Plan{}, Target{URL: url}) {
		if outcome != measure.Status(200) {
			t.Errorf("request %d: %v", i, outcome)
		}
	}
}

// A POST must not be sent twice: what a server has not answered, it may have
// done.
func TestPostIsNotSentAgain(t *testing.T) {
	url := keepAliveServer(t, func(c net.Conn, n int) bool {
		if n == 0 {
			_, _ = io.WriteString(c, okResponse)
		}
		return n == 0 // reads the second request, and closes
	})
	got := sendMany(t, 2, Plan{Requests: []Request{{Method: "POST", Body: []byte("x")}}}, Target{URL: url})
	if got[0] != measure.Status(200) || got[1] != measure.Reset {
		t.Errorf("outcomes %v, want 200 and reset", got)
	}
}

// Where a connection was idle for long, it is looked at before it is used: so
// even a POST finds out that the server has closed it.
func TestIdleConnectionsAreLookedAtBeforeTheyAreUsed(t *testing.T) {
	closing := make(chan struct{})
	url := keepAliveServer(t, func(c net.Conn, _ int) bool {
		_, _ = io.WriteString(c, okResponse)
		_ = c.Close()
		closing <- struct{}{}
		return false
	})
	plan := Plan{Requests: []Request{{Method: "POST", Body: []byte("x")}}}.withDefaults()
	c, err := newHTTP1Client(&plan, mustEndpoint(t, url))
	if err != nil {
		t.Fatal(err)
	}
	s := c.sender(t.Context()).(*http1Sender)
	defer s.close()
	for i := range 3 {
		if got := s.send(0, nil); got.outcome != measure.Status(200) {
			t.Errorf("request %d: %v", i, got.outcome)
		}
		<-closing
		s.conn.Load().lastUsed = time.Now().Add(-2 * idleCheck)
	}
}

func mustEndpoint(t *testing.T, url string) endpoint {
	t.Helper()
	e, err := newEndpoint(Target{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Bodies of many times a socket's buffer arrive as they were sent.
func TestLargeBodies(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, sent) {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write(got)
	}))
	defer server.Close()
	plan := Plan{Timeout: time.Minute, Requests: []Request{{Method: "POST", Body: sent, Expect: Expectation{BodyContains: "0123456789abcdef"}}}}
	for i, outcome := range sendMany(t, 3, plan, Target{URL: server.URL}) {
		if outcome != measure.Status(200) {
			t.Errorf("request %d: %v", i, outcome)
		}
	}
}

// The length in an answer to HEAD is that of a body that does not come.
func TestHeadHasNoBody(t *testing.T) {
	url := keepAliveServer(t, func(c net.Conn, _ int) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
		return true
	})
	for _, search := range []string{"", "x"} {
		plan := Plan{Requests: []Request{{Method: "HEAD", Expect: Expectation{BodyContains: search}}}}
		for i, outcome := range sendMany(t, 2, plan, Target{URL: url}) {
			if outcome != measure.Status(200) {
				t.Errorf("request %d, searching for %q: %v", i, search, outcome)
			}
		}
	}
}

// What a server sends unasked must not be taken for the next answer.
func TestUnaskedBytesAreNotTheNextAnswer(t *testing.T) {
	url := keepAliveServer(t, func(c net.Conn, _ int) bool {
		_, _ = io.WriteString(c, okResponse+"HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n")
		return true
	})
	for i, outcome := range sendMany(t, 3, Plan{}, Target{URL: url}) {
		if outcome != measure.Status(200) {
			t.Errorf("request %d: %v", i, outcome)
		}
	}
}

// A server may refuse a body before it has read it, and close.
func TestAnswerBeforeTheBodyWasReadCounts(t *testing.T) {
	url := acceptAll(t, func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, io.LimitReader(c, 64<<10))
	})
	body := make([]byte, 4<<20)
	got := sendOnce(t, Plan{Requests: []Request{{Method: "POST", Body: body}}}, Target{URL: url})
	// The kernel may throw the answer away with the connection.
	if got.outcome != measure.Status(413) && got.outcome != measure.Reset && got.outcome != measure.Truncated {
		t.Errorf("outcome = %v, want 413, or a broken connection", got.outcome)
	}
}
