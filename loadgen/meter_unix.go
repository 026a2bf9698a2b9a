//go:build unix

package loadgen

import (
	"time"

	"golang.org/x/sys/unix"
)

// processTime is what this process has used of all processors, in user and in
// system mode.
func processTime() time.Duration {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
