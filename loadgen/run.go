package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/serin-dev/serin/measure"
)

// Target is where the load goes and where its results are recorded.
type Target struct {
	// URL has the scheme and the address to connect to: http://127.0.0.1:8080.
	URL string
	// Host is asked for in the Host header. Default: the URL's.
	Host string
	// Recorder takes the results. Required.
	Recorder *measure.Recorder
	// Transport sends the requests. Default: HTTP/1.1 with the plan's number
	// of connections, closed when the run ends.
	Transport http.RoundTripper
}

// Run sends the plan's requests to every target, all on the same schedule,
// until the plan's duration is over or ctx ends, and returns when every
// request it started has ended. The end of ctx is not an error; requests cut
// off by it are not recorded.
//
// Each target has as many workers as the plan has connections. A worker takes
// the next number from its target's counter, waits for that request's intended
// start and sends it. When all are busy the counter stands still and the
// schedule does not, so the next worker to come back is late, and the lateness
// is in the response time.
func Run(ctx context.Context, plan Plan, targets ...Target) error {
	if err := plan.Validate(); err != nil {
		return err
	}
	plan = plan.withDefaults()
	runs := make([]*run, len(targets))
	for i, target := range targets {
		r, err := newRun(plan, target)
		if err != nil {
			return err
		}
		runs[i] = r
	}
	start := time.Now()
	var wg sync.WaitGroup
	for _, r := range runs {
		for range plan.Connections {
			wg.Go(func() { r.work(ctx, start) })
		}
	}
	wg.Wait()
	for _, r := range runs {
		r.client.close()
	}
	return nil
}

// run is one target's share of Run.
type run struct {
	plan     Plan
	cycle    cycle
	client   *client
	recorder *measure.Recorder
	next     atomic.Int64
}

func newRun(plan Plan, target Target) (*run, error) {
	base, err := url.Parse(target.URL)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	if base.Scheme != "http" || base.Host == "" {
		return nil, fmt.Errorf("target %q must be http://host[:port]", target.URL)
	}
	if target.Recorder == nil {
		return nil, errors.New("target has no recorder")
	}
	return &run{
		plan:     plan,
		cycle:    newCycle(plan.Requests),
		client:   newClient(plan, base, target),
		recorder: target.Recorder,
	}, nil
}

func (r *run) work(ctx context.Context, start time.Time) {
	writer := r.recorder.Writer()
	defer writer.Close()
	for {
		n := r.next.Add(1) - 1
		at := r.plan.Schedule(n)
		if r.plan.Duration > 0 && at >= r.plan.Duration {
			return
		}
		intended := start.Add(at)
		if !waitUntil(ctx, intended) {
			return
		}
		result := measure.Result{Intended: intended, Sent: time.Now()}
		result.Outcome, result.OK = r.client.send(ctx, r.cycle.at(n))
		result.Done = time.Now()
		if ctx.Err() != nil {
			return
		}
		writer.Record(result)
	}
}

// waitUntil reports false when ctx ended first.
func waitUntil(ctx context.Context, t time.Time) bool {
	if ctx.Err() != nil {
		return false
	}
	d := time.Until(t)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
