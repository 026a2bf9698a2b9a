package controller

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/knative"
)

// atTwenty is a rollout at its first step with users, of a Service that was divided by
// hand.
func atTwenty(w *world, revert bool) {
	dividedByHand(w, always(analysis.Pass), revert)
	w.run(shows(rev2, 20))
	w.turns = 0
}

// rest lets everything come to rest.
func (w *world) rest() { w.run(func(*world) bool { return true }) }

// expectFound checks that the Service is as Serin has found it.
func (w *world) expectFound() {
	w.Helper()
	if got, want := block(w.service().Spec.Traffic), block(w.initial); got != want || len(w.service().Annotations) > 0 {
		w.Errorf("the Service is %s with %v, want %s\n%s", got, w.service().Annotations, want, w.story())
	}
}

// life is the UID in the note on the Service.
func (w *world) life() types.UID {
	if note := knative.Noted(w.service()); note != nil {
		return note.UID
	}
	return ""
}

// A Canary that is deleted while no daemon runs is undone by the next one: the note on
// the Service brings it about, in the first reconcile.
func TestCanaryDeletedWhileNobodyIsThere(t *testing.T) {
	inWorld(t, func(w *world) {
		atTwenty(w, true)
		w.forget()
		w.deleteCanary()
		w.start()
		if len(w.queue) != 1 || !w.queue[podinfo] {
			t.Fatalf("the daemon looks at %v", w.queue)
		}
		w.reconcile(podinfo)
		w.expectFound()
		if w.count("Terminated canary podinfo.test") != 1 {
			t.Errorf("events:\n%s", w.story())
		}
	})
}

// A Canary that is deleted and made again, while no daemon runs or faster than it
// looks, is another one: what the first did is undone before the second begins.
func TestCanaryMadeAgainUnderItsName(t *testing.T) {
	for name, seen := range map[string]bool{"while nobody is there": false, "faster than is seen": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				atTwenty(w, true)
				first := w.life()
				if !seen {
					w.forget()
				}
				w.deaf = true
				w.deleteCanary()
				w.given[rev2] = 10
				w.create(newCanary())
				w.deaf = false
				w.tell(nil, w.canary())
				var lives []string
				told := w.api.onWrite
				w.api.onWrite = func(old, next client.Object) {
					told(old, next)
					if nameOf(next) == nameOf(w.service()) && (len(lives) == 0 || lives[len(lives)-1] != string(w.life())) {
						lives = append(lives, string(w.life()))
					}
				}
				w.judge = nil
				w.run(measuring)
				if want := []string{"", string(w.canary().UID)}; !slices.Equal(lives, want) || string(first) == want[1] {
					t.Errorf("the Service belongs to %q after %s, want %q", lives, first, want)
				}
				found, _ := json.Marshal(w.initial)
				if got := w.service().Annotations[knative.InitialTrafficAnnotation]; got != string(found) {
					t.Errorf("the second Canary has found %s, want %s", got, found)
				}
			})
		})
	}
}

// A Canary that becomes another provider's is let go.
func TestCanaryOfAnotherProviderIsLetGo(t *testing.T) {
	inWorld(t, func(w *world) {
		atTwenty(w, true)
		canary := w.canary().DeepCopy()
		w.api.edit(t, canary, "kubectl", func() { canary.Spec.Provider = "istio" })
		before := w.canary().Status
		w.letGo()
		w.rest()
		w.expectFound()
		w.expectUntouched(before)
	})
}

// A Canary whose deletion waits for somebody else, as in the foreground, is gone as far
// as Serin is concerned.
func TestCanaryDeletedInTheForeground(t *testing.T) {
	inWorld(t, func(w *world) {
		atTwenty(w, true)
		canary := w.canary().DeepCopy()
		w.api.edit(t, canary, "garbage collector", func() { canary.Finalizers = []string{"foregroundDeletion", Finalizer} })
		before := w.canary().Status
		w.forget() // so that nobody takes the finalizer off before the deletion
		w.deleteCanary()
		if w.canary() == nil || w.canary().DeletionTimestamp == nil {
			t.Fatal("the deletion does not wait")
		}
		w.letGo()
		w.rest()
		w.expectFound()
		w.expectUntouched(before)
		if got := w.canary().Finalizers; !slices.Equal(got, []string{"foregroundDeletion"}) {
			t.Errorf("finalizers %q", got)
		}
	})
}

// expectUntouched checks that the Canary's status is as it was, nothing runs for it,
// and nobody hears of it.
func (w *world) expectUntouched(before v1beta1.CanaryStatus) {
	w.Helper()
	was, _ := json.Marshal(before)
	is, _ := json.Marshal(w.canary().Status)
	if string(was) != string(is) {
		w.Errorf("the status was %s and is %s", was, is)
	}
	if w.sessions.running[podinfo] != nil {
		w.Error("the load goes on")
	}
	writes, events, metrics := w.writes, len(w.events), len(w.metrics)
	w.tellAll()
	w.rest()
	if w.writes != writes || len(w.events) != events || len(w.metrics) != metrics {
		w.Errorf("%d writes, %d events and %d metrics of a Canary that is let go", w.writes-writes, len(w.events)-events, len(w.metrics)-metrics)
	}
}

// Earlier versions have put a finalizer on Canaries, which comes off.
func TestOldFinalizerComesOff(t *testing.T) {
	inWorld(t, func(w *world) {
		w.deploy("podinfo:1")
		w.first = rev1
		canary := newCanary()
		canary.Finalizers = []string{Finalizer, "somebody.else/waits"}
		w.create(canary)
		w.run(phase(v1beta1.PhaseInitialized))
		if got := w.canary().Finalizers; !slices.Equal(got, []string{"somebody.else/waits"}) {
			t.Errorf("finalizers %q", got)
		}
	})
}

// A Canary of somebody else's is neither written, nor mentioned, nor counted, whatever
// it has.
func TestForeignCanariesAreNeverWritten(t *testing.T) {
	for name, foreign := range map[string]func(*v1beta1.Canary){
		"istio":         func(c *v1beta1.Canary) { c.Spec.Provider = "istio" },
		"a Deployment":  func(c *v1beta1.Canary) { c.Spec.TargetRef.APIVersion, c.Spec.TargetRef.Kind = "apps/v1", "Deployment" },
		"another group": func(c *v1beta1.Canary) { c.Spec.TargetRef.APIVersion = "v1" },
		"a broken one":  func(c *v1beta1.Canary) { c.Spec.Provider, c.Spec.Analysis.StepWeights = "istio", nil },
		"one with a rollout": func(c *v1beta1.Canary) {
			c.Spec.Provider = "istio"
			c.Status = v1beta1.CanaryStatus{Phase: v1beta1.PhaseProgressing, LastPromotedSpec: rev1, LastAppliedSpec: rev2}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.deploy("podinfo:1")
				canary := newCanary()
				canary.Finalizers = []string{"finalizer.flagger.app"}
				foreign(canary)
				w.create(canary)
				version, others := w.canary().ResourceVersion, w.others
				w.rest()
				w.push("podinfo:2")
				w.rest()
				w.deleteCanary()
				w.rest()
				if w.writes != 0 || len(w.events) != 0 || len(w.metrics) != 0 || len(w.sessions.running) != 0 {
					t.Errorf("%d writes, metrics %q, events:\n%s", w.writes, w.metrics, w.story())
				}
				if w.turns == 0 || w.others == others || version == "" {
					t.Error("nothing happened at all")
				}
			})
		})
	}
}

// A Canary that is made again and suspended holds what it finds, not what the first one
// has made of it.
func TestSuspendedCanaryMadeAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		atTwenty(w, true)
		w.forget()
		w.deleteCanary()
		second := newCanary()
		second.Spec.Suspend = true
		w.create(second)
		w.rest()
		w.expectFound()
	})
}

// A Canary whose target is corrected leaves the Service that it had before.
func TestCanaryWithAnotherTargetLeavesTheFirst(t *testing.T) {
	inWorld(t, func(w *world) {
		atTwenty(w, true)
		canary := w.canary().DeepCopy()
		w.api.edit(t, canary, "kubectl", func() { canary.Spec.TargetRef.Name = "other" })
		w.letGo()
		w.run(func(w *world) bool { return knative.Noted(w.service()) == nil })
		w.expectFound()
	})
}

// A Service that is being deleted is not written any more.
func TestServiceThatIsBeingDeletedIsLeftAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		atTwenty(w, true)
		service := w.service().DeepCopy()
		w.api.edit(t, service, "somebody", func() { service.Finalizers = []string{"somebody.else/waits"} })
		w.forget()
		w.deleteCanary()
		if err := w.api.Delete(t.Context(), w.service()); err != nil {
			t.Fatal(err)
		}
		writes := w.writes
		w.rest()
		if w.service().DeletionTimestamp == nil || w.writes != writes {
			t.Errorf("%d writes to a Service that is being deleted", w.writes-writes)
		}
	})
}

// letGo says that a Canary which is there still does not count any more, so that its
// Service may be left.
func (w *world) letGo() { w.left = true }

// Two Canaries of one Service: the second one waits, and begins with what the first
// one leaves.
func TestSecondCanaryBeginsWhenTheFirstHasLeft(t *testing.T) {
	inWorld(t, func(w *world) {
		initialized(w, nil)
		second := newCanary()
		second.Name = "second"
		pass(time.Second)
		w.create(second)
		w.rest()
		if w.life() != w.canary().UID || w.count(`belongs to canary "podinfo" already`) != 1 {
			t.Errorf("the Service is %s's\n%s", w.life(), w.story())
		}
		w.deleteCanary()
		w.initial = []servingv1.TrafficTarget{share(rev1, "primary", 100)} // which is what the first one leaves
		w.run(func(w *world) bool { return w.life() == second.UID && len(w.queue) == 0 })
		if w.count("Terminated canary podinfo.test") != 1 || w.count("Initialization done! second.test") != 1 {
			t.Errorf("the second Canary has not begun:\n%s", w.story())
		}
	})
}

// Another provider's Canary of the same Service is nobody to wait for, even if it is
// older and has promoted something.
func TestForeignCanaryOwnsNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		foreign := newCanary()
		foreign.Name, foreign.Spec.Provider = "flaggers", "istio"
		foreign.Status.LastPromotedSpec = rev1
		w.create(foreign)
		pass(time.Hour)
		initialized(w, nil)
		if w.life() != w.canary().UID {
			t.Errorf("the Service is %s's\n%s", w.life(), w.story())
		}
	})
}
