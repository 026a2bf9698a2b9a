package loadgen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/serin-dev/serin/measure"
)

// redirector follows redirects, which net/http does: they are not what a load
// is made of.
type redirector struct {
	plan      *Plan
	endpoint  endpoint
	transport *http.Transport
}

func newRedirector(plan *Plan, e endpoint) *redirector {
	return &redirector{plan: plan, endpoint: e, transport: newTransport(plan, e)}
}

func (d *redirector) close() { d.transport.CloseIdleConnections() }

func isRedirect(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

var errTooManyRedirects = errors.New("too many redirects")

// follow goes where the answer to r has pointed, and on, and says how it
// ended. Where there is no end to it, the last redirect is the answer, and no
// good one.
func (d *redirector) follow(ctx context.Context, deadline time.Time, r *Request, code int, location string) reply {
	ctx, cancel := withDeadline(ctx, deadline)
	defer cancel()
	req, err := d.next(ctx, r, code, location)
	if err != nil {
		return failed(measure.Protocol)
	}
	redirects := 1
	client := http.Client{Transport: d.transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		if redirects >= d.plan.MaxRedirects {
			return errTooManyRedirects
		}
		redirects++
		return nil
	}}
	resp, err := client.Do(req)
	if errors.Is(err, errTooManyRedirects) { // with a response, whose body is closed
		return reply{outcome: measure.Status(resp.StatusCode), redirects: redirects}
	}
	if err != nil {
		return reply{outcome: classify(err), redirects: redirects}
	}
	answer := readResponse(resp, &r.Expect)
	answer.redirects = redirects
	return answer
}

// next is the request that a redirect asks for (RFC 9110, section 15.4): with
// the same method and body for 307 and 308, otherwise a GET, or HEAD where it
// was one. Another host is not told the credentials.
func (d *redirector) next(ctx context.Context, r *Request, code int, location string) (*http.Request, error) {
	from, err := url.Parse(d.endpoint.url.Scheme + "://" + d.endpoint.host + r.Path)
	if err != nil {
		return nil, err
	}
	to, err := from.Parse(location)
	if err != nil {
		return nil, err
	}
	sameHost := to.Host == from.Host
	again := *r
	if code != http.StatusTemporaryRedirect && code != http.StatusPermanentRedirect {
		again.Body = nil
		if r.Method != http.MethodHead {
			again.Method = http.MethodGet
		}
	}
	req, err := newRequest(ctx, d.plan, d.endpoint, &again)
	if err != nil {
		return nil, err
	}
	if !sameHost {
		req.URL, req.Host = to, ""
		req.Header.Del("Authorization")
		req.Header.Del("Cookie")
		return req, nil
	}
	// The same host is where it was dialed before, whatever it is called.
	req.URL.Path, req.URL.RawPath, req.URL.RawQuery = to.Path, to.RawPath, to.RawQuery
	return req, nil
}
