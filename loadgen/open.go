package loadgen

import (
	"context"
	"iter"
	"sync"
	"time"
)

// openLoop sends each request when it is due. One goroutine waits for that and
// wakes a worker up; a worker whose request was answered takes the next one
// itself where that is due already.
type openLoop struct {
	*run
	begin   time.Time
	alarm   alarm
	workers sync.WaitGroup
	resume  chan struct{} // holds a token when the workers have caught up

	mu      sync.Mutex // guards what follows
	next    func() (time.Duration, bool)
	due     job       // the next request
	ended   bool      // there is no next request
	behind  bool      // due is past, and no connection is free for it
	idle    []*worker // the one used last is the last
	started int       // workers
}

func (r *run) openLoop(ctx context.Context, begin time.Time) error {
	l := &openLoop{run: r, begin: begin, resume: make(chan struct{}, 1)}
	if r.target.Transport != nil {
		l.alarm = newTimerAlarm(ctx)
	} else {
		var err error
		if l.alarm, err = newAlarm(ctx); err != nil {
			return err
		}
	}
	defer l.alarm.close()
	next, stop := iter.Pull(iter.Seq[time.Duration](ticks(r.plan.Schedule.until(r.plan.Duration))))
	defer stop()
	l.next, l.due.n = next, -1
	l.advance()
	l.pace(ctx)
	l.workers.Wait()
	return nil
}

// pace starts requests when they are due, until there are no more or ctx ends.
func (l *openLoop) pace(ctx context.Context) {
	defer l.dismiss()
	for {
		due, behind, ended := l.startDue(ctx)
		switch {
		case ended:
			return
		case behind:
			select {
			case <-l.resume:
			case <-ctx.Done():
				return
			}
		case !l.alarm.wait(due):
			return
		}
	}
}

// startDue gives out the requests that are due, and says when the next one
// is, or that it is past and every connection busy.
func (l *openLoop) startDue(ctx context.Context) (due time.Time, behind, ended bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.ended && !l.due.intended.After(now) {
		if n := len(l.idle); n > 0 {
			w := l.idle[n-1]
			l.idle = l.idle[:n-1]
			w.wake <- l.due
		} else if l.started < l.plan.Connections {
			l.started++
			j := l.due
			l.workers.Go(func() { l.work(ctx, j) })
		} else {
			l.behind = true
			break
		}
		l.advance()
	}
	return l.due.intended, l.behind, l.ended
}

// advance goes on to the next request of the schedule. l.mu is held.
func (l *openLoop) advance() {
	at, ok := l.next()
	l.due.n++
	l.ended = !ok || (l.plan.MaxRequests > 0 && l.due.n >= l.plan.MaxRequests)
	l.due.intended = l.begin.Add(at)
}

// dismiss ends the workers that are idle, and the others when they will be.
func (l *openLoop) dismiss() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, w := range l.idle {
		close(w.wake)
	}
	l.idle = nil
}

// work is the life of a worker.
func (l *openLoop) work(ctx context.Context, j job) {
	w := l.newWorker(ctx)
	defer w.close()
	w.wake = make(chan job, 1)
	for ok := true; ok; {
		done := time.Now()
		if !j.ready.IsZero() && j.ready.Sub(j.intended) >= l.plan.Timeout {
			w.giveUp(j)
		} else {
			done = w.send(ctx, j)
		}
		if j, ok = l.take(w, done); !ok {
			j, ok = <-w.wake
		}
	}
}

// take returns the next request if it is due, and otherwise makes w idle, to
// be woken up or dismissed.
func (l *openLoop) take(w *worker, now time.Time) (j job, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended && !l.due.intended.After(now) {
		j = l.due
		if l.behind {
			j.ready = now
		}
		l.advance()
		return j, true
	}
	if l.behind {
		l.behind = false
		l.resume <- struct{}{} // empty: it was behind, so it has taken the last token
	}
	if l.ended {
		close(w.wake)
	} else {
		l.idle = append(l.idle, w)
	}
	return job{}, false
}
