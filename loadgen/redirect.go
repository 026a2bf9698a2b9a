package loadgen

import (
	"context"
	"errors"
	"net/http"
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
		CheckRedirect: func(*http.Request, []*http.Request) error {
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
