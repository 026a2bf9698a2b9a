package daemon_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// applyManifest applies a manifest that has traffic in it, as a GitOps tool does.
func (w *world) applyManifest(tag string, flags ...string) {
	w.Helper()
	manifest := newService(w.namespace)
	manifest.SetGroupVersionKind(servingv1.SchemeGroupVersion.WithKind("Service"))
	c := &manifest.Spec.Template.Spec.Containers[0]
	c.Image = "ghcr.io/stefanprodan/podinfo:" + tag
	c.Command = append(c.Command[:7], append([]string{"--random-error=false"}, flags...)...)
	manifest.Spec.Traffic = []servingv1.TrafficTarget{target("", "", 100)}
	if err := env.Client.Patch(w.Context(), manifest, client.Apply, client.FieldOwner("gitops"), client.ForceOwnership); err != nil { //nolint:staticcheck // the untyped way is the one that a manifest takes
		w.Error(err)
	}
}

// exposure samples who serves the users of a Service, until it is stopped.
type exposure struct {
	mu       sync.Mutex // guards what follows
	by       map[string]time.Duration
	longest  time.Duration // without a break at the revision that is watched
	requests map[string]int
}

// expose asks the Service's public host again and again, and takes the time between two
// answers as that of the revision that gave the second one: "good" is the one that
// answers as podinfo does, "bad" the other, whose answers are errors at times.
func (w *world) expose() (stop func() *exposure) {
	e := &exposure{by: map[string]time.Duration{}, requests: map[string]int{}}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		last, since := time.Now(), time.Duration(0)
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
			version := w.version()
			now := time.Now()
			e.mu.Lock()
			e.by[version] += now.Sub(last)
			e.requests[version]++
			since += now.Sub(last)
			if version != "bad" {
				since = 0
			}
			e.longest = max(e.longest, since)
			e.mu.Unlock()
			last = now
		}
	}()
	return func() *exposure {
		close(ended)
		<-done
		return e
	}
}

// version is what a user is shown.
func (w *world) version() string {
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+env.Gateway+"/", http.NoBody)
	if err != nil {
		return err.Error()
	}
	request.Host = "podinfo." + w.namespace + ".localhost"
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "bad"
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct{ Message string }
	if json.NewDecoder(response.Body).Decode(&answer) == nil && strings.HasPrefix(answer.Message, "greetings from podinfo") {
		return "good"
	}
	return "bad"
}

// A manifest that has traffic is applied every second while a bad revision is rolled
// out and after it has failed. Serin's division is put back each time, at once; the
// status says what is; and the loop is no hotter than its cause.
func TestManifestWithTrafficIsPutBackEachTime(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.ProgressDeadlineSeconds = new(int32(5))
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	stop := w.expose()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	began, applied, saysSo := time.Now(), 0, false
	var generation int64
	for w.canary.Status.Phase != v1beta1.PhaseFailed || applied < 20 {
		w.applyManifest("6.0.1", "--ui-message=bad", "--random-error=true")
		applied++
		if applied == 1 {
			w.read(w.service)
			generation = w.service.Generation
		}
		for waiting := true; waiting; {
			select {
			case <-ticker.C:
				waiting = false
			case <-time.After(20 * time.Millisecond):
			}
			w.read(w.canary)
			c := w.canary.Status.Condition(v1beta1.ConditionTrafficApplied)
			saysSo = saysSo || c != nil && c.Status == corev1.ConditionFalse && strings.Contains(c.Message, "spec.traffic was changed by gitops at ") && w.canary.Status.CanaryWeight == 100
		}
		if applied > 90 {
			t.Fatalf("the bad revision has not failed: %+v", w.canary.Status)
		}
	}
	w.eventually("it is put back", func() bool { return w.live("podinfo-00001") == 100 })
	seen := stop()
	t.Logf("%d times applied in %.1f s: users were %.2f s with the bad revision, %.0f ms at a time at most; answers %v",
		applied, time.Since(began).Seconds(), seen.by["bad"].Seconds(), float64(seen.longest.Milliseconds()), seen.requests)
	if !saysSo {
		t.Error("the status has never said that the division was not in force, by whom, and what the Route showed")
	}
	// Each write of theirs has one of Serin's as its answer, and the rollout has its own.
	if writes := w.service.Generation - generation; writes > int64(2*applied+10) {
		t.Errorf("%d generations for %d manifests", writes, applied)
	}
	w.awaitEvent("spec.traffic of service " + w.namespace + "/podinfo was changed by gitops and is put back: take traffic out of its manifest")
	for _, e := range w.events() {
		if strings.Contains(e, "was changed by gitops") && !strings.HasSuffix(e, "(1)") {
			t.Errorf("it is said again and again: %s", e)
		}
	}
}

// After a promotion somebody finds that it is bad. What Knative's documentation says is
// put back, and the event says what to do; that works, and lasts.
func TestRollbackByHandInAnIncident(t *testing.T) {
	w := initialized(t)
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	w.changeService(func(s *servingv1.Service) {
		s.Spec.Traffic = []servingv1.TrafficTarget{target("podinfo-00001", "", 100)}
	})
	w.awaitEvent("run serin rollback podinfo -n " + w.namespace + " or annotate the canary with serin.dev/rollback")
	w.eventually("it is put back", func() bool { return w.live("podinfo-00002") == 100 })

	annotation, value, err := w.canary.Give(v1beta1.CommandRollback, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.changeCanary(func(c *v1beta1.Canary) { c.Annotations = map[string]string{annotation: *value} })
	w.eventually("the previous revision serves", func() bool { return w.live("podinfo-00001") == 100 && w.canary.Status.Phase == v1beta1.PhaseFailed })
	w.push("6.0.2")
	w.awaitOutcome("podinfo-00003", v1beta1.PhaseSucceeded)
	if got := w.canary.Status.Failed; len(got) != 1 || got[0] != "podinfo-00002" {
		t.Errorf("failed revisions %v", got)
	}
}

// Two daemons that do not know of each other serve a namespace.
func TestTwoDaemonsOneActsAndBothSaySo(t *testing.T) {
	w := newWorld(t)
	stop := w.daemon(daemon.Config{Identity: "first", Listen: freeAddress(t, "127.0.0.1")})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	listen := freeAddress(t, "127.0.0.1")
	w.daemon(daemon.Config{Identity: "second", Listen: listen})
	w.awaitEvent("Daemon first acts on podinfo." + w.namespace + ", second stands by")
	w.awaitEvent("Daemon second serves podinfo." + w.namespace + " as well and stands by, first acts")
	w.eventually("/readyz says so", func() bool {
		return strings.Contains(get(t, listen, "/readyz"), "daemon first serves "+w.namespace+"/podinfo as well")
	})
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	if got := w.canary.Status.Daemon.Identity; got != "first" {
		t.Errorf("%s has acted", got)
	}
	stop()                                   // and the second one finds that out when it asks again
	w.changeCanary(func(c *v1beta1.Canary) { // as if it had answered long ago
		c.Labels = map[string]string{"touched": "yes"}
	})
	w.canary.Status.Daemon.Time = metav1.NewMicroTime(time.Now().Add(-time.Hour))
	if err := env.Client.Status().Update(t.Context(), w.canary); err != nil {
		t.Fatal(err)
	}
	w.awaitEvent("Daemon first does not answer: second acts on podinfo." + w.namespace + " from now on")
	w.push("6.0.2")
	w.awaitOutcome("podinfo-00003", v1beta1.PhaseSucceeded)
}

func get(t *testing.T, address, path string) string {
	t.Helper()
	response, err := http.Get("http://" + address + path) //nolint:noctx // on loopback
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Nothing waits for a daemon: not a namespace with everything in it, whether a daemon
// serves it or not.
func TestNamespaceIsDeletedWithEverythingInIt(t *testing.T) {
	for name, tc := range map[string]struct{ revert, away, running bool }{
		"at rest": {}, "to be reverted": {revert: true}, "to be reverted, without a daemon": {revert: true, away: true},
		"in mid-rollout": {running: true}, "in mid-rollout, without a daemon": {running: true, away: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.canary.Spec.RevertOnDeletion = tc.revert
			w.canary.Spec.Analysis.Interval = "10s"
			stop := w.daemon(daemon.Config{})
			w.create(w.service)
			w.create(w.canary)
			w.awaitPhase(v1beta1.PhaseInitialized)
			if tc.running {
				w.push("6.0.1")
				w.eventually("a check runs", func() bool {
					return w.canary.Status.Analysis != nil && w.canary.Status.Analysis.Stage == v1beta1.StageMeasuring
				})
			}
			if len(w.canary.Finalizers) != 0 {
				t.Errorf("finalizers %v", w.canary.Finalizers)
			}
			if tc.away {
				stop()
			}
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
			if err := env.Client.Delete(t.Context(), namespace); err != nil {
				t.Fatal(err)
			}
			w.eventually("the namespace is gone", func() bool {
				return apierrors.IsNotFound(env.Client.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
			})
		})
	}
}

// A Canary is deleted while the daemon is away. What it did is undone when one is back.
func TestCanaryDeletedWhileTheDaemonWasAway(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.RevertOnDeletion = true
	stop := w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	stop()
	if err := env.Client.Delete(t.Context(), w.canary); err != nil {
		t.Fatal(err)
	}
	w.daemon(daemon.Config{})
	w.eventually("the traffic is given back", func() bool {
		return len(w.service.Annotations["serin.dev/canary"]) == 0 && len(w.service.Spec.Traffic) == 1 && w.service.Spec.Traffic[0].RevisionName == ""
	})
	w.withoutAnnotations()
}

// Giving the traffic back would hand the users to a revision that was rolled back.
func TestRevertDoesNotHandUsersToARevisionThatFailed(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.RevertOnDeletion = true
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1", "--random-error=true")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	if err := env.Client.Delete(t.Context(), w.canary); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is said on the Service", func() bool {
		var events corev1.EventList
		if err := env.Client.List(t.Context(), &events, client.InNamespace(w.namespace)); err != nil {
			return false
		}
		for _, e := range events.Items {
			if e.InvolvedObject.Kind == "Service" && strings.Contains(e.Message, "is not given back: it would give users to podinfo-00002, which was rolled back; podinfo-00001 stays pinned") {
				return true
			}
		}
		return false
	})
	w.read(w.service)
	w.withoutAnnotations()
	if w.live("podinfo-00001") != 100 {
		t.Errorf("traffic %+v", w.service.Status.Traffic)
	}
}
