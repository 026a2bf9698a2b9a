package controller

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// copy is a world as it is, to be continued with resume as often as one likes.
func (w *world) copy() *world {
	c := *w
	c.copied = time.Now()
	c.api = &apiServer{objects: maps.Clone(w.api.objects), uids: w.api.uids, dropped: w.api.dropped}
	c.listeners = &listeners{events: slices.Clone(w.events), alerts: w.alerts, metrics: slices.Clone(w.metrics)}
	c.cache = &cache{}
	*c.cache = *w.cache
	c.cache.objects = maps.Clone(w.cache.objects)
	c.queue, c.due = maps.Clone(w.queue), maps.Clone(w.due)
	c.sessions = w.sessions.copy()
	if w.daemon != nil {
		c.daemon = new(Reconciler)
		c.daemon.remember(w.daemon)
	}
	return &c
}

// remember takes over what another daemon has in its memory.
func (r *Reconciler) remember(from *Reconciler) {
	r.clock.up, r.clock.last = from.clock.up, from.clock.last
	r.pace.last = maps.Clone(from.pace.last)
	r.rivals.seen, r.pruned.set = maps.Clone(from.rivals.seen), maps.Clone(from.pruned.set)
}

// resume continues a copy, in a bubble of its own, whose time is made the copy's.
func (w *world) resume(t *testing.T) *world {
	pass(time.Until(w.copied))
	c := w.copy()
	c.T = t
	c.api = newAPIServer(slices.Collect(maps.Values(w.api.objects))...)
	c.api.uids, c.api.dropped, c.api.onWrite = w.api.uids, w.api.dropped, c.written
	if w.daemon != nil {
		c.daemon = c.newDaemon()
		c.daemon.remember(w.daemon)
	}
	return c
}
