package measure

import (
	"fmt"
	"time"
)

// Result is one request. It holds instants; the latencies are computed from
// them and so cannot disagree.
type Result struct {
	// Intended is the start that the schedule asked for.
	Intended time.Time
	// Ready is when a connection was free for the request, where it had to
	// wait for one. Zero, or before Intended: it did not have to.
	Ready time.Time
	// Sent is the actual start. Zero for a request that was given up before
	// it was sent.
	Sent time.Time
	// Done is when the last byte of the response was read, or the request
	// was given up.
	Done time.Time

	Outcome Outcome
	// OK says that the outcome was as expected; the sender decides. See
	// Outcome.Failed for what counts where nothing else is expected.
	OK bool
	// Redirects is the number of redirects followed; all of them are within
	// Sent and Done.
	Redirects int
}

// ResponseTime counts from the intended start: what a user would have waited
// who arrived on schedule. It is the sum of Wait, Lag and ServiceTime.
func (r *Result) ResponseTime() time.Duration { return r.Done.Sub(r.Intended) }

// ServiceTime counts from the actual start: what the server took. It is 0 for
// a request that was not sent.
func (r *Result) ServiceTime() time.Duration {
	if r.Sent.IsZero() {
		return 0
	}
	return r.Done.Sub(r.Sent)
}

// Wait is how long the request waited for a free connection. The target has
// them all, so this is the target's doing.
func (r *Result) Wait() time.Duration {
	if r.Ready.IsZero() {
		return 0
	}
	return max(r.Ready.Sub(r.Intended), 0)
}

// Lag is how late the generator itself sent the request, which it could have
// sent when it was intended and a connection was free. It is 0 for a request
// that was not sent.
func (r *Result) Lag() time.Duration {
	if r.Sent.IsZero() {
		return 0
	}
	if r.Ready.After(r.Intended) {
		return r.Sent.Sub(r.Ready)
	}
	return r.Sent.Sub(r.Intended)
}

// Outcome is an HTTP status code (100 to 599) or the kind of error that kept
// the response from arriving whole. The zero value is an error of no known
// kind.
type Outcome int

// The kinds of transport error.
const (
	// Unknown is an error that none of the other kinds describes.
	Unknown Outcome = -iota
	// DNS: the name did not resolve.
	DNS
	// Connect: no connection could be made.
	Connect
	// TLS: the handshake failed.
	TLS
	// Timeout: the response did not arrive whole in time.
	Timeout
	// Reset: the connection broke before the response began.
	Reset
	// Truncated: the connection broke within the response.
	Truncated
	// Protocol: the answer was not HTTP.
	Protocol

	lastKind = Protocol
)

var kindNames = [...]string{"unknown", "dns", "connect", "tls", "timeout", "reset", "truncated", "protocol"}

// Status is the outcome of a response with that status code.
func Status(code int) Outcome { return Outcome(code) }

// Code returns the status code, or 0 for a transport error.
func (o Outcome) Code() int { return max(int(o), 0) }

// Failed reports whether the outcome is a failure where nothing else is
// expected: a 5xx status or a transport error.
func (o Outcome) Failed() bool { return o <= 0 || o >= 500 }

// String returns the status code in digits, or the kind of error.
func (o Outcome) String() string {
	if o > 0 {
		return fmt.Sprintf("%d", int(o))
	}
	if o < lastKind {
		return kindNames[0]
	}
	return kindNames[-o]
}
