package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// zeroPatience is for Knative to scale to zero: its own windows are a minute,
// and half of one.
const zeroPatience = 4 * time.Minute

// awaitPods waits until a revision has so many pods that are not on their way
// out.
func (w *world) awaitPods(nth, wanted int, bound time.Duration) {
	w.Helper()
	w.until(fmt.Sprintf("%d pods of %s", wanted, revision(nth)), bound, func() error {
		var pods corev1.PodList
		if err := the.client.List(w.Context(), &pods, client.InNamespace(w.namespace), client.MatchingLabels{"serving.knative.dev/revision": revision(nth)}); err != nil {
			return err
		}
		n := 0
		for i := range pods.Items {
			if pods.Items[i].DeletionTimestamp.IsZero() {
				n++
			}
		}
		if n != wanted {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
}

func TestServiceThatHasScaledToZeroIsWokenAndRolledOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-zero")
	w.install()
	w.initialize(quick...)
	w.awaitPods(1, 0, zeroPatience)

	// A user wakes it by the activator.
	if err := get(t.Context(), "http://"+the.gateway+"/", w.publicHost()); err != nil {
		t.Errorf("the request that wakes it: %v", err)
	}
	w.awaitPods(1, 0, zeroPatience)

	// The rollout wakes it by itself.
	w.push("6.0.1")
	w.awaitPromoted(2)
	w.awaitPods(2, 0, zeroPatience)
}

func TestRevisionWithAnImageThatIsNotThereIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-image")
	w.install()
	w.initialize(quick...)
	u := w.startUsers()
	w.push("0.0.0-is-not-there")
	w.awaitEnd(v1beta1.PhaseFailed, 2)
	w.serves(1)

	w.push("6.0.1")
	w.awaitPromoted(3)
	u.noneFailed()
}

func TestRolloutSurvivesTheDaemonItsUpgradeAndItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-lost")
	w.install(withPolicy)
	w.initialize(quick...)
	u := w.startUsers()

	w.push("6.0.1")
	w.awaitWeight(25)
	w.mayNotDivide()
	w.kubectl("delete", "pods", "-l", "app.kubernetes.io/name=serin", "--grace-period=0", "--force")
	w.awaitPromoted(2)

	w.push("6.0.2")
	w.awaitWeight(25)
	w.install("log.level=debug", "replicas=2", withPolicy)
	w.awaitPromoted(3)

	w.push("6.0.3")
	w.awaitWeight(25)
	w.run(the.helm, "uninstall", "serin", "--wait")
	w.onlyReadyRevisionsServe()
	u.noneFailed()
}

// mayNotDivide tries to change the traffic by hand, as an administrator.
func (w *world) mayNotDivide() {
	w.Helper()
	out, err := w.command(w.Context(), "kubectl", "patch", "services.serving.knative.dev", "podinfo", "--type=merge",
		`-p={"spec": {"traffic": [{"latestRevision": true, "percent": 100}]}}`).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "spec.traffic of Service podinfo is set by its Canary") {
		w.Errorf("somebody changes the traffic: %v\n%s", err, out)
	}
}

// onlyReadyRevisionsServe looks at the live traffic: all of it goes to
// revisions by name that can take it.
func (w *world) onlyReadyRevisionsServe() {
	w.Helper()
	route := new(servingv1.Route)
	if err := w.read("podinfo", route); err != nil {
		w.Fatal(err)
	}
	var sum int64
	for _, target := range route.Status.Traffic {
		if target.Percent == nil || *target.Percent == 0 {
			continue
		}
		sum += *target.Percent
		r := new(servingv1.Revision)
		if err := w.read(target.RevisionName, r); err != nil {
			w.Fatal(err)
		}
		if !r.IsReady() {
			w.Errorf("%s has %d %% and is not ready", target.RevisionName, *target.Percent)
		}
	}
	if sum != 100 {
		w.Errorf("the traffic sums to %d %%: %+v", sum, route.Status.Traffic)
	}
}

// With scope=cluster one daemon serves all namespaces. This test is not beside
// the others, whose Canaries it would take over.
func TestOneDaemonServesAllNamespaces(t *testing.T) {
	home := newWorld(t, "serin-system")
	home.install("scope=cluster", "loadtesterAlias=true")
	w := newWorld(t, "e2e-tenant")
	w.initialize(append([]string{"flagger-loadtester.test", "flagger-loadtester.serin-system"}, quick...)...)
	u := w.startUsers()
	w.push("6.0.1")
	w.awaitPromoted(2)
	u.noneFailed()
}
