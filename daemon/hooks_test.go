package daemon_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// listener keeps what is posted to it, and answers with the current status.
type listener struct {
	*httptest.Server
	status atomic.Int64

	mu     sync.Mutex
	posted []string
}

func listen(t *testing.T) *listener {
	l := new(listener)
	l.status.Store(http.StatusOK)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		l.posted = append(l.posted, string(body))
		l.mu.Unlock()
		w.WriteHeader(int(l.status.Load()))
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) heard(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(strings.Join(l.posted, "\n"), part)
}

// A promotion waits for its hook, its people hear of it, and an annotation lets
// it pass.
func TestPromotionWaitsForApproval(t *testing.T) {
	w := newWorld(t)
	gate, events, people := listen(t), listen(t), listen(t)
	gate.status.Store(http.StatusForbidden)
	provider := &v1beta1.AlertProvider{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "people"}}
	provider.Spec.Type, provider.Spec.Address = v1beta1.AlertWebhook, people.URL
	w.create(provider)
	a := &w.canary.Spec.Analysis
	a.Webhooks = []v1beta1.Webhook{
		{Name: "gate", Type: v1beta1.ConfirmPromotionHook, URL: gate.URL},
		{Name: "events", Type: v1beta1.EventHook, URL: events.URL},
	}
	a.Alerts = []v1beta1.Alert{{Name: "us", Severity: "info", ProviderRef: v1beta1.ObjectRef{Name: "people"}}}
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.awaitPhase(v1beta1.PhaseWaitingPromotion)
	w.awaitEvent("Warning Halt podinfo." + w.namespace + " advancement waiting for promotion approval gate")
	if w.live("podinfo-00002") != 50 || w.canary.Status.CanaryWeight != 50 {
		t.Errorf("%d percent at the canary revision, status %+v", w.live("podinfo-00002"), w.canary.Status)
	}
	w.changeCanary(func(c *v1beta1.Canary) { c.Annotations = map[string]string{v1beta1.ApproveAnnotation: "now"} })
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	for _, part := range []string{"waiting for promotion approval gate", "Promotion completed!"} {
		w.eventually("people hear: "+part, func() bool { return people.heard(part) })
		w.eventually("the event hook hears: "+part, func() bool { return events.heard(part) })
	}
	if people.heard("Advance podinfo") {
		t.Error("people hear of every step")
	}
}

func TestAbortByAnnotation(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Analysis.Interval = "1h" // nothing would happen by itself
	w.canary.Spec.Analysis.Watch = &v1beta1.Watch{Duration: "1h"}
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.eventually("a check runs", func() bool {
		return w.canary.Status.Analysis != nil && w.canary.Status.Analysis.Stage == v1beta1.StageMeasuring
	})
	w.changeCanary(func(c *v1beta1.Canary) {
		c.Annotations = map[string]string{v1beta1.AbortAnnotation: "podinfo-00002/now"}
	})
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	w.changeCanary(func(c *v1beta1.Canary) {
		c.Annotations[v1beta1.RetryAnnotation] = "again"
		c.Spec.Analysis.Interval = "1s"
		c.Spec.Analysis.Watch = nil
	})
	w.awaitEvent("Trying podinfo-00002 again")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
}

// Set back to the template before, the Service needs one check, not three.
func TestWayBackIsShort(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Analysis.RollbackWindow = "1h"
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	w.push("6.0.0")
	w.awaitOutcome("podinfo-00003", v1beta1.PhaseSucceeded)
	if a := w.canary.Status.Analysis; !a.Known || a.Check != 2 {
		t.Errorf("known %v, after %d checks", a.Known, a.Check-1)
	}
	w.awaitEvent("podinfo-00003 is podinfo-00001 again")
}

// A revision that goes bad after its promotion is taken back.
func TestWatchTakesThePromotionBack(t *testing.T) {
	w := newWorld(t)
	a := &w.canary.Spec.Analysis
	a.Watch = &v1beta1.Watch{Duration: "1h"}
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.eventually("the watch", func() bool {
		return w.canary.Status.Analysis != nil && w.canary.Status.Analysis.Stage == v1beta1.StageWatching && w.live("podinfo-00002") == 100
	})
	// What was good is not good enough any more.
	w.changeCanary(func(c *v1beta1.Canary) { c.Spec.Analysis.Metrics[1].ThresholdRange.Max = new(0.001) })
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	if w.live("podinfo-00001") != 100 {
		t.Errorf("traffic %+v", w.service.Status.Traffic)
	}
}

// Where Knative cannot choose users by a header, an A/B rollout is refused. Where
// it can, only they reach the canary revision before it is promoted.
func TestD16ABRolloutReachesTheUsersWhoMatch(t *testing.T) {
	w := newWorld(t)
	a := &w.canary.Spec.Analysis
	a.StepWeight, a.MaxWeight, a.Iterations = nil, nil, new(int32(2))
	a.Match = []v1beta1.Match{{Headers: &apiextensionsv1.JSON{Raw: []byte(`{"knative-serving-tag": {"exact": "canary"}}`)}}}
	w.canary.Annotations = map[string]string{v1beta1.HaltAnnotation: "promotion"}
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitEvent("needs Knative's feature tag-header-based-routing: set it to enabled in ConfigMap knative-serving/config-features")

	w.enable("tag-header-based-routing")
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.awaitPhase(v1beta1.PhaseWaitingPromotion)
	if !w.reaches("canary", "podinfo-00002") {
		t.Error("users who match do not reach the canary revision")
	}
	for range 20 {
		if !w.reaches("", "podinfo-00001") {
			t.Fatal("a user who does not match does not reach the primary revision")
		}
	}
	w.changeCanary(func(c *v1beta1.Canary) { delete(c.Annotations, v1beta1.HaltAnnotation) })
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
}

// enable turns a feature of Knative on.
func (w *world) enable(feature string) {
	w.Helper()
	patch := fmt.Sprintf(`{"data": {%q: "enabled"}}`, feature)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "knative-serving", Name: "config-features"}}
	if err := env.Client.Patch(w.Context(), config, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		w.Fatal(err)
	}
}

// reaches reports whether the public host leads a user, with that tag in the
// header, to the revision.
func (w *world) reaches(tag, revision string) bool {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+env.Gateway+"/env", nil)
	if err != nil {
		w.Fatal(err)
	}
	req.Host = "podinfo." + w.namespace
	if tag != "" {
		req.Header.Set(v1beta1.TagHeader, tag)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return strings.Contains(string(body), revision)
}
