package load

import (
	"context"
	"runtime"
	"time"

	"github.com/serin-dev/serin/loadgen"
)

// govern gives the process one processor as long as that is enough, and more
// when it is not, until ctx ends. Go keeps processors busy looking for work
// among each other; with one there is nothing to look for, which costs an open
// loop up to a third less at 10,000 requests a second.
func govern(ctx context.Context) {
	cpus := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(cpus)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for procs := 1; procs < cpus; {
		meter := loadgen.NewMeter()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if meter.Cores() > busy*float64(procs) {
			procs = min(2*procs, cpus)
			runtime.GOMAXPROCS(procs)
		}
	}
	<-ctx.Done()
}

// busy is the part of its processors that a process may use before it gets
// more of them.
const busy = 0.7
