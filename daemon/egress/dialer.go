package egress

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// dialTimeout is how long a connection may take.
const dialTimeout = 10 * time.Second

// Dialer connects to what its Policy allows. A Policy makes one.
type Dialer struct {
	// Trusted is a host:port that the operator chose, such as the gateway. It
	// is not checked; empty for none.
	Trusted string

	policy Policy
	what   string
}

// Dialer returns a Dialer for those who are named in refusals, in the plural:
// hooks, alerts, loads.
func (p Policy) Dialer(what string) *Dialer { return &Dialer{policy: p, what: what} }

// Control is net.Dialer's: it refuses an address just before the socket connects
// to it. The error is a *Refusal.
func (d *Dialer) Control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Refusal{Address: address, Reason: "it is no address of a host"}
	}
	if why := d.policy.check(at, d.what); why != "" {
		return &Refusal{Address: at.String(), Reason: why}
	}
	return nil
}

// DialContext connects to a host:port. The error is a *Refusal where an address
// of the host was refused and no other could be reached.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Resolver: d.policy.Resolver, Control: d.Control}
	if d.Trusted != "" && address == d.Trusted {
		dialer.Control = nil
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return nil, refusal.named(address)
	}
	return conn, err
}

// CheckHost returns a *Refusal for a host:port of which an address is refused.
// It is for what somebody else dials; where a name cannot be resolved here,
// that is their affair.
func (d *Dialer) CheckHost(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	resolver := cmp.Or(d.policy.Resolver, net.DefaultResolver)
	ips, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	for _, ip := range ips {
		err := d.Control("tcp", net.JoinHostPort(ip.Unmap().String(), port), nil)
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			return refusal.named(address)
		}
	}
	return nil
}

// Proxy wraps what chooses the proxy of an http.Transport. Through a proxy the
// transport dials the proxy alone, so the host of the request is checked here.
func (d *Dialer) Proxy(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		proxy, err := choose(r)
		if err != nil || proxy == nil {
			return proxy, err
		}
		if err := d.CheckHost(r.Context(), hostPort(r.URL)); err != nil {
			return nil, err
		}
		return proxy, nil
	}
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// named adds the host that was asked for, unless it is the address itself.
func (r *Refusal) named(address string) *Refusal {
	host, _, err := net.SplitHostPort(address)
	if err != nil || r.Host != "" {
		return r
	}
	if at, err := netip.ParseAddrPort(r.Address); err == nil && at.Addr().String() == host {
		return r
	}
	return &Refusal{Address: r.Address, Host: host, Reason: r.Reason}
}
