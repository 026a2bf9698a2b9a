package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// bodyBudget is how many bytes of bodies are read at once, for all clients
	// together, and answerBudget how many of large answers are held.
	bodyBudget   = 8 << 20
	answerBudget = 32 << 20
	// clientShare is the part of a budget that the requests of one address may
	// use: one in so many.
	clientShare = 4
	// patience is how long a request waits for its part, and maxWaiting how many
	// may wait.
	patience   = 5 * time.Second
	maxWaiting = 256
)

// budget bounds a sum over all requests, in bytes, and shares it among clients.
// newBudget makes one.
type budget struct {
	total int64

	mu      sync.Mutex // guards what follows
	held    int64
	by      map[string]int64 // of held, by client; only those that hold some
	waiting int
	freed   chan struct{} // closed when some was given back
}

func newBudget(total int64) *budget {
	return &budget{total: total, by: make(map[string]int64), freed: make(chan struct{})}
}

// take takes n bytes for a client, and returns what gives them back, which may be
// called more than once. It waits for as long as wait; its error is a *busyError,
// or the context's.
func (b *budget) take(ctx context.Context, client string, n int64, wait time.Duration) (giveBack func(), err error) {
	freed, ok := b.try(client, n)
	if ok {
		return b.giver(client, n), nil
	}
	if wait <= 0 || !b.queue() {
		return nil, &busyError{}
	}
	defer b.leave()
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		select {
		case <-freed:
		case <-over.C:
			return nil, &busyError{}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if freed, ok = b.try(client, n); ok {
			return b.giver(client, n), nil
		}
	}
}

// try takes n bytes if they are there, or returns what is closed when some may be.
func (b *budget) try(client string, n int64) (freed <-chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held+n > b.total || b.by[client]+n > b.total/clientShare {
		return b.freed, false
	}
	b.held += n
	b.by[client] += n
	return nil, true
}

func (b *budget) giver(client string, n int64) func() {
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.held -= n
		if b.by[client] -= n; b.by[client] == 0 {
			delete(b.by, client)
		}
		close(b.freed)
		b.freed = make(chan struct{})
	})
}

// queue reports whether one more may wait, who then has to leave.
func (b *budget) queue() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting >= maxWaiting {
		return false
	}
	b.waiting++
	return true
}

func (b *budget) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting--
}

// busyError says that a budget is used up.
type busyError struct{}

// Error returns the message.
func (*busyError) Error() string {
	return "too much is being sent or read here at once, by you or by all: try again in a few seconds"
}

// HTTPStatus is 503.
func (*busyError) HTTPStatus() int { return http.StatusServiceUnavailable }

// retryAfter is what a client is told to wait, in seconds.
const retryAfter = "5"

// clientOf is the address that a request came from, without its port.
func clientOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
