package loadgen

import (
	"context"
	"sync"
	"time"
)

// alarm wakes one goroutine up at given times, until the context that it was
// made with ends.
type alarm interface {
	// wait returns at t, never before. It reports false when the context
	// ended first.
	wait(t time.Time) bool
	close()
}

// timerAlarm is Go's timer. On Linux it is up to 1 ms late, since the runtime
// waits for it in whole milliseconds.
type timerAlarm struct {
	done  <-chan struct{}
	timer *time.Timer
}

func newTimerAlarm(ctx context.Context) *timerAlarm {
	timer := time.NewTimer(0)
	timer.Stop()
	return &timerAlarm{done: ctx.Done(), timer: timer}
}

func (a *timerAlarm) wait(t time.Time) bool {
	a.timer.Reset(time.Until(t))
	select {
	case <-a.done:
		return false
	case <-a.timer.C:
		return true
	}
}

func (a *timerAlarm) close() { a.timer.Stop() }

// onEnd calls f when ctx ends. The returned function takes that back, or waits
// until f has returned.
func onEnd(ctx context.Context, f func()) (release func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer wg.Done()
		f()
	})
	return func() {
		if stop() {
			wg.Done()
		}
		wg.Wait()
	}
}
