package ingress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Resolver returns the addresses, host:port, of the ready processes behind a
// Kubernetes Service that Knative made for a revision.
type Resolver func(namespace, service string) []string

// Proxy is the reverse proxy. Its zero value is not usable; see NewProxy.
type Proxy struct {
	resolve Resolver
	random  func(n int) int // in [0,n)
	table   atomic.Pointer[Table]
	turn    atomic.Uint64 // for round robin among processes
	// Activating says that a revision is scaled to zero or comes up from there,
	// so that requests wait for it, as Knative's activator lets them. Nil is for
	// no waiting.
	Activating func(namespace, service string) bool
	http1      *httputil.ReverseProxy
	http2      *httputil.ReverseProxy
}

// NewProxy returns a proxy that knows no host yet.
func NewProxy(resolve Resolver, log *slog.Logger) *Proxy {
	p := &Proxy{resolve: resolve, random: rand.IntN}
	p.table.Store(NewTable(nil))
	var cleartextHTTP2 http.Protocols
	cleartextHTTP2.SetUnencryptedHTTP2(true)
	p.http1 = newReverseProxy(&http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256}, log)
	p.http2 = newReverseProxy(&http.Transport{DisableCompression: true, Protocols: &cleartextHTTP2}, log)
	return p
}

// Switch puts another table in place. Requests under way are not disturbed.
func (p *Proxy) Switch(t *Table) { p.table.Store(t) }

// destination is where one request goes.
type destination struct {
	address string
	append  []map[string]string
}

type destinationKey struct{}

func newReverseProxy(transport http.RoundTripper, log *slog.Logger) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // at once: streams
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Rewrite: func(r *httputil.ProxyRequest) {
			to := r.In.Context().Value(destinationKey{}).(destination)
			r.Out.URL.Scheme, r.Out.URL.Host = "http", to.address
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			for _, headers := range to.append {
				for name, value := range headers {
					r.Out.Header.Set(name, value)
				}
			}
		},
		ErrorHandler: refuse,
	}
}

// refuse answers for a process that did not. One that cannot be reached at all
// has just ended, which the node will notice in a moment.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		http.Error(w, fmt.Sprintf("the process behind %s cannot be reached: %v", r.Host, err), http.StatusServiceUnavailable)
		return
	}
	http.Error(w, fmt.Sprintf("the process behind %s broke off: %v", r.Host, err), http.StatusBadGateway)
}

// Close gives up the connections to processes that are not in use.
func (p *Proxy) Close() {
	for _, transport := range []http.RoundTripper{p.http1.Transport, p.http2.Transport} {
		transport.(*http.Transport).CloseIdleConnections()
	}
}

// ServeHTTP forwards a request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := hostname(r.Host)
	found, known := p.table.Load().find(host, r.URL.Path, r.Header)
	if !known || found == nil {
		http.Error(w, fmt.Sprintf("no Ingress knows host %q and path %q", host, r.URL.Path), http.StatusNotFound)
		return
	}
	to := found.pick(p.random(100))
	if to == nil {
		http.Error(w, fmt.Sprintf("the percentages for host %q do not sum to 100", host), http.StatusServiceUnavailable)
		return
	}
	addresses := p.await(r.Context(), to.backend)
	if len(addresses) == 0 {
		http.Error(w, fmt.Sprintf("revision %s has no ready process", to.backend), http.StatusServiceUnavailable)
		return
	}
	address := addresses[p.turn.Add(1)%uint64(len(addresses))]
	ctx := context.WithValue(r.Context(), destinationKey{}, destination{address, []map[string]string{found.append, to.append}})
	proxy := p.http1
	if to.http2 {
		proxy = p.http2
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// await resolves a revision, and waits for one that is coming up.
func (p *Proxy) await(ctx context.Context, revision types.NamespacedName) []string {
	const pause, patience = 10 * time.Millisecond, 30 * time.Second
	for waited := time.Duration(0); ; waited += pause {
		addresses := p.resolve(revision.Namespace, revision.Name)
		if len(addresses) > 0 || waited >= patience || p.Activating == nil || !p.Activating(revision.Namespace, revision.Name) {
			return addresses
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// hostname strips the port and folds the case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}

// NewServer returns a server for the proxy that speaks HTTP/1.1 and cleartext
// HTTP/2 on one port.
func NewServer(p *Proxy) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: p, Protocols: &protocols, ReadHeaderTimeout: headerTimeout}
}
