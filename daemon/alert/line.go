package alert

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/daemon/egress"
)

const (
	// queueLength is how many messages wait for one provider at most.
	queueLength = 100
	// memory is how long a text is remembered, not to be sent again.
	memory = time.Minute
	// perSecond and burst are the pace of the tries to one provider.
	perSecond = 1
	burst     = 10

	// tries of one message, with doubling pauses in between.
	tries      = 5
	firstPause = time.Second
	// longestPause bounds what a provider may ask for with Retry-After.
	longestPause = time.Minute
	// patience is how long after Send a message is given up: news of a rollout
	// do not keep.
	patience = 5 * time.Minute
)

// job is a message and when it was sent.
type job struct {
	Message
	at time.Time
}

func (j *job) attributes(to destination) []any {
	return []any{"canary", j.Canary.String(), "provider", to.String(), "text", j.Text}
}

// said is what makes two messages the same.
type said struct {
	canary types.NamespacedName
	text   string
}

// line is the queue of one provider. Alerts.mu guards all but wake.
type line struct {
	to     destination
	wake   chan struct{} // holds one when there may be something new
	served bool          // by a goroutine
	jobs   []job
	recent map[said]time.Time // when it was queued
}

func newLine(to destination) *line {
	return &line{to: to, wake: make(chan struct{}, 1), recent: make(map[said]time.Time)}
}

// add queues a job, unless it repeats another, and returns the one that had to
// make room.
func (l *line) add(j job) (dropped *job) {
	maps.DeleteFunc(l.recent, func(_ said, at time.Time) bool { return j.at.Sub(at) >= memory })
	key := said{j.Canary, j.Text}
	if _, repeated := l.recent[key]; repeated {
		return nil
	}
	if len(l.jobs) == queueLength {
		dropped = new(l.jobs[0])
		delete(l.recent, said{dropped.Canary, dropped.Text}) // nobody was told
		l.jobs = l.jobs[1:]
	}
	l.recent[key] = j.at
	l.jobs = append(l.jobs, j)
	return dropped
}

// Run sends what is queued until ctx ends, and returns when all that it
// started has ended. It is called once.
func (a *Alerts) Run(ctx context.Context) error {
	defer a.http.CloseIdleConnections()
	defer a.global.CloseIdleConnections()
	defer a.logUnsent(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		for _, l := range a.unserved() {
			wg.Go(func() { a.serve(ctx, l) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.begun:
		}
	}
}

// unserved returns the lines that wait for a goroutine, and counts on it that
// they get one.
func (a *Alerts) unserved() []*line {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lines []*line
	for _, l := range a.lines {
		if !l.served {
			l.served = true
			lines = append(lines, l)
		}
	}
	return lines
}

// serve works a line off. It ends with ctx, and when the line has been empty
// for so long that there is nothing left to remember.
func (a *Alerts) serve(ctx context.Context, l *line) {
	limiter := rate.NewLimiter(perSecond, burst)
	for ctx.Err() == nil {
		if j, ok := a.next(l); ok {
			if err := a.deliver(ctx, limiter, l.to, &j); err != nil {
				a.config.Log.WarnContext(ctx, "alert not sent", append(j.attributes(l.to), "error", err)...)
				a.tellRefused(ctx, l.to, &j, err)
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-time.After(memory):
			if a.forget(l) {
				return
			}
		}
	}
}

// tellRefused has the Canary's people hear of an address that was refused: they
// have named it, and do not read the log.
func (a *Alerts) tellRefused(ctx context.Context, to destination, j *job, err error) {
	refusal, refused := errors.AsType[*egress.Refusal](err)
	if !refused || a.config.Refused == nil {
		return
	}
	a.config.Refused(ctx, j.Canary, fmt.Sprintf("Alert not sent to alert provider %s: %v", to, refusal))
}

func (a *Alerts) next(l *line) (j job, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(l.jobs) == 0 {
		return job{}, false
	}
	j, l.jobs = l.jobs[0], l.jobs[1:]
	return j, true
}

// forget removes a line, unless something was queued meanwhile.
func (a *Alerts) forget(l *line) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(l.jobs) > 0 {
		return false
	}
	delete(a.lines, l.to)
	return true
}

func (a *Alerts) logUnsent(ctx context.Context) {
	a.mu.Lock()
	unsent := 0
	for _, l := range a.lines {
		unsent += len(l.jobs)
	}
	a.mu.Unlock()
	if unsent > 0 {
		a.config.Log.WarnContext(ctx, "alerts end with unsent messages", "messages", unsent)
	}
}

// temporary is an error after which another try may succeed.
type temporary struct {
	error
	after time.Duration // at least; 0 when the provider did not say
}

func (t temporary) Unwrap() error { return t.error }

// deliver tries until the message is sent or there is no use in another try.
func (a *Alerts) deliver(ctx context.Context, limiter *rate.Limiter, to destination, j *job) error {
	deadline := j.at.Add(patience)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	var last error
	pause := firstPause
	for try := 1; ; try++ {
		if err := limiter.Wait(ctx); err != nil { // ctx ends, or would before the turn
			if last == nil {
				last = fmt.Errorf("its turn did not come: %w", err)
			}
			return givenUp(try-1, last)
		}
		last = a.try(ctx, to, j)
		again, ok := errors.AsType[temporary](last)
		if !ok {
			return last
		}
		wait := max(pause, min(again.after, longestPause))
		if try == tries || time.Until(deadline) < wait {
			return givenUp(try, last)
		}
		select {
		case <-ctx.Done():
			return givenUp(try, last)
		case <-time.After(wait):
		}
		pause *= 2
	}
}

func givenUp(tried int, last error) error {
	return fmt.Errorf("given up after %d tries: %w", tried, last)
}
