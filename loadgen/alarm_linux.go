package loadgen

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fdAlarm is a timerfd. The runtime's poller waits for it as it does for a
// socket, which is tens of microseconds exact and takes no thread.
type fdAlarm struct {
	file    *os.File
	raw     syscall.RawConn
	release func()

	arm   func(fd uintptr) (fired bool) // what raw.Read calls, made once
	spec  unix.ItimerSpec
	armed bool

	early time.Duration // how much before its time the timer is set
}

// Waking up takes a processor about as long each time, up to 100 µs where it
// has to leave a sleep state or a virtual machine. So the timer is set so much
// earlier that one time in five there is some time left, for which the
// goroutine spins: each way, early moves by a step, four times as far down as
// up.
const (
	earlyStep = time.Microsecond
	maxEarly  = 100 * time.Microsecond
)

func newAlarm(ctx context.Context) (alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timer: %w", err)
	}
	a := &fdAlarm{file: os.NewFile(uintptr(fd), "timerfd")}
	if a.raw, err = a.file.SyscallConn(); err != nil {
		_ = a.file.Close()
		return nil, fmt.Errorf("timer: %w", err)
	}
	a.release = onEnd(ctx, func() { _ = a.file.SetReadDeadline(time.Unix(1, 0)) })
	// Setting the timer also takes back what the poller has not seen yet, so
	// there is no need to read how often it has expired. It does not block,
	// so the scheduler is not told: see rawConn.
	a.arm = func(fd uintptr) (fired bool) {
		fired, a.armed = a.armed, true
		if !fired {
			_, _, errno := syscall.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&a.spec)), 0, 0, 0)
			fired = errno != 0
		}
		return fired
	}
	return a, nil
}

func (a *fdAlarm) wait(t time.Time) bool {
	slept := false
	for d := time.Until(t); d > a.early; d = time.Until(t) {
		a.spec.Value, a.armed, slept = unix.NsecToTimespec(int64(d-a.early)), false, true
		if a.raw.Read(a.arm) != nil {
			return false // the context has ended
		}
	}
	early := false
	for time.Until(t) > 0 {
		early = true
	}
	switch {
	case early:
		a.early = max(a.early-4*earlyStep, 0)
	case slept:
		a.early = min(a.early+earlyStep, maxEarly)
	}
	return true
}

func (a *fdAlarm) close() {
	a.release()
	_ = a.file.Close()
}
