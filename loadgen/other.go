//go:build !linux

package loadgen

import (
	"context"
	"net"
)

// Elsewhere than on Linux, requests are up to as late as Go's timers are, and
// cost what Go's connections do.

func newAlarm(ctx context.Context) (alarm, error) { return newTimerAlarm(ctx), nil }

func rawIO(c net.Conn) net.Conn { return c }
