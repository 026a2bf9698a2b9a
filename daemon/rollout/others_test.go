package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// applied is the condition that says whether the division is in force.
func (w *world) applied() *v1beta1.Condition {
	return w.canary.Status.Condition(v1beta1.ConditionTrafficApplied)
}

func TestStatusSaysWhatTheRouteShowsAndWhoChangedIt(t *testing.T) {
	w := generations(t)
	if c := w.applied(); c == nil || c.Status != "True" {
		t.Fatalf("condition %+v", c)
	}
	overwrite := func() {
		w.specify("argocd", Target{Percent: 100}) // whatever is latest: rev-3, which has failed
		w.converge()
	}
	w.now = w.now.Add(time.Minute)
	overwrite()
	w.decide()
	c := w.applied()
	if c.Status != "False" || c.Reason != "Overwritten" || !c.LastTransitionTime.Time.Equal(w.now) ||
		c.Message != "spec.traffic was changed by argocd at 2026-01-02T03:05:05Z to something else than rev-2 100 %" {
		t.Errorf("condition %+v", c)
	}
	if s := w.canary.Status; s.CanaryWeight != 100 || len(s.Traffic) != 1 || s.Traffic[0] != (v1beta1.TrafficShare{Revision: "rev-3", Percent: 100}) {
		t.Errorf("the status says weight %d, traffic %+v", s.CanaryWeight, s.Traffic)
	}
	w.expectAlert(t, Error, "spec.traffic of service test/podinfo was changed by argocd and is put back: take traffic out of its manifest")
	w.expectEvent(t, "run serin rollback podinfo -n test or annotate the canary with serin.dev/rollback")
	w.settle()
	if c := w.applied(); c.Status != "True" || c.Reason != "PutBack" || w.live("rev-2") != 100 || w.canary.Status.CanaryWeight != 0 {
		t.Errorf("condition %+v, traffic %+v", c, w.service.Traffic)
	}
	for range 20 { // again and again
		w.now = w.now.Add(10 * time.Second)
		overwrite()
		w.settle()
	}
	if n := w.count("was changed by argocd"); n != 1 {
		t.Errorf("it is said %d times within minutes", n)
	}
	w.now = w.now.Add(quiet)
	overwrite()
	w.settle()
	if n := w.count("was changed by argocd"); n != 2 {
		t.Errorf("it is said %d times, want once more after a while", n)
	}
}

func TestWhatSerinHasStillToWriteIsNobodysFault(t *testing.T) {
	w := initialized(t)
	w.service.SpecWriter, w.service.SpecTime = "argocd", w.now // who has applied the same
	w.now = w.now.Add(time.Minute)
	w.push("rev-2")
	w.ready("rev-2")
	w.lost = true
	for range 5 { // the writes do not get through
		w.decide()
	}
	if c := w.applied(); c.Status != "True" || w.count("changed by") != 0 {
		t.Errorf("condition %+v, events %q", c, w.events)
	}
}

func TestOverwrittenWhileSuspendedIsLeftAndSaid(t *testing.T) {
	w := generations(t)
	w.canary.Spec.Suspend = true
	w.now = w.now.Add(time.Minute)
	w.specify("kubectl", Target{Revision: "rev-1", Percent: 100})
	w.converge()
	w.settle()
	if w.live("rev-1") != 100 {
		t.Errorf("a suspended canary is put back: %+v", w.service.Traffic)
	}
	w.expectAlert(t, Error, "was changed by kubectl and is left so while spec.suspend is true")
}

// Somebody's write is noticed before the Route follows it; and while the Route follows
// what was put back, nothing else is said.
func TestOverwriteIsToldOnceWhateverTheRouteDoesMeanwhile(t *testing.T) {
	w := generations(t)
	w.now = w.now.Add(time.Minute)
	shown := w.service.Traffic
	w.specify("argocd", Target{Percent: 100})
	w.decide() // the Route has not followed; it is put back
	if c := w.applied(); c.Status != "False" || c.Reason != "Overwritten" {
		t.Errorf("condition %+v", c)
	}
	w.decide()
	w.service.Traffic = []Target{{Revision: "rev-3", Percent: 100}} // now it has, for a moment
	w.decide()
	w.service.Current, w.service.RouteReady = true, false
	w.decide()
	if c := w.applied(); c.Status != "False" || c.Reason != "Overwritten" || w.canary.Status.CanaryWeight != 100 {
		t.Errorf("condition %+v, weight %d", c, w.canary.Status.CanaryWeight)
	}
	w.service.Traffic, w.service.RouteReady = shown, true
	w.decide()
	if c := w.applied(); c.Status != "True" || c.Reason != "PutBack" {
		t.Errorf("condition %+v", c)
	}
	if n := w.count("argocd"); n != 1 || w.count("as decided") != 0 {
		t.Errorf("events %q", w.events)
	}
}

// A Route that is in trouble over a tag of somebody's has not lost its division.
func TestDivisionIsInForceThoughTheRouteIsNotReady(t *testing.T) {
	w := generations(t)
	w.now = w.now.Add(time.Minute)
	w.specify("kubectl", Target{Revision: "rev-2", Percent: 100}, Target{Revision: "rev-9", Tag: "stable"})
	w.decide()
	w.converge()
	if w.service.RouteReady || w.live("rev-2") != 100 {
		t.Fatalf("the Route is to be stuck with its division: %+v", w.service)
	}
	if d := w.decide(); w.applied().Status != "False" || d.RequeueAfter != 30*time.Second {
		t.Errorf("condition %+v, called again in %v", w.applied(), d.RequeueAfter)
	}
	w.now = w.now.Add(30 * time.Second)
	w.decide()
	if c := w.applied(); c.Status != "True" || c.Reason != "PutBack" {
		t.Errorf("condition %+v", c)
	}
}

func TestRouteThatLosesItsDivisionIsReported(t *testing.T) {
	w := generations(t)
	w.service.Traffic = []Target{{Revision: "rev-3", Percent: 100}}
	w.service.RouteReady, w.service.Message = false, "the ingress is gone"
	if d := w.decide(); d.RequeueAfter != 30*time.Second || w.count("as decided") != 0 {
		t.Errorf("it is raised at once: %q, called again in %v", w.events, d.RequeueAfter)
	}
	if c := w.applied(); c.Status != "False" || c.Reason != "NotShown" {
		t.Errorf("condition %+v", c)
	}
	for range 3 {
		w.now = w.now.Add(30 * time.Second)
		w.decide()
	}
	w.expectAlert(t, Error, "Traffic of podinfo.test has not been divided as decided for 30s: the Route shows rev-3 100 % instead of rev-2 100 %: the ingress is gone")
	if n := w.count("as decided"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}

// A check passes only where the Route has shown the division and both tags all the
// while: an ingress that has lost them answers for the revisions.
func TestCheckPassesOnlyUnderAnUnbrokenRoute(t *testing.T) {
	for name, tc := range map[string]struct {
		breaks func(*world)
		stops  bool // the load
	}{
		"somebody writes, and it is put back before anybody sees it": {func(w *world) {
			w.specify("argocd", Target{Percent: 100})
			w.write(w.split())
			w.converge()
		}, true},
		"the Route shows something else":   {func(w *world) { w.service.Traffic = []Target{{Revision: "rev-2", Percent: 100}} }, true},
		"the canary tag is gone":           {func(w *world) { w.service.Traffic[1].Tag = "" }, true},
		"the Route is not ready":           {func(w *world) { w.service.RouteReady = false }, false},
		"the status is of an earlier spec": {func(w *world) { w.service.Current = false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := analysing(t)
			w.say(analysis.Pass)
			w.settle()
			w.expect(t, v1beta1.PhaseProgressing, 20)
			before := w.canary.Status.Analysis.Check
			tc.breaks(w)
			w.say(analysis.Pass)
			d := w.decide()
			w.expect(t, v1beta1.PhaseProgressing, 20)
			if w.canary.Status.FailedChecks != 0 {
				t.Error("it counts as a failed check")
			}
			if stopped := d.Measure == nil; stopped != tc.stops {
				t.Errorf("measure %+v", d.Measure)
			}
			w.service.RouteReady, w.service.Current = true, true
			w.converge()
			w.settle()
			w.expect(t, v1beta1.PhaseProgressing, 20)
			if w.measure == nil || w.measure.Check <= before {
				t.Fatalf("measure %+v, want a check after %d", w.measure, before)
			}
			w.say(analysis.Pass)
			w.settle()
			w.expect(t, v1beta1.PhaseProgressing, 40)
		})
	}
}

func (w *world) split() Traffic {
	want, _ := w.canary.Status.Division()
	return want
}

// The Route may have changed while a pre-rollout hook took its time.
func TestCheckAfterAHookBeginsUnderTheDivision(t *testing.T) {
	w := initialized(t)
	w.hook(v1beta1.PreRolloutHook, "smoke")
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.specify("argocd", Target{Percent: 100})
	w.converge()
	w.decide() // it is put back, and the Route has not followed
	w.hooks["smoke"] = passes
	w.decide()
	before := w.canary.Status.Analysis
	if before.Stage != v1beta1.StageMeasuring || before.RouteGeneration != 0 {
		t.Fatalf("analysis %+v, want a check that does not count", before)
	}
	w.converge()
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if w.measure == nil || w.measure.Check <= before.Check {
		t.Errorf("measure %+v, want a check after %d", w.measure, before.Check)
	}
}

// A revision that breaks the Route by breaking down fails its checks all the same.
func TestFailedCheckCountsWhileTheRouteIsNotReady(t *testing.T) {
	w := analysing(t)
	w.service.RouteReady = false
	for range 3 {
		w.say(analysis.Fail)
		w.decide()
	}
	w.expectEvent(t, "failed checks threshold reached 3")
}

func TestRouteThatIsNeverLeftAloneEndsAtTheDeadline(t *testing.T) {
	w := analysing(t)
	for range 40 {
		w.now = w.now.Add(5 * time.Second)
		w.specify("argocd", Target{Percent: 100})
		w.converge()
		w.say(analysis.Pass)
		w.decide()
		w.converge()
	}
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	w.expectEvent(t, "progress deadline exceeded the check")
}

func TestCanaryEditedInMidRolloutDoesWhatItSays(t *testing.T) {
	w := analysing(t)
	for range 3 {
		w.say(analysis.Pass)
		w.settle()
	}
	w.expect(t, v1beta1.PhaseProgressing, 50)
	w.canary.Spec.Analysis.MaxWeight = new(int32(10))
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 10)
	if w.live("rev-2") != 10 {
		t.Fatalf("traffic %+v", w.service.Traffic)
	}
	w.expectEvent(t, "Lower podinfo.test canary weight to 10")
	w.say(analysis.Pass)
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)

	w = analysing(t)
	w.canary.Spec.SkipAnalysis = true
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
}

// The clock is put back by a day, and forward again, while a pre-rollout hook is to be
// called again, and while a deadline runs.
func TestClockThatJumpsMovesTimersAndDeadlines(t *testing.T) {
	w := initialized(t)
	w.hook(v1beta1.PreRolloutHook, "smoke")
	w.hooks["smoke"] = refuses
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	if w.canary.Status.FailedChecks != 1 {
		t.Fatalf("%d failed checks", w.canary.Status.FailedChecks)
	}
	w.now = w.now.Add(-24 * time.Hour)
	w.up = w.now
	w.settle()
	if w.canary.Status.FailedChecks != 2 {
		t.Errorf("the hook is not called again after the clock was put back: %d failed checks", w.canary.Status.FailedChecks)
	}
	w = analysing(t)
	w.now = w.now.Add(24 * time.Hour)
	w.up = w.now
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.now = w.now.Add(-48 * time.Hour)
	w.up = w.now
	w.settle()
	w.now = w.now.Add(89 * time.Second) // the deadline, and the check's own time
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	w.now = w.now.Add(time.Second)
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
}

// Of two daemons one acts, and both say so.
func TestTwoDaemonsOneActs(t *testing.T) {
	w := analysing(t)
	w.me = "serin-1"
	w.settle()
	w.now = w.now.Add(time.Minute)
	w.me, w.up = "serin-2", w.now
	d := w.decide()
	if d.Traffic != nil || d.Measure != nil || d.RequeueAfter != answerTime {
		t.Fatalf("the second one acts: %+v", d)
	}
	w.expectEvent(t, "Daemon serin-1 acts on podinfo.test, serin-2 stands by")
	if got := Rival(&w.canary.Status, "serin-2"); got != "serin-1" {
		t.Errorf("its rival is %q", got)
	}
	if got := Rival(&w.canary.Status, "serin-1"); got != "serin-2" {
		t.Errorf("the first one's rival is %q", got)
	}
	w.me, w.up = "serin-1", epoch
	if d := w.decide(); d.Traffic == nil || d.Measure == nil {
		t.Fatalf("the first one does not act: %+v", d)
	}
	w.expectEvent(t, "Daemon serin-2 serves podinfo.test as well and stands by, serin-1 acts")
	w.me, w.up = "serin-2", w.now
	w.now = w.now.Add(time.Minute)
	before := w.canary.Status.DeepCopy()
	if d := w.decide(); d.Traffic != nil || d.RequeueAfter != 4*time.Minute || d.Status.Daemon.Challenger != "" {
		t.Fatalf("it does not stand by after an answer: %+v", d)
	}
	if !before.Daemon.Time.Equal(&w.canary.Status.Daemon.Time) || len(w.events) != len(slices.Compact(w.events)) {
		t.Errorf("it writes or says something each time: %q", w.events)
	}
	// serin-1 dies.
	w.now = w.now.Add(5 * time.Minute)
	w.decide()
	w.now = w.now.Add(answerTime - time.Second)
	if d := w.decide(); d.Traffic != nil {
		t.Fatalf("it takes over too early: %+v", d)
	}
	w.now = w.now.Add(time.Second)
	if d := w.decide(); d.Traffic == nil {
		t.Fatalf("it does not take over: %+v", d)
	}
	w.expectAlert(t, Warn, "Daemon serin-1 does not answer: serin-2 acts on podinfo.test from now on")
}

func TestLeaving(t *testing.T) {
	pinned := func(edit func(*Service)) *Service {
		s := newService("uid-1", "rev-1")
		for _, revision := range []string{"rev-2", "rev-3"} {
			s.Revisions[revision] = Revision{Ready: true}
		}
		s.LatestCreated, s.LatestReady, s.AnnotatedPrimary = "rev-3", "rev-3", "rev-2"
		s.Spec = []Target{{Revision: "rev-2", Tag: PrimaryTag, Percent: 80}, {Revision: "rev-3", Tag: CanaryTag, Percent: 20}}
		s.Left = &Left{Canary: "podinfo", UID: "life-1", Revert: true, Initial: []Target{{Revision: "rev-1", Percent: 100}, {Revision: "rev-2", Tag: "blue"}}}
		edit(s)
		return s
	}
	for name, tc := range map[string]struct {
		edit    func(*Service)
		restore bool
		primary string
		event   string
	}{
		"in mid-rollout":                   {func(s *Service) { s.Left.Revert = false }, false, "rev-2", "Terminated canary podinfo.test"},
		"when nothing runs":                {func(s *Service) { s.Left.Revert = false; s.Spec = s.Spec[:1] }, false, "", "Terminated canary podinfo.test"},
		"with a primary that is not ready": {func(s *Service) { s.Left.Revert = false; s.Revisions["rev-2"] = Revision{} }, false, "", "Terminated canary podinfo.test"},
		"after somebody's own division":    {func(s *Service) { s.Left.Revert = false; s.Spec[0].Revision = "rev-1" }, false, "", "Terminated canary podinfo.test"},
		"D04 with revertOnDeletion":        {func(*Service) {}, true, "", "is given back"},
		"whose initial revision is gone":   {func(s *Service) { delete(s.Revisions, "rev-1") }, false, "rev-2", "is not given back: revision rev-1 does not exist any more; rev-2 stays pinned"},
		"whose tagged revision is gone":    {func(s *Service) { s.Left.Initial[1].Revision = "rev-0" }, false, "rev-2", "revision rev-0 does not exist any more"},
		"whose initial revision is broken": {func(s *Service) { s.Revisions["rev-1"] = Revision{} }, false, "rev-2", "revision rev-1 is not ready"},
		"whose initial revision failed":    {func(s *Service) { s.Left.Failed = []string{"rev-1"} }, false, "rev-2", "it would give users to rev-1, which was rolled back"},
		"to whatever is latest":            {func(s *Service) { s.Left.Initial = nil }, true, "", "is given back"},
		"to the latest, which failed":      {func(s *Service) { s.Left.Initial = nil; s.Left.Failed = []string{"rev-3"} }, false, "rev-2", "it would give users to rev-3, which was rolled back"},
		"to a share of the latest, which failed and is not ready": {func(s *Service) {
			s.Left.Initial = []Target{{Percent: 10}, {Revision: "rev-1", Percent: 90}}
			s.Left.Failed, s.LatestReady = []string{"rev-3"}, "rev-1"
		}, false, "rev-2", "it would give users to rev-3, which was rolled back"},
	} {
		d := Leave(pinned(tc.edit), "podinfo.test")
		if d.Restore != tc.restore || (!d.Restore && d.Primary != tc.primary) {
			t.Errorf("%s: %+v", name, d)
		}
		if !slices.ContainsFunc(d.Events, func(e Event) bool { return strings.Contains(e.Message, tc.event) }) {
			t.Errorf("%s: events %+v, want %q", name, d.Events, tc.event)
		}
	}
}
