package controller

import (
	"slices"
	"testing"
	"time"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// A cache that has the Service as it was, which is as it is to be, is no proof that it
// is so.
func TestClaimIsMadeFromTheServiceAsItIs(t *testing.T) {
	inWorld(t, func(w *world) {
		w.deploy("podinfo:1")
		w.deploy("podinfo:2")
		w.divide(share(rev1, "primary", 100)) // as an earlier Canary left it
		w.create(newCanary())
		w.first, w.given = rev1, map[string]int64{rev2: 40}
		w.forget()
		w.cache.services, w.cache.lag = true, lag
		w.divide(share(rev1, "", 60), share(rev2, "", 40))
		w.initial = w.service().Spec.Traffic
		w.until(phase(v1beta1.PhaseInitialized))
		if got := shares(w.service().Status.Traffic); got[rev1] != 60 || got[rev2] != 40 {
			t.Errorf("users were moved: %v\n%s", got, w.story())
		}
	})
}

// A cache that does not have the Canary yet is no reason to undo what it did.
func TestCanaryThatTheCacheDoesNotHaveIsNotUndone(t *testing.T) {
	inWorld(t, func(w *world) {
		atTwenty(w, true)
		spec := block(w.service().Spec.Traffic)
		w.forget()
		delete(w.cache.objects, nameOf(w.canary()))
		w.start()
		w.reconcile(podinfo)
		if got := block(w.service().Spec.Traffic); got != spec || w.life() != w.canary().UID {
			t.Errorf("the Service was %s, and is %s", spec, got)
		}
	})
}

// A cache that does not have the Canary to which a Service belongs is no reason to take
// it over. It is looked at again soon, as nothing may call.
func TestServiceIsNotTakenFromACanaryThatTheCacheDoesNotHave(t *testing.T) {
	inWorld(t, func(w *world) {
		initialized(w, nil)
		second := newCanary()
		second.Name = "second"
		w.create(second)
		w.forget()
		delete(w.cache.objects, nameOf(w.canary()))
		w.start()
		result, err := w.daemon.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(second)})
		if err != nil || result.RequeueAfter != conflictPause {
			t.Errorf("the second Canary gets %v, error %v", result, err)
		}
		if w.life() != w.canary().UID {
			t.Errorf("the Service is %s's\n%s", w.life(), w.story())
		}
	})
}

// A decision that was made from a Canary as it was moves no traffic, even where it
// changes nothing in the status, so that no write of that meets a conflict.
func TestOldDecisionMovesNoTraffic(t *testing.T) {
	inWorld(t, func(w *world) {
		initialized(w, nil)
		w.cache.canaries, w.cache.lag = true, 1
		canary, service := w.canary().DeepCopy(), w.service().DeepCopy()
		w.api.edit(t, canary, "kubectl", func() { canary.Spec.Suspend = true })
		w.api.edit(t, service, "kubectl", func() { service.Spec.Traffic = []servingv1.TrafficTarget{share(rev1, "mine", 100)} })
		w.rest()
		if got := block(w.service().Spec.Traffic); got != "mine=podinfo-00001:100" {
			t.Errorf("a suspended Canary has written %s\n%s", got, w.story())
		}
		if w.cache.lag != 0 || !w.canary().Spec.Suspend {
			t.Error("the cache never lagged")
		}
	})
}

// A write that meets a conflict is no failure: it is tried again soon.
func TestConflictIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.deploy("podinfo:1")
		w.create(newCanary())
		w.forget()
		w.cache.canaries = true
		canary := w.canary().DeepCopy()
		w.api.edit(t, canary, "kubectl", func() { canary.Labels = map[string]string{"a": "b"} })
		w.start()
		result, err := w.daemon.Reconcile(t.Context(), ctrl.Request{NamespacedName: podinfo})
		if err != nil || result.RequeueAfter != conflictPause || slices.Contains(w.metrics, "failed podinfo") {
			t.Errorf("a conflict gives %v, error %v, metrics %q", result, err, w.metrics)
		}
	})
}

func TestSoonerOfTwoWaits(t *testing.T) {
	for _, tc := range []struct{ a, b, want time.Duration }{
		{0, 0, 0}, {0, 2, 2}, {2, 0, 2}, {1, 2, 1}, {2, 1, 1}, {3, 3, 3},
	} {
		if got := sooner(tc.a, tc.b); got != tc.want {
			t.Errorf("of %d and %d it is %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
