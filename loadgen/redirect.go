package loadgen

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/serin-dev/serin/measure"
)

// redirector follows redirects, which net/http does: they are not what a load
// is made of.
type redirector struct {
	plan      *Plan
	endpoint  endpoint
	transport http.RoundTripper
	owned     *http.Transport // nil where the transport is the caller's
}

// newRedirector goes by a transport of its own where none is given.
func newRedirector(plan *Plan, e endpoint, transport http.RoundTripper) *redirector {
	d := &redirector{plan: plan, endpoint: e, transport: transport}
	if transport == nil {
		d.owned = newTransport(plan, e)
		d.transport = d.owned
	}
	return d
}

func (d *redirector) close() {
	if d.owned != nil {
		d.owned.CloseIdleConnections()
	}
}

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

// answered is a transport for which the first request has been answered
// already.
type answered struct {
	next     http.RoundTripper
	code     int
	location string
	used     bool
}

func (a *answered) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.used {
		return a.next.RoundTrip(r)
	}
	a.used = true
	return &http.Response{StatusCode: a.code, Header: http.Header{"Location": {a.location}}, Body: http.NoBody, Request: r}, nil
}

// follow goes where the answer to r has pointed, and on, and says how it
// ended. Where there is no end to it, the last redirect is the answer, and no
// good one.
func (d *redirector) follow(ctx context.Context, deadline time.Time, r *Request, code int, location string) reply {
	ctx, cancel := withDeadline(ctx, deadline)
	defer cancel()
	req, err := newRequest(ctx, d.plan, d.endpoint, r)
	if err != nil {
		return failed(measure.Protocol)
	}
	redirects := 0
	client := http.Client{
		Transport: &answered{next: d.transport, code: code, location: location},
		CheckRedirect: func(to *http.Request, _ []*http.Request) error {
			if d.plan.RedirectsStay && !d.stays(to.URL) {
				return http.ErrUseLastResponse
			}
			if redirects == d.plan.MaxRedirects {
				return errTooManyRedirects
			}
			redirects++
			return nil
		},
	}
	resp, err := client.Do(req)              //nolint:bodyclose // readResponse does, and net/http where there are too many
	if errors.Is(err, errTooManyRedirects) { // with a response, whose body is closed
		return reply{outcome: measure.Status(resp.StatusCode), redirects: redirects}
	}
	if err != nil {
		return reply{outcome: Classify(err), redirects: redirects}
	}
	answer := readResponse(resp, &r.Expect)
	answer.redirects = redirects
	return answer
}

// stays reports whether a URL has the target's scheme, host and port.
func (d *redirector) stays(to *url.URL) bool {
	return to.Scheme == d.endpoint.url.Scheme && strings.EqualFold(hostPort(to), hostPort(d.endpoint.url))
}
