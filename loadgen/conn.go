package loadgen

import (
	"net"
	"time"
)

// timedConn is a connection whose deadline costs nothing to move: the one that
// is set in the runtime may be an earlier one, and is moved on when it comes
// too early. With a deadline for each request that is once in as long as a
// request may take. Only one goroutine uses it; Close is for all.
type timedConn struct {
	net.Conn
	deadline time.Time // zero for none
	set      time.Time // in the runtime
}

// until sets the deadline of reads and writes; zero for none.
func (c *timedConn) until(deadline time.Time) {
	c.deadline = deadline
	if c.set.IsZero() || deadline.Before(c.set) {
		c.move()
	}
}

func (c *timedConn) move() {
	c.set = c.deadline
	_ = c.SetDeadline(c.set) // fails on a closed connection, as what follows will
}

// early reports whether err is a deadline that came too early, and moves it.
func (c *timedConn) early(err error) bool {
	if err == nil || !isTimeout(err) || (!c.deadline.IsZero() && !time.Now().Before(c.deadline)) {
		return false
	}
	c.move()
	return true
}

func (c *timedConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !c.early(err) {
			return n, err
		}
	}
}

func (c *timedConn) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := c.Conn.Write(p[written:])
		written += n
		if !c.early(err) {
			return written, err
		}
	}
}
