package rollout

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// divided is a Service with two ready revisions, divided by hand.
func divided(first, second int64) *world {
	w := newWorld()
	w.push("rev-2")
	w.ready("rev-2")
	w.specify("kubectl", Target{Revision: "rev-1", Percent: first}, Target{Revision: "rev-2", Percent: second})
	w.converge()
	return w
}

func TestComingChangesNobodysShare(t *testing.T) {
	for _, tc := range []struct {
		name          string
		first, second int64
		annotated     string
		primary       string
		event         string
	}{
		{"the older one has more", 90, 10, "", "rev-1", "rev-1 has 90 % of the live traffic and becomes the primary revision of podinfo.test; rev-2 is newer, has 10 %, and is analysed like any new revision"},
		{"the newer one has more", 20, 80, "", "rev-2", "Initialization done!"},
		{"an annotation that was left", 90, 10, "rev-2", "rev-1", "is analysed like any new revision"},
		{"an annotation where both have as much", 50, 50, "rev-2", "rev-2", "Initialization done!"},
		{"neither annotation nor more", 50, 50, "", "rev-1", "is analysed like any new revision"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := divided(tc.first, tc.second)
			w.service.AnnotatedPrimary = tc.annotated
			for w.canary.Status.Phase != v1beta1.PhaseInitialized {
				w.decide()
				w.converge()
				if w.live("rev-1") != tc.first || w.live("rev-2") != tc.second {
					t.Fatalf("initialization changes the shares: %+v", w.service.Traffic)
				}
			}
			if got := w.canary.Status.LastPromotedSpec; got != tc.primary {
				t.Errorf("%s becomes the primary revision, want %s", got, tc.primary)
			}
			w.expectEvent(t, tc.event)
			w.settle()
			if analysed := w.canary.Status.Analysis != nil; analysed != (tc.primary == "rev-1") {
				t.Fatalf("analysis %+v", w.canary.Status.Analysis)
			}
			if w.canary.Status.Analysis != nil && w.live("rev-1") != 100 {
				t.Errorf("rev-2 keeps %d percent while it is analysed", w.live("rev-2"))
			}
		})
	}
}

// What an annotation says of a revision without traffic was left by somebody who is
// gone.
func TestAnnotationOfARevisionWithoutTrafficIsNotBelieved(t *testing.T) {
	w := newWorld()
	w.push("rev-2")
	w.ready("rev-2")
	w.converge()
	w.service.AnnotatedPrimary = "rev-1"
	w.settle()
	if w.canary.Status.LastPromotedSpec != "rev-2" || w.live("rev-2") != 100 {
		t.Errorf("the primary revision is %s, traffic %+v", w.canary.Status.LastPromotedSpec, w.service.Traffic)
	}
}

func TestDecidedPrimaryIsKeptWhileTheRouteFollows(t *testing.T) {
	w := divided(90, 10)
	w.decide()
	w.service.Traffic = []Target{{Revision: "rev-1", Percent: 10}, {Revision: "rev-2", Percent: 90}} // it has not followed
	w.decide()
	if got := w.canary.Status.LastPromotedSpec; got != "rev-1" {
		t.Errorf("the primary revision is %s after it was decided for rev-1", got)
	}
}

func TestRevisionStagedByHandIsLeftUntilSomebodyAsks(t *testing.T) {
	w := divided(100, 0)
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	w.expectEvent(t, "rev-2 is newer, has no live traffic, and is left so: to roll it out run serin retry podinfo -n test")
	w.annotate(v1beta1.RetryAnnotation, "please")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if w.measure == nil || w.measure.Canary != "rev-2" {
		t.Errorf("measure %+v", w.measure)
	}
}

func TestKeptSharesEndWithTheFirstRollout(t *testing.T) {
	w := divided(40, 60)
	w.settle()
	if w.live("rev-1") != 40 || w.canary.Status.CanaryWeight != 40 {
		t.Fatalf("traffic %+v, weight %d", w.service.Traffic, w.canary.Status.CanaryWeight)
	}
	w.push("rev-3")
	w.settle() // it is not ready
	if w.live("rev-1") != 40 {
		t.Fatalf("a push alone moves users: %+v", w.service.Traffic)
	}
	w.ready("rev-3")
	w.settle()
	if w.live("rev-2") != 100 || w.live("rev-3") != 0 {
		t.Errorf("traffic %+v", w.service.Traffic)
	}
	w.failAll(t)
	if w.live("rev-2") != 100 {
		t.Errorf("a share comes back: %+v", w.service.Traffic)
	}
}

func TestKeptShareOfARevisionThatIsGoneGoesToThePrimary(t *testing.T) {
	w := divided(40, 60)
	w.settle()
	delete(w.service.Revisions, "rev-1")
	w.settle()
	if w.live("rev-2") != 100 {
		t.Errorf("traffic %+v", w.service.Traffic)
	}
}

func TestTagsOfTheUserAreNamed(t *testing.T) {
	w := newWorld()
	w.service.Revisions["rev-0"] = Revision{Ready: true}
	w.specify("kubectl", Target{Revision: "rev-1", Percent: 100}, Target{Revision: "rev-0", Tag: CanaryTag}, Target{Tag: PrimaryTag})
	w.converge()
	w.settle()
	w.expectEvent(t, "tags that Serin needs: primary (of the latest revision), canary (of rev-0); they are given back")
	w.settle()
	if n := w.count("tags that Serin needs"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}

func TestHeldCanaryIsPinnedFirst(t *testing.T) {
	w := newWorld()
	w.held = "spec.analysis.metrics[0].templateRef: metrics of a metrics server are not supported"
	w.settle()
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	w.expectEvent(t, "templateRef")
	if w.live("rev-1") != 100 || w.service.FollowsLatest() {
		t.Errorf("the push has gone live: %+v", w.service.Traffic)
	}
}

func TestSuspendedFromTheStartSaysThatNothingIsPinned(t *testing.T) {
	w := newWorld()
	w.canary.Spec.Suspend = true
	for range 3 {
		if d := w.decide(); d.Traffic != nil || d.Measure != nil {
			t.Fatalf("decision %+v", d)
		}
	}
	const told = `spec.suspend is true and service "test/podinfo" is not pinned: every push goes live at once`
	if n := w.count(told); n != 1 {
		t.Errorf("it is said %d times: %q", n, w.events)
	}
	if c := w.canary.Status.Condition(v1beta1.ConditionPromoted); c == nil || !strings.Contains(c.Message, told) {
		t.Errorf("condition %+v", c)
	}
	if got := w.canary.Status.Traffic; len(got) != 1 || got[0].Revision != "rev-1" {
		t.Errorf("observed traffic %+v", got)
	}
}

func TestServiceThatWouldBreakIsNotPinned(t *testing.T) {
	w := newWorld()
	w.no = "the longest name that works here has 55 characters"
	for range 3 {
		if d := w.decide(); d.Traffic != nil {
			t.Fatalf("it is pinned: %+v", d.Traffic)
		}
	}
	if n := w.count("55 characters"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}

// A Canary and its Service are applied together, in any order.
func TestNewCanaryWaitsBeforeItComplains(t *testing.T) {
	for name, service := range map[string]*Service{
		"no Service": nil,
		"not ready":  {UID: "uid-1", Current: true, LatestCreated: "rev-1", Revisions: map[string]Revision{"rev-1": {}}},
	} {
		w := newWorld()
		w.canary.CreationTimestamp = metav1.NewTime(w.now)
		w.service = service
		d := w.decide()
		if len(w.events) != 0 || d.RequeueAfter != 10*time.Second {
			t.Errorf("%s: events %q, called again after %v", name, w.events, d.RequeueAfter)
		}
		w.now = w.now.Add(10 * time.Second)
		w.decide()
		w.decide()
		if len(w.events) != 1 {
			t.Errorf("%s: events after ten seconds: %q", name, w.events)
		}
	}
}

func TestStatusOfFlaggersIsNotBelieved(t *testing.T) {
	for _, phase := range []v1beta1.Phase{
		v1beta1.PhaseInitialized, v1beta1.PhaseWaiting, v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion,
		v1beta1.PhasePromoting, v1beta1.PhaseFinalising, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed, v1beta1.PhaseTerminating,
	} {
		w := newWorld()
		w.canary.Status = v1beta1.CanaryStatus{Phase: phase, LastAppliedSpec: "7d4f9c5b6", LastPromotedSpec: "5f8d6c7b9", CanaryWeight: 40}
		w.settle()
		if s := w.canary.Status; s.Phase != v1beta1.PhaseInitialized || s.LastPromotedSpec != "rev-1" || w.live("rev-1") != 100 {
			t.Errorf("%s: %+v", phase, s)
		}
	}
}

func TestServiceMadeAgainUnderTheSameNames(t *testing.T) {
	w := initialized(t)
	w.push("rev-2")
	w.ready("rev-2")
	w.promoteAll(t)
	w.service = newService("uid-2", "rev-1") // while the daemon was away
	w.settle()
	w.expectEvent(t, `Service "test/podinfo" was deleted and made again`)
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	if a := w.canary.Status.Analysis; w.canary.Status.Phase != v1beta1.PhaseProgressing || a.CanaryRevision != "rev-2" || a.PrimaryRevision != "rev-1" {
		t.Errorf("the push is not analysed: %+v", w.canary.Status)
	}
}

// promoteAll passes every check until the rollout has ended.
func (w *world) promoteAll(t *testing.T) {
	t.Helper()
	for range 10 {
		w.settle()
		w.say(analysis.Pass)
	}
	w.settle()
	w.expect(t, v1beta1.PhaseSucceeded, 0)
}

// failAll fails every check until the rollout has ended.
func (w *world) failAll(t *testing.T) {
	t.Helper()
	for range 6 {
		w.settle()
		w.say(analysis.Fail)
	}
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
}

// A daemon that has been there for long, and a Canary that has waited for its Service,
// have their whole deadline.
func TestInitializationHasItsOwnDeadline(t *testing.T) {
	w := newWorld()
	w.up = epoch.Add(-24 * time.Hour)
	service := w.service
	w.service = nil
	w.decide()
	w.now = w.now.Add(time.Hour)
	w.service = service
	w.service.Revisions["rev-1"] = Revision{Failed: true, Message: "crashed"}
	w.push("rev-2")
	w.ready("rev-2")
	for range 3 {
		w.decide()
		w.converge()
	}
	if w.canary.Status.LastPromotedSpec != "rev-1" || w.count("still does not show") != 0 {
		t.Fatalf("it is given up at once: %+v, %q", w.canary.Status, w.events)
	}
	w.now = w.now.Add(time.Minute)
	w.decide()
	w.expectAlert(t, Error, "rev-1, which was to be the primary revision of podinfo.test, has not been ready for 1m0s (crashed): rev-2 is pinned instead")
}
