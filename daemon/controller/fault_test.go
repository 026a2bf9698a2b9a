package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// crash says whether the daemon dies at a write, and when.
type crash int

const (
	survives crash = iota
	diesBefore
	diesAfter
)

// view is what the daemon that goes on sees of the world.
type view int

const (
	fresh view = iota
	// stale: its caches have everything as it was before the write, for a while.
	stale
	// staleCanaries and staleServices: just one of the caches does.
	staleCanaries
	staleServices
	// deaf: nobody tells it of the write; after a crash, of anything that is there.
	deaf
)

var crashes = []crash{survives, diesBefore, diesAfter}
var views = []view{fresh, stale, staleCanaries, staleServices, deaf}

// writer says whose writes are counted.
type writer int

const (
	serin writer = iota
	others
)

// fault is what goes wrong at one write: of Serin's to a Canary, its status or a
// Service; or of somebody else's to anything.
type fault struct {
	write int // from 1; 0 for none
	by    writer
	crash crash // at Serin's writes only
	view  view
	// away says that the Canary is deleted while no daemon runs.
	away   bool
	struck bool // it has happened
}

func (f fault) String() string {
	return fmt.Sprintf("write %d of %s, %s, %s", f.write, []string{"serin", "others"}[f.by],
		[]string{"no crash", "crash before", "crash after"}[f.crash],
		[]string{"fresh", "stale", "stale canaries", "stale services", "deaf"}[f.view])
}

// lag is how many reconciles an old cache lasts.
const lag = 4

// strike reports whether the fault is at this write, and ages the caches if so.
func (w *world) strike(by writer, n int) bool {
	if w.fault.by != by || w.fault.write != n || w.fault.struck {
		return false
	}
	w.fault.struck = true
	w.cache.canaries = w.fault.view == stale || w.fault.view == staleCanaries
	w.cache.services = w.fault.view == stale || w.fault.view == staleServices
	if w.cache.canaries || w.cache.services {
		w.cache.lag = lag
	}
	return true
}

// write makes one of Serin's writes, or not.
func (w *world) write(do func() error) error {
	w.writes++
	struck := w.strike(serin, w.writes)
	if struck && w.fault.crash == diesBefore {
		panic(diesBefore)
	}
	w.writing, w.deaf = true, struck && w.fault.view == deaf
	err := do()
	w.writing, w.deaf = false, false
	if struck && w.fault.crash == diesAfter {
		panic(diesAfter)
	}
	return err
}

func (w *world) patch(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
	w.checkLock(o, patch)
	return w.write(func() error { return c.Patch(ctx, o, patch, options...) })
}

func (w *world) updateStatus(ctx context.Context, c client.Client, subresource string, o client.Object, options ...client.SubResourceUpdateOption) error {
	if dryRun(options) {
		return c.SubResource(subresource).Update(ctx, o, options...)
	}
	return w.write(func() error { return c.SubResource(subresource).Update(ctx, o, options...) })
}

// bury ends a daemon with all it had in its memory. The next one has the caches that
// the fault gives it.
func (w *world) bury() {
	cache := w.cache
	w.forget()
	if cache.lag > 0 {
		w.cache = cache
	}
	if w.fault.away && w.canary() != nil {
		w.deleteCanary()
	}
}

// thaw brings the caches up to date, which tells the daemon of what has changed.
func (w *world) thaw() {
	w.cache.lag, w.cache.canaries, w.cache.services = 0, false, false
	names := maps.Clone(w.cache.objects)
	maps.Copy(names, w.api.objects)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is := w.cache.objects[name], w.api.objects[name]
		if was == nil || is == nil || was.GetResourceVersion() != is.GetResourceVersion() || was.GetUID() != is.GetUID() {
			w.cache.take(was, is)
			w.tell(was, is)
		}
	}
}
