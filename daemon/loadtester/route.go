package loadtester

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/loadgen"
)

// placeFor is how long a place is used before it is found anew. It is
// short against what a rollout does, and long against a request's cost.
const placeFor = 20 * time.Millisecond

// route is where the requests of one load go. It is the load's transport for
// HTTP, and sends each request to the place that its host means at that time.
type route struct {
	*Tester
	host string // that is found
	// direct is a host of AllowTargets, which is asked as it is.
	direct bool
	next   http.RoundTripper
	// lost ends the load, since its host means nothing any more.
	lost func(error)

	mu    sync.Mutex // guards what follows
	place hosts.Place
	until time.Time
}

// newRoute finds where a load goes. Its errors are about the load, and are
// hosts.ErrUnknown for what no load may go to.
func (t *Tester) newRoute(ctx context.Context, l *load) (*route, error) {
	host := l.host
	if host == "" {
		host = l.url.Host
	}
	secure := l.url.Scheme == "https" || l.url.Scheme == "grpcs"
	asked := host
	if secure && (&url.URL{Host: host}).Port() == "" {
		asked = net.JoinHostPort(strings.Trim(host, "[]"), "443")
	}
	r := &route{Tester: t, host: asked}
	place, err := t.config.Find(ctx, asked)
	switch {
	case errors.Is(err, hosts.ErrUnknown) && t.allows(l.url.Hostname()):
		r.direct = true
		if err := t.dialer.CheckHost(ctx, addressOf(l.url)); err != nil {
			return nil, refuse(http.StatusForbidden, "%v", err)
		}
		return r, nil
	case errors.Is(err, hosts.ErrUnknown):
		return nil, err
	case err != nil:
		return nil, refuse(http.StatusServiceUnavailable, "%v", err)
	case secure && place.Address != place.Host:
		return nil, fmt.Errorf("%s is reached over the gateway at %s, without TLS: write http:// (or ghz --insecure)", place.Host, place.Address)
	}
	r.place = place
	return r, nil
}

// addressOf is the host:port that a load of that URL connects to.
func addressOf(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https" || u.Scheme == "grpcs":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// allows reports whether a host is one of AllowTargets.
func (t *Tester) allows(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, pattern := range t.config.AllowTargets {
		suffix, wild := strings.CutPrefix(pattern, "*")
		if host == pattern || (wild && strings.HasSuffix(host, suffix) && host != suffix) {
			return true
		}
	}
	return false
}

// target is where the load goes, for the engine.
func (r *route) target(l *load) loadgen.Target {
	t := loadgen.Target{URL: l.url.Scheme + "://" + l.url.Host, Host: l.host}
	switch isGRPC := strings.HasPrefix(l.url.Scheme, "grpc"); {
	case r.direct && isGRPC:
		t.Control = r.guard(r.dialer.Control)
	case r.direct:
		t.Transport = r
	case isGRPC:
		t.URL, t.Host, t.ConnectTo = l.url.Scheme+"://"+r.place.Host, r.place.Host, r.place.Address
		if r.place.Address != r.config.Gateway {
			t.Control = r.guard(r.dialer.Control)
		}
	default:
		// The URL has the host that is asked for, so that redirects to it stay.
		if l.host != "" {
			t.URL, t.Host = l.url.Scheme+"://"+l.host, ""
		}
		t.Transport = r
	}
	return t
}

// RoundTrip sends a request to its place, and notes that.
func (r *route) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.direct {
		return r.next.RoundTrip(req)
	}
	place, ok := loadgen.Noted(req.Context()).(hosts.Place) // of the request that was redirected here
	if !ok {
		var err error
		if place, err = r.current(req.Context()); err != nil {
			closeBody(req)
			if req.Context().Err() == nil { // or it is the request that has ended
				r.lost(err)
			}
			return nil, err
		}
		loadgen.Note(req.Context(), place)
	}
	out := req.Clone(req.Context())
	out.URL.Host, out.Host = place.Address, place.Host
	if out.URL.Scheme == "https" {
		out.Host = strings.TrimSuffix(place.Host, ":443")
	}
	if r.config.Wrap != nil {
		return r.config.Wrap(place, r.next).RoundTrip(out)
	}
	return r.next.RoundTrip(out)
}

// closeBody does what every RoundTripper must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // it is in memory
	}
}

// current is the place that the host means now.
func (r *route) current(ctx context.Context) (hosts.Place, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Before(r.until) {
		return r.place, nil
	}
	place, err := r.config.Find(ctx, r.host)
	if err != nil {
		return hosts.Place{}, err
	}
	r.place, r.until = place, now.Add(placeFor)
	return place, nil
}

// stays returns an error once the host of a load that cannot follow means
// another revision.
func (r *route) stays(ctx context.Context) error {
	place, err := r.config.Find(ctx, r.place.Host)
	if err == nil && place != r.place {
		err = fmt.Errorf("%s means another revision now", r.place.Host)
	}
	return err
}

// record takes each result, for the revision that was asked.
func (r *route) record(d *loadgen.Detail) {
	if r.direct {
		return
	}
	place, ok := d.Note().(hosts.Place)
	if !ok {
		r.mu.Lock()
		place = r.place // it was not sent, and would have gone there
		r.mu.Unlock()
	}
	r.config.Record(place, d.Result)
}

// guard ends the load where an address is refused: it would be refused for each
// of its requests.
func (r *route) guard(control func(string, string, syscall.RawConn) error) func(string, string, syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		err := control(network, address, c)
		if err != nil {
			r.lost(err)
		}
		return err
	}
}

// dial connects for a load over HTTP, and ends it as guard does.
func (r *route) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := r.dialer.DialContext(ctx, network, address)
	if refusal, ok := errors.AsType[*egress.Refusal](err); ok {
		r.lost(refusal)
	}
	return conn, err
}

// newTransport has what a load says about connections, and no proxy: the
// daemon's environment is not the load's affair.
func newTransport(plan *loadgen.Plan, r *route) *http.Transport {
	t := &http.Transport{
		DialContext:         r.dial,
		MaxIdleConns:        2 * plan.Connections, // to both revisions
		MaxIdleConnsPerHost: plan.Connections,
		IdleConnTimeout:     time.Minute,
		DisableKeepAlives:   plan.DisableKeepAlive,
		DisableCompression:  true, // the command says what is accepted
		Protocols:           new(http.Protocols),
	}
	t.Protocols.SetHTTP1(!plan.HTTP2)
	t.Protocols.SetHTTP2(plan.HTTP2)
	return t
}
