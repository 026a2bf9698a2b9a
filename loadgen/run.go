package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/serin-dev/serin/measure"
)

// Target is where the load goes and where its results are recorded.
type Target struct {
	// URL has the protocol and the host: http, https, grpc or grpcs, and
	// host[:port]. What follows is ignored: paths are the requests'.
	URL string
	// Host is asked for in the Host header, and by TLS. Default: the URL's.
	Host string
	// ConnectTo is dialed instead of the URL's host: host:port, or unix: and
	// the path of a socket.
	ConnectTo string
	// Control is net.Dialer's: it may refuse an address just before a connection
	// to it. Nil for none. A Transport has its own, and proxies none.
	Control func(network, address string, c syscall.RawConn) error
	// Requests are sent instead of the plan's, where there are any.
	Requests []Request
	// Recorder takes the results. Required.
	Recorder *measure.Recorder
	// Each is called after each request, from any goroutine, where it is not
	// nil. It must not keep d.
	Each func(d *Detail)
	// Detour may send single requests otherwise, where it is not nil.
	Detour Detour
	// Transport sends the requests instead, and Go's timers keep the
	// schedule: for other protocols, and for tests in fake time. Redirects
	// are followed by it too. Default: by URL and plan.
	Transport http.RoundTripper
}

// Detail is all that is known of one request.
type Detail struct {
	measure.Result
	Phases
}

// Note returns what the Target's Transport noted of the request, by the
// function of that name; nil for nothing.
func (d *Detail) Note() any { return d.note }

// Run sends the plan's requests to every target, all on the same schedule,
// until the plan or ctx ends, and returns when every request it started has
// ended. The end of ctx is not an error; requests cut off by it are not
// recorded.
//
// A request that is due goes out on the connection that was used last. When
// all are busy there is another one, up to the plan's number; then the request
// waits for the first to be free. The schedule does not wait, so the lateness
// is in the response time. A request that has waited for as long as the
// plan's timeout is given up, with the outcome Timeout.
func Run(ctx context.Context, plan Plan, targets ...Target) error {
	if err := plan.Validate(); err != nil {
		return err
	}
	plan = plan.withDefaults()
	runs := make([]*run, 0, len(targets))
	defer func() {
		for _, r := range runs {
			r.close()
		}
	}()
	for _, target := range targets {
		r, err := newRun(&plan, target) //nolint:contextcheck // requests are written out here and sent later
		if err != nil {
			return fmt.Errorf("target %q: %w", target.URL, err)
		}
		runs = append(runs, r)
		if c, ok := r.client.(resolver); ok {
			if err := c.resolve(ctx); err != nil {
				return fmt.Errorf("target %q: %w", target.URL, err)
			}
		}
	}
	return start(ctx, runs)
}

// start drives all runs from the same moment on.
func start(ctx context.Context, runs []*run) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	errs := make([]error, len(runs))
	var wg sync.WaitGroup
	for i, r := range runs {
		wg.Go(func() {
			if r.plan.Closed {
				r.closedLoop(ctx, begin)
			} else if errs[i] = r.openLoop(ctx, begin); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// run is one target's share of Run.
type run struct {
	plan   *Plan
	target Target
	cycle  cycle
	client client
	// detours are nil where no request takes one.
	detours *detours
}

func (r *run) close() {
	r.client.close()
	if r.detours != nil {
		r.detours.client.close()
	}
}

func newRun(plan *Plan, target Target) (*run, error) {
	if target.Recorder == nil {
		return nil, errors.New("has no recorder")
	}
	if len(target.Requests) > 0 {
		own := *plan
		own.Requests = target.Requests
		if err := own.Validate(); err != nil {
			return nil, err
		}
		own = own.withDefaults()
		plan = &own
	}
	c, err := newClient(plan, target)
	if err != nil {
		return nil, err
	}
	r := &run{plan: plan, target: target, cycle: newCycle(plan.Requests), client: c}
	if target.Detour != nil {
		if r.detours, err = newDetours(plan, target); err != nil {
			c.close()
			return nil, err
		}
	}
	return r, nil
}

// worker sends requests one after the other.
type worker struct {
	run    *run
	sender sender
	writer *measure.Writer
	wake   chan job // holds one job, for an idle worker of an open loop
}

// job is one request to be sent.
type job struct {
	n        int64
	intended time.Time
	ready    time.Time // zero where there was a free connection
}

func (r *run) newWorker(ctx context.Context) *worker {
	return &worker{run: r, sender: r.client.sender(ctx), writer: r.target.Recorder.Writer()}
}

// exchange sends the n-th request, on a detour where it has one.
func (w *worker) exchange(ctx context.Context, n int64, p *Phases) reply {
	i := w.run.cycle.at(n)
	if w.run.detours != nil {
		if s := w.run.detours.sender(ctx, &w.run.plan.Requests[i]); s != nil {
			defer s.close()
			return s.send(i, p)
		}
	}
	return w.sender.send(i, p)
}

func (w *worker) close() {
	w.sender.close()
	w.writer.Close()
}

// send sends one request and records how it went. It returns when that was.
func (w *worker) send(ctx context.Context, j job) (done time.Time) {
	if w.run.target.Each != nil {
		return w.sendInDetail(ctx, j)
	}
	result := measure.Result{Intended: j.intended, Ready: j.ready, Sent: time.Now()}
	w.exchange(ctx, j.n, nil).finish(&result)
	if ctx.Err() == nil { // otherwise cut off: nobody knows how it would have gone
		w.writer.Record(result)
	}
	return result.Done
}

// sendInDetail is send for targets that want to know of each request. It is
// apart since it allocates.
func (w *worker) sendInDetail(ctx context.Context, j job) (done time.Time) {
	d := &Detail{Result: measure.Result{Intended: j.intended, Ready: j.ready, Sent: time.Now()}}
	w.exchange(ctx, j.n, &d.Phases).finish(&d.Result)
	if ctx.Err() == nil {
		w.writer.Record(d.Result)
		w.run.target.Each(d)
	}
	return d.Done
}

// giveUp records a request that has waited too long.
func (w *worker) giveUp(j job) {
	result := measure.Result{Intended: j.intended, Ready: j.ready, Done: j.ready, Outcome: measure.Timeout}
	w.writer.Record(result)
	if w.run.target.Each != nil {
		w.run.target.Each(&Detail{Result: result})
	}
}
