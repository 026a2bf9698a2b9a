package tap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"syscall"
	"time"

	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

const (
	// answerTimeout is how long a target may take to begin its answer.
	answerTimeout = time.Minute
	dialTimeout   = 10 * time.Second
	// maxRequests is how many may be under way.
	maxRequests = 1024
	maxIdle     = 256
)

// Config says where requests may go and who is told how they went.
type Config struct {
	// Find says what a host means, and returns hosts.ErrUnknown for one that
	// nothing is forwarded to. Required.
	Find func(ctx context.Context, host string) (hosts.Place, error)
	// Record takes each result. Required.
	Record func(place hosts.Place, r measure.Result)
	// Wrap may disturb requests; nil for none.
	Wrap func(place hosts.Place, next http.RoundTripper) http.RoundTripper
	// Dial connects to a place's address; nil to connect to any.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger
}

// Proxy is an http.Handler for the requests of a proxy's clients. New makes one.
type Proxy struct {
	config    Config
	slots     chan struct{}
	transport *http.Transport
	reverse   *httputil.ReverseProxy
}

// New returns a Proxy.
func New(config Config) *Proxy {
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	p := &Proxy{config: config, slots: make(chan struct{}, maxRequests)}
	p.transport = &http.Transport{
		DialContext:           config.Dial,
		ResponseHeaderTimeout: answerTimeout,
		MaxIdleConns:          maxIdle,
		MaxIdleConnsPerHost:   maxIdle,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true, // the client says what it takes
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      roundTrip(p.roundTrip),
		FlushInterval:  -1, // at once: streams
		ModifyResponse: answered,
		ErrorHandler:   p.unanswered,
		ErrorLog:       slog.NewLogLogger(config.Log.Handler(), slog.LevelDebug),
	}
	return p
}

// Close gives up the connections that are not in use.
func (p *Proxy) Close() { p.transport.CloseIdleConnections() }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// exchange is one request on its way. One goroutine at a time has it.
type exchange struct {
	place   hosts.Place
	result  measure.Result
	readErr error // of the answer's body
}

type exchangeKey struct{}

func of(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// ServeHTTP forwards one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	if status, problem := refused(r); problem != "" {
		refuse(w, status, problem)
		return
	}
	place, err := p.config.Find(r.Context(), r.URL.Host)
	switch {
	case errors.Is(err, hosts.ErrUnknown):
		refuse(w, http.StatusForbidden, err.Error()+": this proxy goes nowhere else")
		return
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d requests are under way already", maxRequests))
		return
	}
	e := &exchange{place: place, result: measure.Result{Intended: now, Sent: now}}
	defer p.record(r, e) // also when the connection is cut
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e)))
}

// refused says why a request is none for a proxy like this.
func refused(r *http.Request) (status int, problem string) {
	switch {
	case r.Method == http.MethodConnect:
		return http.StatusNotImplemented, "CONNECT is refused: what goes through a tunnel cannot be measured; ask for http:// instead of https://"
	case r.URL.Host == "":
		return http.StatusBadRequest, "this is a proxy, not a server: use it as http_proxy"
	case r.URL.Scheme != "http":
		return http.StatusBadRequest, fmt.Sprintf("only http:// can be measured, not %s://", r.URL.Scheme)
	case r.Header.Get("Upgrade") != "":
		return http.StatusNotImplemented, "upgrades are refused: what follows them cannot be measured"
	}
	return 0, ""
}

func refuse(w http.ResponseWriter, status int, problem string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": problem}) // the client may be gone
}

// rewrite sends a request to its place, as the client wrote it.
func rewrite(r *httputil.ProxyRequest) {
	place := of(r.In.Context()).place
	r.Out.URL.Scheme, r.Out.URL.Host = "http", place.Address
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.Host = place.Host
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
}

func (p *Proxy) roundTrip(r *http.Request) (*http.Response, error) {
	if p.config.Wrap == nil {
		return p.transport.RoundTrip(r)
	}
	return p.config.Wrap(of(r.Context()).place, p.transport).RoundTrip(r)
}

// answered notes the status, and how reading the body ends.
func answered(resp *http.Response) error {
	e := of(resp.Request.Context())
	e.result.Outcome = measure.Status(resp.StatusCode)
	resp.Body = &body{resp.Body, e}
	return nil
}

type body struct {
	io.ReadCloser
	exchange *exchange
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.exchange.readErr = err
	}
	return n, err
}

// unanswered tells the client why there is no answer. A connection that was
// reset is reset for the client, too.
func (p *Proxy) unanswered(w http.ResponseWriter, r *http.Request, err error) {
	e := of(r.Context())
	e.result.Outcome = loadgen.Classify(err)
	if errors.Is(err, syscall.ECONNRESET) {
		panic(http.ErrAbortHandler)
	}
	status := http.StatusBadGateway
	if e.result.Outcome == measure.Timeout {
		status = http.StatusGatewayTimeout
	}
	refuse(w, status, fmt.Sprintf("%s did not answer: %v", e.place.Host, err))
}

// record tells how it went, unless the client has gone.
func (p *Proxy) record(r *http.Request, e *exchange) {
	if r.Context().Err() != nil {
		return
	}
	e.result.Done = time.Now()
	if e.readErr != nil {
		e.result.Outcome = measure.Truncated
		if loadgen.Classify(e.readErr) == measure.Timeout {
			e.result.Outcome = measure.Timeout
		}
	}
	e.result.OK = !e.result.Outcome.Failed()
	p.config.Record(e.place, e.result)
}
