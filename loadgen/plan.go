package loadgen

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Schedule gives the intended start of request n, counted from 0, as an offset
// from the start of the run. It is a pure function that never decreases.
type Schedule func(n int64) time.Duration

// ConstantRate spaces requests evenly: request n starts at n/perSecond.
// perSecond must be positive.
func ConstantRate(perSecond float64) Schedule {
	return func(n int64) time.Duration {
		return time.Duration(float64(n) / perSecond * float64(time.Second))
	}
}

// Plan is the load: what is sent, and when.
type Plan struct {
	// Schedule fixes every intended start. Required.
	Schedule Schedule
	// Duration ends the run before the first request that is meant to start
	// at or after it. 0 means until the context ends.
	Duration time.Duration
	// Requests are sent in turn, in proportion to their weights. Default: one
	// GET /.
	Requests []Request
	// Connections to each target, at most. A due request waits for a free
	// one, and its waiting counts. Default 64.
	Connections int
	// Timeout of a request, from its actual start. Default 5s.
	Timeout time.Duration
	// DisableKeepAlive opens a connection for each request.
	DisableKeepAlive bool
}

// Request is what is sent.
type Request struct {
	Method string // default GET
	Path   string // with query, from the slash on; default /
	Header http.Header
	Body   string
	Weight int // share among the plan's requests; default 1
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

// Validate reports, joined, all that is wrong with the plan.
func (p Plan) Validate() error {
	var errs []error
	if p.Schedule == nil {
		errs = append(errs, errors.New("plan has no schedule"))
	}
	if p.Duration < 0 || p.Timeout < 0 {
		errs = append(errs, fmt.Errorf("duration %v and timeout %v must not be negative", p.Duration, p.Timeout))
	}
	if p.Connections < 0 {
		errs = append(errs, fmt.Errorf("connections must not be negative, not %d", p.Connections))
	}
	for i, r := range p.Requests {
		if r.Path != "" && !strings.HasPrefix(r.Path, "/") {
			errs = append(errs, fmt.Errorf("requests[%d].path %q must start with /", i, r.Path))
		}
		if r.Weight < 0 {
			errs = append(errs, fmt.Errorf("requests[%d].weight must not be negative, not %d", i, r.Weight))
		}
		if err := r.Expect.validate(); err != nil {
			errs = append(errs, fmt.Errorf("requests[%d].expect: %w", i, err))
		}
		if _, err := http.NewRequest(r.Method, "http://host"+orDefault(r.Path, "/"), nil); err != nil {
			errs = append(errs, fmt.Errorf("requests[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
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

func (c cycle) at(n int64) *Request {
	k := n % c.total
	for i := range c.requests {
		if k < int64(c.requests[i].Weight) {
			return &c.requests[i]
		}
		k -= int64(c.requests[i].Weight)
	}
	panic("loadgen: weights do not sum to the total") // unreachable: k < total
}
