package controller

import (
	"sync"
	"time"
)

// jumpTolerance is how far the wall clock may move against the monotonic one
// between two decisions. Clocks are slewed by less.
const jumpTolerance = 5 * time.Second

// clock tells the time of decisions, and since when it can be trusted: times in a
// status are the wall clock's, which may be set, and stands still for nobody while
// the machine sleeps. The zero value is ready for use.
type clock struct {
	mu       sync.Mutex // guards what follows
	up, last time.Time
}

// now returns the time, and since when no jump of the clock was seen.
func (c *clock) now() (now, up time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = time.Now()
	if c.last.IsZero() || jumped(now.Round(0).Sub(c.last.Round(0)), now.Sub(c.last)) {
		c.up = now
	}
	c.last = now
	return now, c.up
}

// jumped reports whether the wall clock was set, given how far both clocks moved.
func jumped(wall, monotonic time.Duration) bool { return (wall - monotonic).Abs() > jumpTolerance }
