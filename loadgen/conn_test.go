package loadgen

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// The deadline that counts is the one that was asked for last, although an
// earlier one is set below.
func TestDeadlinesMoveOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer func() { _ = far.Close() }()
		defer func() { _ = near.Close() }()
		c := &timedConn{Conn: near}
		begin := time.Now()
		c.until(begin.Add(5 * time.Second))
		c.until(begin.Add(9 * time.Second))
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(7 * time.Second) //nolint:forbidigo // bubble time
			_, _ = far.Write([]byte("x"))
		}()
		var b [1]byte
		if n, err := c.Read(b[:]); n != 1 || err != nil || time.Since(begin) != 7*time.Second {
			t.Errorf("read %d bytes after %v: %v; want one after 7s", n, time.Since(begin), err)
		}
		if _, err := c.Read(b[:]); !isTimeout(err) || time.Since(begin) != 9*time.Second {
			t.Errorf("the second read ended after %v with %v; want a timeout after 9s", time.Since(begin), err)
		}
		c.until(begin.Add(10 * time.Second))
		if n, err := c.Write([]byte("x")); n != 0 || !isTimeout(err) || time.Since(begin) != 10*time.Second {
			t.Errorf("wrote %d bytes after %v: %v; want a timeout after 10s", n, time.Since(begin), err)
		}
		c.until(time.Time{})
		go func() {
			time.Sleep(time.Hour) //nolint:forbidigo // bubble time
			_, _ = far.Write([]byte("x"))
		}()
		if n, err := c.Read(b[:]); n != 1 || err != nil {
			t.Errorf("without a deadline: %d bytes, %v", n, err)
		}
		<-done
	})
}
