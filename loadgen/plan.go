package loadgen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/types/descriptorpb"
)

// Plan is the load: what is sent, when, and how.
type Plan struct {
	// Schedule fixes every intended start; the run ends with it. Required,
	// except for a closed loop.
	Schedule Schedule
	// Closed makes a closed loop of as many workers as there are connections.
	// Each sends its next request when its last one was answered, as fast as
	// it goes or at WorkerRate. See the package documentation for what a
	// closed loop does not measure.
	Closed bool
	// WorkerRate limits each worker of a closed loop, in requests a second.
	// A worker that is late does not catch up. 0 for no limit.
	WorkerRate float64
	// Duration ends the run before the first request that is meant to start
	// at or after it. 0 means until the schedule or the context ends.
	Duration time.Duration
	// MaxRequests ends the run before the next one, for each target. 0 means
	// no limit.
	MaxRequests int64

	// Requests are sent in turn, in proportion to their weights. Default: one
	// GET /.
	Requests []Request
	// Connections to each target, at most. A due request waits for a free
	// one, and its waiting counts. Over HTTP/2 and gRPC, where requests share
	// a connection, it bounds the requests in flight. Default 64.
	Connections int
	// Timeout of a request, from its actual start, and of its wait for a free
	// connection. Default 5s; see NoTimeout.
	Timeout time.Duration
	// DisableKeepAlive opens a connection for each request.
	DisableKeepAlive bool
	// MaxRedirects is how many redirects a request may follow. 0 follows
	// none: the redirect is the answer.
	MaxRedirects int
	// RedirectsStay follows no redirect to another scheme, host or port than
	// the target's URL has: such a redirect is the answer. With it nobody who
	// answers can make Serin ask somebody else.
	RedirectsStay bool
	// HTTP2 sends http and https requests over HTTP/2, without TLS with prior
	// knowledge (h2c).
	HTTP2 bool
	// TLS is for https and grpcs. Default: the system's authorities and, as
	// the server's name, the host asked for.
	TLS *tls.Config
	// Proxy is an HTTP proxy, http://host:port, for http and https requests.
	Proxy *url.URL
	// Descriptors describe the methods that gRPC requests call. Default: the
	// target is asked, by server reflection. The health check needs neither.
	Descriptors *descriptorpb.FileDescriptorSet
}

// NoTimeout lets a request take for ever.
const NoTimeout time.Duration = math.MaxInt64

// Request is what is sent.
type Request struct {
	Method string // default GET; gRPC has none
	// Path has the query, from the slash on; default /. For gRPC it is
	// /package.Service/Method, and / is the health check.
	Path   string
	Header http.Header // for gRPC, metadata
	Body   []byte      // for gRPC, the message in JSON
	Weight int         // share among the plan's requests; default 1
	// Expect says which answers are good. Default: whatever is not a failure
	// to measure.Outcome.Failed.
	Expect Expectation
}

const (
	defaultConnections = 64
	defaultTimeout     = 5 * time.Second
)

func (p Plan) withDefaults() Plan {
	if len(p.Requests) == 0 {
		p.Requests = []Request{{}}
	}
	requests := make([]Request, len(p.Requests))
	for i, r := range p.Requests {
		r.Method = orDefault(r.Method, http.MethodGet)
		r.Path = orDefault(r.Path, "/")
		r.Weight = orDefault(r.Weight, 1)
		requests[i] = r
	}
	p.Requests = requests
	p.Connections = orDefault(p.Connections, defaultConnections)
	p.Timeout = orDefault(p.Timeout, defaultTimeout)
	return p
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// deadline of a request that starts now; zero for none.
func (p *Plan) deadline(now time.Time) time.Time {
	if p.Timeout == NoTimeout {
		return time.Time{}
	}
	return now.Add(p.Timeout)
}

// Validate reports, joined, all that is wrong with the plan.
func (p Plan) Validate() error {
	var errs []error
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	report(p.Schedule == nil && !p.Closed, "plan has no schedule")
	report(p.Schedule != nil && p.Closed, "a closed loop has no schedule")
	report(!(p.WorkerRate >= 0 && p.WorkerRate <= MaxRate), "worker rate must be between 0 and %d requests a second, not %g", MaxRate, p.WorkerRate)
	report(p.WorkerRate > 0 && !p.Closed, "only a closed loop has a worker rate")
	report(p.Duration < 0, "duration must not be negative, not %v", p.Duration)
	report(p.Timeout < 0, "timeout must not be negative, not %v", p.Timeout)
	report(p.MaxRequests < 0, "max requests must not be negative, not %d", p.MaxRequests)
	report(p.Connections < 0, "connections must not be negative, not %d", p.Connections)
	report(p.MaxRedirects < 0, "max redirects must not be negative, not %d", p.MaxRedirects)
	report(p.Proxy != nil && (p.Proxy.Scheme != "http" || p.Proxy.Host == ""), "proxy %q must be http://host:port", p.Proxy)
	for i, r := range p.Requests {
		if err := r.validate(); err != nil {
			errs = append(errs, fmt.Errorf("requests[%d]%w", i, err))
		}
	}
	return errors.Join(errs...)
}

// validate returns an error that goes on from the request's place in its plan.
func (r *Request) validate() error {
	if r.Path != "" && !strings.HasPrefix(r.Path, "/") {
		return fmt.Errorf(".path %q must start with /", r.Path)
	}
	if r.Weight < 0 {
		return fmt.Errorf(".weight must not be negative, not %d", r.Weight)
	}
	if err := r.Expect.validate(); err != nil {
		return fmt.Errorf(".expect: %w", err)
	}
	if _, err := http.NewRequest(r.Method, "http://host"+orDefault(r.Path, "/"), nil); err != nil {
		return fmt.Errorf(": %w", err)
	}
	return nil
}

// cycle picks the request for the n-th start: Weight times the first, then
// Weight times the second, and so on, over again.
type cycle struct {
	requests []Request
	total    int64
}

func newCycle(requests []Request) cycle {
	c := cycle{requests: requests}
	for _, r := range requests {
		c.total += int64(r.Weight)
	}
	return c
}

// at returns the index of the request for the n-th start.
func (c cycle) at(n int64) int {
	k := n % c.total
	for i := range c.requests {
		if k < int64(c.requests[i].Weight) {
			return i
		}
		k -= int64(c.requests[i].Weight)
	}
	panic("loadgen: weights do not sum to the total") // unreachable: k < total
}
