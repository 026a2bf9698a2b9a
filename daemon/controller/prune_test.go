package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// serins are the fields of a status that Flagger's definition does not have.
var serins = []string{"analysis", "commands", "retired", "failed", "traffic", "keptShares", "serviceUID", "daemon"}

// count says how many events have a part.
func (w *world) count(part string) (n int) {
	for _, e := range w.events {
		if strings.Contains(e.message, part) {
			n++
		}
	}
	return n
}

// replaceDefinition replaces the definition of Canaries in mid-rollout by one that
// drops fields, and waits until that is noticed.
func (w *world) replaceDefinition(dropped ...string) {
	w.Helper()
	w.run(shows(rev2, 20))
	w.api.dropped = dropped
	w.run(func(w *world) bool { return w.daemon.pruned.has(podinfo) })
}

// A definition of Canaries without Serin's fields stops a rollout where it is, says so
// once, and writes nothing any more.
func TestDefinitionThatDropsTheStatusHaltsTheRollout(t *testing.T) {
	inWorld(t, func(w *world) {
		initialized(w, always(analysis.Pass))
		w.push("podinfo:2")
		w.replaceDefinition(serins...)
		if len(w.sessions.running) != 0 {
			t.Error("the load goes on")
		}
		const drops = "the installed definition of canaries.flagger.app drops status.analysis, status.traffic, status.serviceUID, status.daemon, " +
			"without which no rollout can go on: kubectl apply --server-side --force-conflicts -f chart/crds"
		if c := w.canary().Status.Condition(v1beta1.ConditionPromoted); c == nil || c.Message != drops {
			t.Errorf("the condition is %+v, want %q", c, drops)
		}
		if n := w.count(drops); n != 1 || w.alerts == 0 {
			t.Errorf("%d events, want 1:\n%s", n, w.story())
		}
		before, spec := w.writes, block(w.service().Spec.Traffic)
		w.turns = 0
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
			w.run(func(*world) bool { return true })
			w.wait()
		}
		if w.writes != before || w.count("drops") != 1 {
			t.Errorf("%d more writes and %d events after ten minutes", w.writes-before, w.count("drops"))
		}
		if got := block(w.service().Spec.Traffic); got != spec {
			t.Errorf("the Service was %s, and is %s", spec, got)
		}
	})
}

// Once the right definition is back, the rollouts go on by themselves, and a pushed
// revision is still not promoted without being analysed.
func TestRolloutsGoOnWithTheRightDefinition(t *testing.T) {
	inWorld(t, func(w *world) {
		initialized(w, always(analysis.Pass))
		w.push("podinfo:2")
		w.replaceDefinition(serins...)
		w.api.dropped = nil
		put := time.Now()
		w.run(func(w *world) bool { return !w.daemon.pruned.has(podinfo) })
		if took := time.Since(put); took > probeEvery {
			t.Errorf("the right definition was noticed after %s, want %s at most", took, probeEvery)
		}
		w.run(phase(v1beta1.PhaseSucceeded))
		if got := w.canary().Status.LastPromotedSpec; got != rev2 {
			t.Errorf("%s is promoted, want %s\n%s", got, rev2, w.story())
		}
		if w.count("drops") != 1 {
			t.Errorf("the definition is complained about %d times", w.count("drops"))
		}
	})
}

// A definition of an earlier version lacks one field only, which is enough: without it
// no check would ever pass.
func TestOneDroppedFieldIsEnough(t *testing.T) {
	inWorld(t, func(w *world) {
		initialized(w, always(analysis.Pass))
		w.push("podinfo:2")
		w.replaceDefinition("serviceUID")
		if w.count("drops status.serviceUID, without") != 1 {
			t.Errorf("no event names the field:\n%s", w.story())
		}
	})
}

// A daemon that starts where the definition is wrong complains once as well.
func TestNextDaemonComplainsOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		initialized(w, always(analysis.Pass))
		w.push("podinfo:2")
		w.replaceDefinition(serins...)
		w.forget()
		w.turns = 0
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
			w.run(func(*world) bool { return true })
			w.wait()
		}
		if n := w.count("drops"); n > 2 {
			t.Errorf("two daemons complain %d times:\n%s", n, w.story())
		}
	})
}
