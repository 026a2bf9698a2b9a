package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/serin-dev/serin/measure"
)

// headerSize is how long the head of a response may be. Every connection in
// use holds as much.
const headerSize = 16 << 10

// idleCheck is how long ago a connection may have been used without looking
// whether the server has closed it since.
const idleCheck = time.Second

// http1 is HTTP/1.1. Requests are the same each time, so they are written out
// once, by net/http; responses are read by fasthttp, which needs no allocation
// for that. Each sender has a connection of its own. See ADR 4.
type http1 struct {
	plan     *Plan
	endpoint endpoint
	tls      *tls.Config // nil without TLS
	requests []wireRequest
	redirect *redirector // nil where redirects are not followed
}

// wireRequest is a request as it is sent.
type wireRequest struct {
	*Request
	wire []byte
	// again says that the request may be sent again where the server has
	// closed the connection meanwhile: it changes nothing, by its method.
	again bool
}

func newHTTP1Client(plan *Plan, e endpoint) (*http1, error) {
	c := &http1{plan: plan, endpoint: e}
	if e.secure() {
		c.tls = e.tlsConfig(plan)
	}
	for i := range plan.Requests {
		r, err := newWireRequest(plan, e, &plan.Requests[i])
		if err != nil {
			return nil, fmt.Errorf("requests[%d]: %w", i, err)
		}
		c.requests = append(c.requests, r)
	}
	if plan.MaxRedirects > 0 {
		c.redirect = newRedirector(plan, e, nil)
	}
	return c, nil
}

func newWireRequest(plan *Plan, e endpoint, r *Request) (wireRequest, error) {
	req, err := newRequest(context.Background(), plan, e, r)
	if err != nil {
		return wireRequest{}, err
	}
	var wire bytes.Buffer
	if err := req.Write(&wire); err != nil {
		return wireRequest{}, err
	}
	again := false
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		again = true
	}
	return wireRequest{Request: r, wire: wire.Bytes(), again: again}, nil
}

func (c *http1) sender(ctx context.Context) sender {
	s := &http1Sender{http1: c, ctx: ctx, reader: bufio.NewReaderSize(nil, headerSize)}
	s.release = onEnd(ctx, func() {
		if conn := s.conn.Load(); conn != nil {
			_ = conn.Close()
		}
	})
	return s
}

func (c *http1) close() {
	if c.redirect != nil {
		c.redirect.close()
	}
}

// http1Sender is one connection, opened when it is needed.
type http1Sender struct {
	*http1
	ctx      context.Context // of the worker, which ends with it
	release  func()
	conn     atomic.Pointer[conn] // nil when there is none; closed when ctx ends
	reader   *bufio.Reader        // of conn
	response fasthttp.Response
	chunks   chunkedBody // of response
	searched []byte
	scratch  [4 << 10]byte
}

// conn remembers how reading ended, which fasthttp's errors do not tell.
type conn struct {
	net.Conn            // with TLS, where that is wanted
	timed    *timedConn // below it
	err      error
	lastUsed time.Time // when a request was last sent; zero for a new connection
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.err = err
	}
	return n, err
}

func (s *http1Sender) send(i int, p *Phases) reply {
	begin := time.Now()
	r := &s.requests[i]
	if conn := s.open(begin); conn != nil {
		conn.timed.until(s.plan.deadline(begin))
		conn.lastUsed = begin
		if reply, stale := s.exchange(conn, r, p); !stale {
			return reply
		}
	}
	conn, err := s.connect(s.plan.deadline(begin), p)
	if err != nil {
		return failed(Classify(err))
	}
	if p != nil {
		p.Connect = time.Since(begin)
	}
	reply, _ := s.exchange(conn, r, p)
	conn.lastUsed = begin
	return reply
}

// open returns the connection if there is one that the server has not closed
// as far as can be known.
func (s *http1Sender) open(now time.Time) *conn {
	conn := s.conn.Load()
	if conn == nil {
		return nil
	}
	if now.Sub(conn.lastUsed) > idleCheck && !quiet(conn.timed.Conn) {
		s.drop()
		return nil
	}
	return conn
}

func (s *http1Sender) connect(deadline time.Time, p *Phases) (*conn, error) {
	ctx, cancel := withDeadline(s.ctx, deadline)
	defer cancel()
	if p != nil {
		ctx = traceDNS(ctx, p)
	}
	raw, err := s.endpoint.dial(ctx)
	if err != nil {
		return nil, err
	}
	timed := &timedConn{Conn: raw}
	conn := &conn{Conn: timed, timed: timed}
	if s.tls != nil {
		secure := tls.Client(timed, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, handshakeError{err}
		}
		conn.Conn = secure
	}
	timed.until(deadline)
	s.conn.Store(conn)
	if s.ctx.Err() != nil { // and the function that closes it may have come before
		_ = raw.Close()
	}
	s.reader.Reset(conn)
	return conn, nil
}

// traceDNS has the time that a dial needs for the name put down in p.
func traceDNS(ctx context.Context, p *Phases) context.Context {
	var begin time.Time
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { begin = time.Now() },
		DNSDone:  func(httptrace.DNSDoneInfo) { p.DNS = time.Since(begin) },
	})
}

// drop closes the connection.
func (s *http1Sender) drop() {
	if conn := s.conn.Swap(nil); conn != nil {
		_ = conn.Close()
	}
}

func (s *http1Sender) close() {
	s.release()
	s.drop()
}

// exchange sends the request and reads the response. stale says that the
// server had closed the connection since it was last used, and that the
// request may be sent again.
func (s *http1Sender) exchange(conn *conn, r *wireRequest, p *Phases) (result reply, stale bool) {
	begin := p.now()
	_, writeErr := conn.Write(r.wire)
	if isTimeout(writeErr) {
		s.drop()
		return failed(measure.Timeout), false
	}
	written := p.now()
	// A server may answer before it has read everything, and close.
	if _, err := s.reader.Peek(1); err != nil {
		s.drop()
		outcome := unanswered(err)
		return failed(outcome), outcome == measure.Reset && r.again && !conn.lastUsed.IsZero()
	}
	first := p.now()
	outcome, reusable := s.receive(conn, r.Request)
	if p != nil {
		p.Write, p.Wait, p.Read = written.Sub(begin), first.Sub(written), time.Since(first)
	}
	if writeErr != nil || !reusable || s.plan.DisableKeepAlive {
		s.drop()
	}
	if outcome.Code() == 0 {
		return failed(outcome), false
	}
	return s.judge(r.Request, outcome, conn.timed.deadline), false
}

// now is the time for those who want to know, and zero otherwise.
func (p *Phases) now() time.Time {
	if p == nil {
		return time.Time{}
	}
	return time.Now()
}

// judge follows redirects and looks at what is expected.
func (s *http1Sender) judge(r *Request, outcome measure.Outcome, deadline time.Time) reply {
	if s.redirect != nil && isRedirect(outcome.Code()) {
		if location := s.response.Header.Peek(fasthttp.HeaderLocation); len(location) > 0 {
			return s.redirect.follow(s.ctx, deadline, r, outcome.Code(), string(location))
		}
	}
	return reply{outcome: outcome, ok: expected(&r.Expect, outcome, s.headerValues, s.searched)}
}

func (s *http1Sender) headerValues(name string) []string {
	var values []string
	for _, v := range s.response.Header.PeekAll(name) {
		values = append(values, string(v))
	}
	return values
}
