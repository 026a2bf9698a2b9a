package loadgen

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/serin-dev/serin/measure"
)

// userAgent marks Serin's own traffic in the workload's logs.
const userAgent = "serin"

// std is net/http: HTTP/2, proxies, and whatever a caller's transport does.
type std struct {
	plan      *Plan
	endpoint  endpoint
	transport http.RoundTripper
	owned     *http.Transport // nil where the transport is the caller's
	redirect  *redirector     // nil where redirects are not followed
}

func newStdClient(plan *Plan, e endpoint, transport http.RoundTripper) *std {
	c := &std{plan: plan, endpoint: e, transport: transport}
	if transport == nil {
		c.owned = newTransport(plan, e)
		c.transport = c.owned
	}
	if plan.MaxRedirects > 0 {
		c.redirect = newRedirector(plan, e, transport)
	}
	return c
}

// newTransport returns a transport for everything that the plan says about
// connections.
func newTransport(plan *Plan, e endpoint) *http.Transport {
	t := &http.Transport{
		MaxIdleConns:        plan.Connections,
		MaxIdleConnsPerHost: plan.Connections,
		DisableKeepAlives:   plan.DisableKeepAlive,
		DisableCompression:  true, // the plan's headers say what is accepted
		Protocols:           new(http.Protocols),
	}
	// A redirect may lead to another name, which net/http then asks for; so
	// only one that is not the URL's is set.
	if e.secure() && hostname(e.host) != e.url.Hostname() {
		t.TLSClientConfig = e.tlsConfig(plan)
	} else if plan.TLS != nil {
		t.TLSClientConfig = plan.TLS.Clone()
	}
	if plan.HTTP2 {
		t.MaxConnsPerHost = 1 // or each of the first requests would have its own
	}
	t.Protocols.SetHTTP1(!plan.HTTP2)
	t.Protocols.SetHTTP2(plan.HTTP2)
	t.Protocols.SetUnencryptedHTTP2(plan.HTTP2)
	if plan.Proxy != nil {
		t.Proxy = http.ProxyURL(plan.Proxy)
	} else {
		t.DialContext = e.dialOwn
	}
	return t
}

// dialOwn connects to the endpoint where its own address is asked for, and to
// any other that a redirect leads to.
func (e endpoint) dialOwn(ctx context.Context, network, address string) (net.Conn, error) {
	if address == hostPort(e.url) {
		return e.dial(ctx)
	}
	d := net.Dialer{Control: e.control}
	return d.DialContext(ctx, network, address)
}

// newRequest returns the request as net/http sends it.
func newRequest(ctx context.Context, plan *Plan, e endpoint, r *Request) (*http.Request, error) {
	var body io.Reader
	if len(r.Body) > 0 {
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, e.url.Scheme+"://"+e.url.Host+r.Path, body)
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", userAgent)
	}
	req.Host = e.host
	req.Close = plan.DisableKeepAlive
	return req, nil
}

func (c *std) sender(ctx context.Context) sender { return &stdSender{std: c, ctx: ctx} }

func (c *std) close() {
	if c.owned != nil {
		c.owned.CloseIdleConnections()
	}
	if c.redirect != nil {
		c.redirect.close()
	}
}

type stdSender struct {
	*std
	ctx context.Context // of the worker, which ends with it
}

func (s *stdSender) close() {}

func (s *stdSender) send(i int, p *Phases) reply {
	r := &s.plan.Requests[i]
	deadline := s.plan.deadline(time.Now())
	noting := s.ctx
	if p != nil {
		noting = context.WithValue(noting, noteKey{}, p)
	}
	ctx, cancel := withDeadline(noting, deadline)
	defer cancel()
	if p != nil {
		var done func()
		ctx, done = tracePhases(ctx, p)
		defer done()
	}
	req, err := newRequest(ctx, s.plan, s.endpoint, r)
	if err != nil {
		return failed(measure.Protocol)
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return failed(Classify(err))
	}
	if s.redirect != nil && isRedirect(resp.StatusCode) && resp.Header.Get("Location") != "" {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return s.redirect.follow(noting, deadline, r, resp.StatusCode, resp.Header.Get("Location"))
	}
	return readResponse(resp, &r.Expect)
}

// withDeadline is context.WithDeadline, for which a zero deadline is none.
func withDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline)
}

// readResponse reads the body to its end and judges the answer.
func readResponse(resp *http.Response, e *Expectation) reply {
	defer func() { _ = resp.Body.Close() }() // read to its end below
	var searched []byte
	var err error
	if e.BodyContains != "" {
		if searched, err = io.ReadAll(io.LimitReader(resp.Body, searchedBytes)); err == nil {
			searched = decoded(searched, resp.Header.Get("Content-Encoding"))
		}
	}
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	}
	switch {
	case isTimeout(err):
		return failed(measure.Timeout)
	case err != nil:
		return failed(measure.Truncated)
	case resp.StatusCode < 100 || resp.StatusCode > 599:
		return failed(measure.Protocol)
	}
	outcome := measure.Status(resp.StatusCode)
	return reply{outcome: outcome, ok: expected(e, outcome, resp.Header.Values, searched)}
}

// decoded undoes the compression that hey's requests accept, as far as the
// body was kept. A body that is not what it says stays as it is.
func decoded(body []byte, encoding string) []byte {
	if encoding != "gzip" {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	plain, err := io.ReadAll(io.LimitReader(z, searchedBytes))
	if err != nil && len(plain) == 0 {
		return body
	}
	return plain
}

// tracePhases has net/http's own account of a request put down in p, by done,
// which is to be called when the response was read. A request that was cut off
// has returned before net/http's goroutines have: what those still tell then
// is for nobody.
func tracePhases(ctx context.Context, p *Phases) (_ context.Context, done func()) {
	begin := time.Now()
	var mu sync.Mutex
	var lookup, resolved, connected, got, wrote, first time.Time
	note := func(moments ...*time.Time) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		for _, m := range moments {
			*m = now
		}
	}
	trace := &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { note(&lookup) },
		DNSDone:  func(httptrace.DNSDoneInfo) { note(&resolved) },
		GotConn: func(info httptrace.GotConnInfo) {
			if info.Reused {
				note(&got)
			} else {
				note(&got, &connected)
			}
		},
		WroteRequest:         func(httptrace.WroteRequestInfo) { note(&wrote) },
		GotFirstResponseByte: func() { note(&first) },
	}
	return httptrace.WithClientTrace(ctx, trace), func() {
		mu.Lock()
		defer mu.Unlock()
		p.DNS, p.Connect = between(lookup, resolved), between(begin, connected)
		p.Write, p.Wait, p.Read = between(got, wrote), between(wrote, first), between(first, time.Now())
	}
}

// between is the time from one moment to another, 0 where one of them did not
// come, or came last on an earlier hop of a redirected request.
func between(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(to.Sub(from), 0)
}
