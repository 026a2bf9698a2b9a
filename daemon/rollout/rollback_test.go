package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

func TestRollbackByHandPutsThePreviousRevisionBack(t *testing.T) {
	w := initialized(t)
	for _, revision := range []string{"rev-2", "rev-3"} {
		w.push(revision)
		w.ready(revision)
		w.promoteAll(t)
	}
	w.annotate(v1beta1.RollbackAnnotation, "rev-3/now")
	d := w.decide()
	if d.Traffic.Primary != "rev-2" || d.Traffic.PrimaryPercent() != 100 {
		t.Fatalf("traffic %+v", d.Traffic)
	}
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	w.expectEvent(t, "Rolling back podinfo.test by annotation: rev-2 serves again until the next push")
	w.now = w.now.Add(time.Hour)
	w.settle()
	if w.live("rev-2") != 100 {
		t.Fatalf("it is undone: %+v", w.service.Traffic)
	}
	w.annotate(v1beta1.RollbackAnnotation, "again") // further back
	w.settle()
	if w.live("rev-1") != 100 {
		t.Fatalf("traffic %+v", w.service.Traffic)
	}
	w.annotate(v1beta1.RollbackAnnotation, "and again")
	w.settle()
	w.expectEvent(t, "Ignoring annotation serin.dev/rollback: no revision that was promoted earlier is ready, rev-1 stays")
	w.push("rev-4")
	w.ready("rev-4")
	w.promoteAll(t)
}

func TestRollbackByHandInEachPhaseOfARollout(t *testing.T) {
	for name, passes := range map[string]int{"measuring": 0, "at a step": 2, "watching": 4} {
		w := analysing(t)
		w.canary.Spec.Analysis.Watch = &v1beta1.Watch{Duration: "1h"}
		for range passes {
			w.say(analysis.Pass)
			w.settle()
		}
		w.annotate(v1beta1.PauseAnnotation, "true")
		w.annotate(v1beta1.RollbackAnnotation, "now")
		w.settle()
		if w.canary.Status.Phase != v1beta1.PhaseFailed || w.live("rev-1") != 100 {
			t.Errorf("%s: %s, traffic %+v", name, w.canary.Status.Phase, w.service.Traffic)
		}
	}
	w := analysing(t) // finalising: rev-2 is the primary revision already
	w.canary.Spec.Analysis.StepWeight, w.canary.Spec.Analysis.Iterations = nil, new(int32(1))
	w.say(analysis.Pass)
	w.decide()
	w.converge()
	w.decide()
	w.expect(t, v1beta1.PhaseFinalising, 0)
	w.annotate(v1beta1.RollbackAnnotation, "now")
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	if w.live("rev-1") != 100 || !slices.Equal(w.canary.Status.Failed, []string{"rev-2"}) {
		t.Errorf("traffic %+v, failed %v", w.service.Traffic, w.canary.Status.Failed)
	}
}

// A promotion that waits for its revision is not carried out after somebody has said
// otherwise.
func TestAbortDropsAPromotionThatWaits(t *testing.T) {
	w := initialized(t)
	w.push("rev-2")
	w.settle()
	w.annotate(v1beta1.PromoteAnnotation, "when it is ready")
	w.settle()
	w.annotate(v1beta1.AbortAnnotation, "no")
	w.decide()
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseFailed, 0)
	w.expectEvent(t, "Ignoring annotation serin.dev/promote")
}

func TestRevisionThatFailedIsNotRolledOutAgainByItself(t *testing.T) {
	w := generations(t)
	if !slices.Equal(w.canary.Status.Failed, []string{"rev-3"}) {
		t.Fatalf("failed %v", w.canary.Status.Failed)
	}
	w.annotate(v1beta1.RetryAnnotation, "once more")
	w.promoteAll(t)
	if w.live("rev-3") != 100 || len(w.canary.Status.Failed) != 0 {
		t.Errorf("traffic %+v, failed %v", w.service.Traffic, w.canary.Status.Failed)
	}
}

// A status that is lost takes nothing with it that the Service's note has.
func TestFailureIsRememberedByTheServiceToo(t *testing.T) {
	w := initialized(t)
	w.canary.UID = "life-1"
	w.service.Left = nil
	w.push("rev-2")
	w.ready("rev-2")
	w.failAll(t)
	w.canary.Status = v1beta1.CanaryStatus{}
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	if !slices.Equal(w.canary.Status.Failed, []string{"rev-2"}) || w.canary.Status.Analysis != nil || w.live("rev-1") != 100 {
		t.Errorf("failed %v, analysis %+v, traffic %+v", w.canary.Status.Failed, w.canary.Status.Analysis, w.service.Traffic)
	}
}
