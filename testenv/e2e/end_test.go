package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// goneBound is how long a namespace may take to go: Knative's pods drain for half a
// minute, and on two busy cores a dozen namespaces that go at the same time take some
// minutes. What hangs is there much longer.
const goneBound = 6 * time.Minute

// endings are the namespaces of all tests, which have to be gone in the end.
var endings struct {
	mu    sync.Mutex // guards names
	names []string
}

func noteEnding(namespace string) {
	endings.mu.Lock()
	defer endings.mu.Unlock()
	endings.names = append(endings.names, namespace)
}

// awaitEndings waits until all namespaces are gone. Every test ends by deleting
// its own, and waiting for them one by one would take half a minute each.
func awaitEndings() error {
	ctx, timeout := context.Background(), time.After(goneBound)
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	for _, name := range endings.names {
		for err := gone(ctx, name); err != nil; err = gone(ctx, name) {
			select {
			case <-ticker.C:
			case <-timeout:
				return fmt.Errorf("after %s: %w", goneBound, err)
			}
		}
	}
	return nil
}

// gone returns nil for a namespace that is gone, and else what it waits for.
func gone(ctx context.Context, name string) error {
	namespace := new(corev1.Namespace)
	err := the.client.Get(ctx, types.NamespacedName{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var reasons []string
	for _, c := range namespace.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			reasons = append(reasons, c.Message)
		}
	}
	return fmt.Errorf("namespace %s is still there, %s: %s", name, namespace.Status.Phase, strings.Join(reasons, "; "))
}

// awaitGone waits until the world's namespace is gone.
func (w *world) awaitGone() {
	w.Helper()
	w.until("namespace "+w.namespace+" is gone", goneBound, func() error { return gone(w.Context(), w.namespace) })
}

// delete deletes something as people do who wait for it.
func (w *world) delete(what ...string) {
	w.Helper()
	w.kubectl(append([]string{"delete", "--ignore-not-found", "--timeout=" + goneBound.String()}, what...)...)
}

// deleteNamespace begins to delete the namespace.
func (w *world) deleteNamespace() {
	w.Helper()
	w.kubectl("delete", "namespace", w.namespace, "--wait=false")
}

// reverting are replacements for a Canary that gives the traffic back.
var reverting = append([]string{"provider: knative", "provider: knative\n  revertOnDeletion: true"}, quick...)

// awaitLetGo waits until nothing of Serin's is left on the Service.
func (w *world) awaitLetGo() {
	w.Helper()
	w.until("the daemon lets go of the Service", patience, func() error {
		s := new(servingv1.Service)
		if err := w.read("podinfo", s); err != nil {
			return err
		}
		for name := range s.Annotations {
			if name == "flagger.app/primary-revision" || strings.HasPrefix(name, "serin.dev/") {
				return fmt.Errorf("it has the annotation %s", name)
			}
		}
		return nil
	})
}

// awaitReady waits until the nth revision could take traffic.
func (w *world) awaitReady(nth int) {
	w.Helper()
	w.until(revision(nth)+" is ready", patience, func() error {
		r := new(servingv1.Revision)
		if err := w.read(revision(nth), r); err != nil {
			return err
		}
		if !r.IsReady() {
			return errors.New("it is not")
		}
		return nil
	})
}

// The daemon, its rights and what it looks after go in whatever order the
// namespace's controller takes them.
func TestNamespaceIsDeletedWithEverythingInIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		canary []string
		runs   bool
	}{
		"rest":    {quick, false},
		"revert":  {reverting, false},
		"rollout": {reverting, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "e2e-end-"+name)
			w.install()
			w.initialize(tc.canary...)
			if tc.runs {
				w.push("6.0.1")
				w.awaitWeight(25)
			}
			w.deleteNamespace()
			w.awaitGone()
		})
	}
}

func TestCanaryServiceAndNamespaceAreDeletedInThisOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-end-order")
	w.install()
	w.initialize(quick...)
	u := w.startUsers()
	w.push("6.0.1")
	w.awaitWeight(25)

	w.delete("canary", "podinfo")
	w.serves(1)
	w.awaitLetGo()
	u.noneFailed()
	w.delete("services.serving.knative.dev", "podinfo")
	w.deleteNamespace()
	w.awaitGone()
}

func TestNamespaceServiceAndCanaryAreDeletedInThisOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-end-reverse")
	w.install()
	w.initialize(quick...)
	w.push("6.0.1")
	w.awaitWeight(25)

	w.deleteNamespace()
	w.delete("services.serving.knative.dev", "podinfo")
	w.delete("canary", "podinfo")
	w.awaitGone()
}

// Without a daemon the Service stays pinned, whatever is pushed, and serves; the
// next daemon does what the first one would have done.
func TestCanaryIsDeletedAfterTheDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-end-daemon")
	w.install()
	w.initialize(reverting...)
	u := w.startUsers()

	w.run(the.helm, "uninstall", "serin", "--wait", "--timeout=1m")
	w.delete("canary", "podinfo")
	if err := w.read("podinfo", new(v1beta1.Canary)); !apierrors.IsNotFound(err) {
		t.Errorf("the Canary is deleted: %v", err)
	}
	w.push("6.0.1")
	w.awaitReady(2)
	w.serves(1)

	w.install()
	w.awaitLetGo()
	w.serves(2)
	u.noneFailed()
}
