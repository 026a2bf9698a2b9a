package load

import "runtime"

// governor decides how many processors the process uses: as few as will do.
// Go keeps idle processors busy looking for work among each other; with one
// there is nothing to look for, which costs a third less at 10,000 requests a
// second, and a fifth as fast as it goes.
type governor struct {
	open       bool
	procs, max int
	before     float64 // requests a second with half of procs; 0 where that was not tried
	settled    bool    // more do not help
}

// newGovernor starts with what a rate, of all targets together, is sure to
// need. 0 is for a closed loop, which takes what it gets.
func newGovernor(rate float64, available int) *governor {
	return &governor{open: rate > 0, procs: min(1+int(rate/perProcessor), available), max: available}
}

const (
	// perProcessor is how many requests a second one processor can surely
	// send; it is several times as many where requests are simple.
	perProcessor = 20_000
	// busy is the part of the processors that a process may use before it
	// gets more of them.
	busy = 0.7
	// better is how many times as many requests twice the processors must
	// make to be worth it.
	better = 1.1
)

// next is the number of processors for the next interval, from the requests a
// second and the cores used in the last one.
func (g *governor) next(perSecond, cores float64) int {
	full := cores > busy*float64(g.procs)
	switch {
	case g.open:
		if full {
			g.procs = min(2*g.procs, g.max)
		}
	case g.settled:
	case g.before > 0 && perSecond < better*g.before:
		g.procs, g.settled = max(g.procs/2, 1), true
	case full && g.procs < g.max:
		g.before = perSecond
		g.procs = min(2*g.procs, g.max)
	}
	return g.procs
}

// useProcessors sets how many processors the process uses, and returns what
// undoes that.
func useProcessors(n int) (undo func()) {
	before := runtime.GOMAXPROCS(n)
	return func() { runtime.GOMAXPROCS(before) }
}
