package loadgen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/serin-dev/serin/measure"
)

// userAgent marks Serin's own traffic in the workload's logs.
const userAgent = "serin"

// client sends requests to one target.
type client struct {
	plan      Plan
	base      *url.URL
	host      string
	transport http.RoundTripper
	owned     *http.Transport // nil where the transport is the caller's
}

func newClient(plan Plan, base *url.URL, target Target) *client {
	c := &client{plan: plan, base: base, host: orDefault(target.Host, base.Host), transport: target.Transport}
	if c.transport == nil {
		c.owned = &http.Transport{
			MaxIdleConnsPerHost: plan.Connections,
			MaxConnsPerHost:     plan.Connections,
			DisableKeepAlives:   plan.DisableKeepAlive,
			DisableCompression:  true,
		}
		c.transport = c.owned
	}
	return c
}

func (c *client) close() {
	if c.owned != nil {
		c.owned.CloseIdleConnections()
	}
}

// send sends one request, reads the response to its end and says how it went,
// and whether that is as expected. Redirects are not followed: the redirect is
// the answer.
func (c *client) send(ctx context.Context, r *Request) (outcome measure.Outcome, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, c.plan.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base.Scheme+"://"+c.base.Host+r.Path, strings.NewReader(r.Body))
	if err != nil {
		return measure.Protocol, false
	}
	req.Host = c.host
	req.Header.Set("User-Agent", userAgent)
	maps.Copy(req.Header, r.Header)
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return classify(err), false
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	body, err := r.Expect.read(resp.Body)
	if err != nil {
		if isTimeout(err) {
			return measure.Timeout, false
		}
		return measure.Truncated, false
	}
	outcome = measure.Status(resp.StatusCode)
	return outcome, r.Expect.good(outcome, body)
}

// classify names the kind of error that kept a response from beginning.
func classify(err error) measure.Outcome {
	if isTimeout(err) {
		return measure.Timeout
	}
	if is[*net.DNSError](err) {
		return measure.DNS
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return measure.Connect
	}
	if is[*tls.CertificateVerificationError](err) || is[tls.RecordHeaderError](err) || is[tls.AlertError](err) || is[x509.UnknownAuthorityError](err) {
		return measure.TLS
	}
	// EOF before the first byte is a connection closed under the request.
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return measure.Reset
	}
	// What is left is net/http's verdict on what the server said, for which
	// it has no exported error types.
	return measure.Protocol
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
