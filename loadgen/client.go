package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/serin-dev/serin/measure"
)

// client reaches one target by one protocol. Its methods may be called from
// any goroutine.
type client interface {
	// sender returns a sender for one worker, whose requests end with ctx.
	sender(ctx context.Context) sender
	// close frees what the senders shared. All of them are closed before.
	close()
}

// resolver is a client that has to ask the target what requests mean. It
// returns an error where they mean nothing.
type resolver interface {
	resolve(ctx context.Context) error
}

// sender sends the requests of one worker, one after the other.
type sender interface {
	// send sends request number i of the plan, reads the answer to its end
	// and says how it went. It takes no longer than the plan's timeout. The
	// phases are filled in where p is not nil.
	send(i int, p *Phases) reply
	close()
}

// reply is how one request went.
type reply struct {
	outcome   measure.Outcome
	ok        bool
	redirects int
}

// finish completes the result of a request that has just ended.
func (r reply) finish(result *measure.Result) {
	result.Done = time.Now()
	result.Outcome, result.OK, result.Redirects = r.outcome, r.ok, r.redirects
}

func failed(outcome measure.Outcome) reply { return reply{outcome: outcome} }

// Phases is how the service time of one request was spent. What did not
// happen took no time: a request on an open connection does not connect.
type Phases struct {
	// Connect is from the start until there was a connection, DNS and TLS
	// included; DNS is the part of it that looked up the name.
	Connect, DNS time.Duration
	// Write is until the request was sent, Wait from then until the first
	// byte of the response, and Read until its last.
	Write, Wait, Read time.Duration

	note any // see Note
}

// Note keeps v for the [Detail] of the request that ctx belongs to: for a
// Target's Transport that wants to know, once a request has ended, what it did
// with it. Without a Target's Each nothing is kept.
func Note(ctx context.Context, v any) {
	if p, ok := ctx.Value(noteKey{}).(*Phases); ok {
		p.note = v
	}
}

// Noted returns what was noted of the request before, along its redirects; nil
// for nothing.
func Noted(ctx context.Context) any {
	if p, ok := ctx.Value(noteKey{}).(*Phases); ok {
		return p.note
	}
	return nil
}

type noteKey struct{}

// endpoint is a target's URL, taken apart.
type endpoint struct {
	url     *url.URL // scheme and host
	host    string   // asked for
	network string   // tcp or unix
	address string   // dialed
	control func(network, address string, c syscall.RawConn) error
}

func newEndpoint(t Target) (endpoint, error) {
	base, err := url.Parse(t.URL)
	if err != nil {
		return endpoint{}, err
	}
	if defaultPorts[base.Scheme] == "" || base.Hostname() == "" {
		return endpoint{}, errors.New("must be http://host[:port], or https, grpc or grpcs")
	}
	e := endpoint{url: base, host: orDefault(t.Host, base.Host), network: "tcp", address: hostPort(base), control: t.Control}
	if path, isUnix := strings.CutPrefix(t.ConnectTo, "unix:"); isUnix {
		e.network, e.address = "unix", path
	} else if t.ConnectTo != "" {
		if _, _, err := net.SplitHostPort(t.ConnectTo); err != nil {
			return endpoint{}, errors.New("connect to host:port or unix:/path, not " + t.ConnectTo)
		}
		e.address = t.ConnectTo
	}
	return e, nil
}

var defaultPorts = map[string]string{"http": "80", "https": "443", "grpc": "80", "grpcs": "443"}

// hostPort is a URL's address.
func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), defaultPorts[u.Scheme])
}

func (e endpoint) secure() bool { return e.url.Scheme == "https" || e.url.Scheme == "grpcs" }

func (e endpoint) isGRPC() bool { return e.url.Scheme == "grpc" || e.url.Scheme == "grpcs" }

// dial connects to the endpoint, whatever address is asked for: proxies are
// reached by their own.
func (e endpoint) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Control: e.control}
	c, err := d.DialContext(ctx, e.network, e.address)
	if err != nil {
		return nil, err
	}
	return rawIO(c), nil
}

// tlsConfig is the plan's, with the host asked for as the server's name.
func (e endpoint) tlsConfig(plan *Plan) *tls.Config {
	config := &tls.Config{}
	if plan.TLS != nil {
		config = plan.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = hostname(e.host)
	}
	return config
}

// hostname strips the port, if there is one.
func hostname(host string) string {
	return (&url.URL{Host: host}).Hostname()
}

func newClient(plan *Plan, target Target) (client, error) {
	e, err := newEndpoint(target)
	if err != nil {
		return nil, err
	}
	if plan.Proxy != nil && target.ConnectTo != "" {
		return nil, errors.New("is reached through a proxy or by another address, not both")
	}
	switch {
	case target.Transport != nil:
		return newStdClient(plan, e, target.Transport), nil
	case e.isGRPC() && (plan.Proxy != nil || plan.DisableKeepAlive):
		return nil, errors.New("is gRPC, which is sent on one connection and through no proxy")
	case e.isGRPC():
		return newGRPCClient(plan, e)
	case plan.HTTP2, plan.Proxy != nil:
		return newStdClient(plan, e, nil), nil
	default:
		return newHTTP1Client(plan, e)
	}
}
