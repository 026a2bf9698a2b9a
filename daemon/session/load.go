package session

import (
	"fmt"
	"net/http"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/loadgen"
)

// Load is the traffic of a session, as plain data.
type Load struct {
	Rate             float64 // requests a second to each revision
	Requests         []loadgen.Request
	Timeout          time.Duration
	Connections      int // to each revision, at most
	Warmup           time.Duration
	DisableKeepAlive bool
}

// String says what is sent.
func (l Load) String() string {
	what := fmt.Sprintf("%s %s", l.Requests[0].Method, l.Requests[0].Path)
	if more := len(l.Requests) - 1; more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s at %g requests/s to each revision", what, l.Rate)
}

func (l Load) plan() loadgen.Plan {
	return loadgen.Plan{
		Schedule:         loadgen.ConstantRate(l.Rate),
		Requests:         l.Requests,
		Connections:      l.Connections,
		Timeout:          l.Timeout,
		DisableKeepAlive: l.DisableKeepAlive,
	}
}

// LoadFor returns the load that a Canary asks for: spec.analysis.load where it
// has that, else the hey command of its first webhook that has one, else GET /
// at 10 requests a second. A hey command without -q, which would go as fast as
// it can, is sent at that rate too.
func LoadFor(canary *v1beta1.Canary) (Load, error) {
	a := &canary.Spec.Analysis
	load := Load{
		Rate:        v1beta1.DefaultRate,
		Requests:    []loadgen.Request{{Method: http.MethodGet, Path: "/"}},
		Timeout:     v1beta1.DefaultRequestTimeout,
		Connections: v1beta1.DefaultConnections,
		Warmup:      v1beta1.DefaultWarmup,
	}
	var err error
	if a.Load != nil {
		err = load.take(a.Load)
	} else if command := heyCommand(a.Webhooks); command != "" {
		err = load.takeHey(command)
	}
	if err == nil {
		err = load.plan().Validate()
	}
	if err != nil {
		return Load{}, fmt.Errorf("spec.analysis: %w", err)
	}
	return load, nil
}

// heyCommand finds the load test among the rollout hooks.
func heyCommand(hooks []v1beta1.Webhook) string {
	for i := range hooks {
		if command := hooks[i].HeyCommand(); command != "" {
			return command
		}
	}
	return ""
}

func (l *Load) take(from *v1beta1.Load) error {
	if from.Rate > 0 {
		l.Rate = float64(from.Rate)
	}
	if from.Connections > 0 {
		l.Connections = int(from.Connections)
	}
	l.Timeout = from.Timeout.OrDefault(l.Timeout)
	l.Warmup = from.Warmup.OrDefault(l.Warmup)
	if len(from.Requests) == 0 {
		return nil
	}
	l.Requests = make([]loadgen.Request, len(from.Requests))
	for i, r := range from.Requests {
		header := make(http.Header, len(r.Headers))
		for name, value := range r.Headers {
			header.Set(name, value)
		}
		l.Requests[i] = loadgen.Request{Method: r.Method, Path: r.Path, Header: header, Body: []byte(r.Body), Weight: int(r.Weight)}
		if r.Method == "" {
			l.Requests[i].Method = http.MethodGet
		}
		if r.Path == "" {
			l.Requests[i].Path = "/"
		}
		var err error
		if l.Requests[i].Expect, err = expectation(r.Expect); err != nil {
			return fmt.Errorf("load.requests[%d].expect: %w", i, err)
		}
	}
	return nil
}

func expectation(from *v1beta1.Expect) (loadgen.Expectation, error) {
	if from == nil {
		return loadgen.Expectation{}, nil
	}
	e := loadgen.Expectation{Header: from.Headers, BodyContains: from.BodyContains}
	for _, text := range from.Status {
		r, err := loadgen.ParseStatusRange(string(text))
		if err != nil {
			return loadgen.Expectation{}, err
		}
		e.Status = append(e.Status, r)
	}
	return e, nil
}

func (l *Load) takeHey(command string) error {
	hey, err := loadgen.ParseHey(command)
	if err != nil {
		return err
	}
	if hey.Rate > 0 {
		l.Rate = hey.Rate
	}
	if hey.Timeout > 0 {
		l.Timeout = hey.Timeout
	}
	l.Requests = []loadgen.Request{hey.Request}
	l.DisableKeepAlive = hey.DisableKeepAlive
	return nil
}
