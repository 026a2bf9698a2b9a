package controller

import (
	"maps"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/knative"
)

const (
	rev1 = "podinfo-00001"
	rev2 = "podinfo-00002"
)

// story is a piece of a Service's life.
type story struct {
	name  string
	begin func(*world) // up to where faults count
	plan  []deed
	end   func(*world) bool
	// away says that the Canary is deleted while the daemon is dead, at whichever
	// point that is.
	away, reverts bool
	// least is how many writes of Serin's the story has at least.
	least int
}

func stories() []story {
	push := deed{phase(v1beta1.PhaseInitialized), func(w *world) { w.push("podinfo:2") }}
	remove := deed{shows(rev2, 20), (*world).deleteCanary}
	return []story{
		{
			name: "adoption", least: 8,
			begin: func(w *world) { dividedByHand(w, nil, false) },
			end:   measuring,
		},
		{
			name: "promotion", least: 18,
			begin: func(w *world) { initialized(w, always(analysis.Pass)) },
			plan:  []deed{push},
			end:   phase(v1beta1.PhaseSucceeded),
		},
		{
			name: "rollback", least: 14,
			begin: func(w *world) { initialized(w, badUnderLoad) },
			plan:  []deed{push},
			end:   phase(v1beta1.PhaseFailed),
		},
		{
			name: "deletion with revertOnDeletion", least: 12,
			begin: func(w *world) { dividedByHand(w, always(analysis.Pass), true) },
			plan:  []deed{remove},
			end:   gone,
		},
		{
			name: "deletion without", least: 12,
			begin: func(w *world) { dividedByHand(w, always(analysis.Pass), false) },
			plan:  []deed{remove},
			end:   gone,
		},
		{
			name: "deletion with revertOnDeletion while nobody is there", least: 18, away: true, reverts: true,
			begin: func(w *world) { dividedByHand(w, always(analysis.Pass), true) },
			end:   phase(v1beta1.PhaseSucceeded),
		},
		{
			name: "deletion without while nobody is there", least: 18, away: true,
			begin: func(w *world) { dividedByHand(w, always(analysis.Pass), false) },
			end:   phase(v1beta1.PhaseSucceeded),
		},
	}
}

func always(r analysis.Result) func(*world, string) analysis.Result {
	return func(*world, string) analysis.Result { return r }
}

// badUnderLoad is a second revision that is bad once it has users.
func badUnderLoad(w *world, revision string) analysis.Result {
	if revision == rev2 && shares(w.service().Status.Traffic)[rev2] > 0 {
		return analysis.Fail
	}
	return analysis.Pass
}

// dividedByHand is a Service with a 90/10 division and a tag, and its Canary.
func dividedByHand(w *world, judge func(*world, string) analysis.Result, revert bool) {
	w.judge = judge
	w.deploy("podinfo:1")
	w.deploy("podinfo:2")
	w.initial = []servingv1.TrafficTarget{share(rev1, "", 90), share(rev2, "", 10), share(rev1, "debug", 0)}
	w.divide(w.initial...)
	w.first, w.given = rev1, map[string]int64{rev1: 90, rev2: 10}
	canary := newCanary()
	canary.Spec.RevertOnDeletion = revert
	w.create(canary)
}

// initialized is a Service with one revision, which is pinned.
func initialized(w *world, judge func(*world, string) analysis.Result) {
	w.judge = judge
	w.deploy("podinfo:1")
	w.first = rev1
	w.create(newCanary())
	w.run(phase(v1beta1.PhaseInitialized))
}

func phase(p v1beta1.Phase) func(*world) bool {
	return func(w *world) bool { return w.canary() != nil && w.canary().Status.Phase == p }
}

// shows: the Route shows a revision's share.
func shows(revision string, percent int64) func(*world) bool {
	return func(w *world) bool { return shares(w.service().Status.Traffic)[revision] == percent }
}

// measuring: the first check runs, and the Route shows that nobody is exposed.
func measuring(w *world) bool {
	c := w.canary()
	return c != nil && c.Status.Analysis != nil && c.Status.Analysis.Stage == v1beta1.StageMeasuring &&
		w.sessions.running[podinfo] != nil && shows(rev1, 100)(w)
}

// gone: the Canary is, and nothing of it is left.
func gone(w *world) bool { return w.canary() == nil && knative.Noted(w.service()) == nil }

func (w *world) deleteCanary() {
	if err := w.api.Delete(w.Context(), w.canary()); err != nil {
		w.Fatal(err)
	}
}

// checkLeft: a Service whose Canary was deleted at any point has the traffic that was
// found, or its users are with the primary revision or where they were.
func (s story) checkLeft(w *world) {
	got := w.outcome()
	if !got.RouteFollows || len(got.Annotations) > 0 || got.Measured {
		w.Errorf("something is left: %+v", got)
	}
	live := shares(w.service().Status.Traffic)
	found := got.Spec == block(w.initial)
	alone := maps.Equal(live, map[string]int64{rev1: 100}) || maps.Equal(live, map[string]int64{rev1: 90, rev2: 10})
	promoted := maps.Equal(live, map[string]int64{rev2: 100}) && len(w.sessions.passed[rev2]) > len(w.weights)
	if !found && (s.reverts || !alone && !promoted) {
		w.Errorf("left with %s\n%s", got.Spec, w.story())
	}
}
