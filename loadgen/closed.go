package loadgen

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// closedLoop is as many workers as there are connections, each sending its
// next request when the last one was answered.
func (r *run) closedLoop(ctx context.Context, begin time.Time) {
	turns := ctx
	if r.plan.Duration > 0 {
		var cancel context.CancelFunc
		turns, cancel = context.WithDeadline(ctx, begin.Add(r.plan.Duration))
		defer cancel()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range r.plan.Connections {
		wg.Go(func() {
			w := r.newWorker(ctx)
			defer w.close()
			throttle, stop := r.throttle()
			defer stop()
			for turns.Err() == nil && throttle(turns) {
				n := next.Add(1) - 1
				now := time.Now()
				if (r.plan.Duration > 0 && now.Sub(begin) >= r.plan.Duration) || (r.plan.MaxRequests > 0 && n >= r.plan.MaxRequests) {
					return
				}
				w.send(ctx, job{n: n, intended: now})
			}
		})
	}
	wg.Wait()
}

// throttle returns what makes a worker wait for its next turn. Like hey, the
// first turn is one period after the start and turns that nobody waited for
// are lost.
func (r *run) throttle() (wait func(context.Context) bool, stop func()) {
	if r.plan.WorkerRate == 0 {
		return func(context.Context) bool { return true }, func() {}
	}
	ticker := time.NewTicker(max(offset(1/r.plan.WorkerRate), 1))
	return func(ctx context.Context) bool {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
			return true
		}
	}, ticker.Stop
}
