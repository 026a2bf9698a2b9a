package daemon_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// These are Services that are not fresh: on a real Knative, each with what was done to
// it before Serin came.

// target is a traffic target by hand; without a revision it is the latest one.
func target(revision, tag string, percent int64) servingv1.TrafficTarget {
	return servingv1.TrafficTarget{RevisionName: revision, Tag: tag, LatestRevision: new(revision == ""), Percent: &percent}
}

// twoRevisions is a Service with podinfo-00001 and podinfo-00002, divided by hand.
func twoRevisions(t *testing.T, divided ...servingv1.TrafficTarget) *world {
	w := newWorld(t)
	w.create(w.service)
	w.awaitReady("podinfo-00001")
	w.changeService(func(s *servingv1.Service) {
		s.Spec.Traffic = []servingv1.TrafficTarget{target("podinfo-00001", "", 100)}
	})
	w.push("6.0.1")
	w.awaitReady("podinfo-00002")
	w.changeService(func(s *servingv1.Service) { s.Spec.Traffic = divided })
	w.eventually("the Route shows the division by hand", func() bool {
		if w.service.Status.ObservedGeneration != w.service.Generation || !w.service.IsReady() {
			return false
		}
		for _, d := range divided {
			if d.RevisionName != "" && w.live(d.RevisionName) != *d.Percent {
				return false
			}
		}
		return true
	})
	return w
}

func (w *world) awaitReady(revision string) {
	w.Helper()
	w.eventually(revision+" is ready", func() bool { return w.service.Status.LatestReadyRevisionName == revision })
}

func TestHandMadeSplitIsKeptAndTheNewerRevisionAnalysed(t *testing.T) {
	w := twoRevisions(t, target("podinfo-00001", "", 90), target("podinfo-00002", "", 10))
	w.daemon(daemon.Config{})
	w.create(w.canary)
	shares := []int64{10}
	w.eventually("analysis of the newer one", func() bool {
		if share := w.live("podinfo-00002"); share != shares[len(shares)-1] {
			shares = append(shares, share)
		}
		return w.canary.Status.Analysis != nil && w.canary.Status.Analysis.CanaryRevision == "podinfo-00002"
	})
	if w.canary.Status.LastPromotedSpec != "podinfo-00001" || slices.Max(shares) != 10 {
		t.Errorf("primary %s, shares of the newer one over time %v", w.canary.Status.LastPromotedSpec, shares)
	}
	w.awaitEvent("podinfo-00001 has 90 % of the live traffic and becomes the primary revision of podinfo." + w.namespace +
		"; podinfo-00002 is newer, has 10 %, and is analysed like any new revision")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
}

func TestStagedRevisionIsLeftUntilSomebodyAsks(t *testing.T) {
	w := twoRevisions(t, target("podinfo-00001", "", 100), target("podinfo-00002", "green", 0))
	w.daemon(daemon.Config{})
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.awaitEvent("podinfo-00002 is newer, has no live traffic, and is left so: to roll it out run serin retry podinfo -n " + w.namespace)
	w.changeCanary(func(c *v1beta1.Canary) {
		if c.Status.Analysis != nil {
			t.Errorf("it is rolled out: %+v", c.Status.Analysis)
		}
		c.Annotations = map[string]string{v1beta1.RetryAnnotation: "now"}
	})
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
}

// What an earlier Canary, or Flagger, wrote long ago says nothing of who serves now.
func TestStaleAnnotationMovesNobody(t *testing.T) {
	w := newWorld(t)
	w.service.Annotations = map[string]string{"flagger.app/primary-revision": "podinfo-00001"}
	w.create(w.service)
	w.awaitReady("podinfo-00001")
	w.push("6.0.1")
	w.awaitReady("podinfo-00002")
	w.daemon(daemon.Config{})
	w.create(w.canary)
	w.eventually("initialized", func() bool {
		if w.live("podinfo-00001") > 0 && w.service.Status.ObservedGeneration == w.service.Generation && w.canary.Status.Phase != "" {
			t.Fatalf("users are moved back: %+v", w.service.Status.Traffic)
		}
		return w.canary.Status.Phase == v1beta1.PhaseInitialized
	})
	if w.service.Annotations["flagger.app/primary-revision"] != "podinfo-00002" {
		t.Errorf("annotations %v", w.service.Annotations)
	}
}

// Whatever Flagger was doing, its hashes are not revisions.
func TestStatusThatFlaggerLeftIsReplaced(t *testing.T) {
	for _, phase := range []v1beta1.Phase{v1beta1.PhaseFinalising, v1beta1.PhaseProgressing, v1beta1.PhaseFailed} {
		t.Run(string(phase), func(t *testing.T) {
			w := newWorld(t)
			w.create(w.service)
			w.create(w.canary)
			w.canary.Status = v1beta1.CanaryStatus{Phase: phase, CanaryWeight: 30, LastAppliedSpec: "7d4f9c5b6", LastPromotedSpec: "5f8d6c7b9"}
			if err := env.Client.Status().Update(t.Context(), w.canary); err != nil {
				t.Fatal(err)
			}
			w.daemon(daemon.Config{})
			w.awaitPhase(v1beta1.PhaseInitialized)
			w.push("6.0.1")
			w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
		})
	}
}

// A Canary that cannot be honoured is pinned first, and held then: the next bad push
// reaches nobody.
func TestCanaryThatCannotBeHonouredIsPinnedFirst(t *testing.T) {
	for name, edit := range map[string]func(*v1beta1.Analysis){
		"templateRef": func(a *v1beta1.Analysis) {
			a.Metrics = append(a.Metrics, v1beta1.Metric{Name: "latency", TemplateRef: &v1beta1.ObjectRef{Name: "latency"}})
		},
		"unknown metric": func(a *v1beta1.Analysis) { a.Metrics = append(a.Metrics, v1beta1.Metric{Name: "happiness"}) },
		"match on a cookie": func(a *v1beta1.Analysis) {
			a.StepWeight, a.MaxWeight, a.Iterations = nil, nil, new(int32(3))
			a.Match = []v1beta1.Match{{}}
		},
		"bad hey command": func(a *v1beta1.Analysis) {
			a.Load = nil
			a.Webhooks = []v1beta1.Webhook{{Name: "load", URL: "http://loadtester/", Metadata: map[string]string{"cmd": "hey -q many http://podinfo"}}}
		},
		"more samples than the rate gives": func(a *v1beta1.Analysis) { a.MinSamples = new(int32(1_000_000)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			edit(&w.canary.Spec.Analysis)
			w.daemon(daemon.Config{})
			w.create(w.service)
			w.create(w.canary)
			w.awaitPhase(v1beta1.PhaseInitialized)
			w.push("6.0.1", "--random-error=true")
			w.awaitReady("podinfo-00002")
			w.eventually("it is held", func() bool {
				c := w.canary.Status.Condition(v1beta1.ConditionPromoted)
				return c != nil && strings.Contains(c.Message, "spec.analysis")
			})
			if w.live("podinfo-00001") != 100 || w.canary.Status.Analysis != nil {
				t.Errorf("traffic %+v, analysis %+v", w.service.Status.Traffic, w.canary.Status.Analysis)
			}
		})
	}
}

func TestNameThatIsTooLongForTheTagsIsRefusedBeforeTheFirstWrite(t *testing.T) {
	w := newWorld(t)
	w.service.Name = "payments-settlement-reconciliation-worker-eu-west-1-prod" // 56 characters
	w.canary.Spec.TargetRef.Name = w.service.Name
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitEvent("the longest name that works here has 55 characters, this one has 56")
	w.read(w.service)
	if len(w.service.Spec.Traffic) > 1 || w.service.Annotations["serin.dev/canary"] != "" {
		t.Errorf("it is written: %+v, %v", w.service.Spec.Traffic, w.service.Annotations)
	}
	w.eventually("the Service is ready", func() bool { return w.service.IsReady() })
}

func TestSuspendedFromTheStartWritesNothingAndSaysSo(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Suspend = true
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitEvent("is not pinned: every push goes live at once")
	c := w.canary.Status.Condition(v1beta1.ConditionPromoted)
	if c == nil || !strings.Contains(c.Message, "spec.suspend is true") || w.canary.Status.Phase != v1beta1.PhaseInitializing {
		t.Errorf("status %+v", w.canary.Status)
	}
	w.read(w.service)
	if w.service.Annotations["serin.dev/canary"] != "" {
		t.Errorf("annotations %v", w.service.Annotations)
	}
	w.changeCanary(func(c *v1beta1.Canary) { c.Spec.Suspend = false })
	w.awaitPhase(v1beta1.PhaseInitialized)
}

// A Canary and its Service are applied together, the Canary first.
func TestCanaryBeforeItsServiceIsNoReasonToWarn(t *testing.T) {
	w := newWorld(t)
	w.daemon(daemon.Config{})
	w.create(w.canary)
	w.eventually("the daemon has seen it", func() bool { return w.canary.Status.Phase != "" })
	w.create(w.service)
	w.awaitPhase(v1beta1.PhaseInitialized)
	for _, e := range w.events() {
		if strings.HasPrefix(e, corev1.EventTypeWarning) {
			t.Errorf("a warning: %s", e)
		}
	}
}

func TestTagsOfTheUserAreTakenWithAWarningAndGivenBack(t *testing.T) {
	w := twoRevisions(t, target("podinfo-00002", "", 100), target("podinfo-00001", "canary", 0), target("podinfo-00001", "beta", 0))
	w.daemon(daemon.Config{})
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.awaitEvent("has tags that Serin needs: canary (of podinfo-00001); they are given back when canary podinfo." + w.namespace + " is deleted")
	if err := env.Client.Delete(t.Context(), w.canary); err != nil {
		t.Fatal(err)
	}
	w.eventually("the tag is given back", func() bool {
		return slices.ContainsFunc(w.service.Spec.Traffic, func(t servingv1.TrafficTarget) bool {
			return t.Tag == "canary" && t.RevisionName == "podinfo-00001"
		})
	})
	if w.live("podinfo-00002") != 100 || len(w.service.Annotations["serin.dev/canary"]) != 0 {
		t.Errorf("traffic %+v, annotations %v", w.service.Spec.Traffic, w.service.Annotations)
	}
}

func TestPrimaryThatIsDeletedIsFollowedByTheOneBefore(t *testing.T) {
	w := initialized(t)
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	w.push("6.0.2", "--random-error=true")
	w.awaitOutcome("podinfo-00003", v1beta1.PhaseFailed)
	w.deleteRevision("podinfo-00002")
	w.eventually("podinfo-00001 takes over", func() bool {
		if w.live("podinfo-00003") > 0 {
			t.Fatalf("users are at a revision that failed: %+v", w.service.Status.Traffic)
		}
		return w.live("podinfo-00001") == 100 && w.canary.Status.LastPromotedSpec == "podinfo-00001"
	})
	w.awaitEvent("Primary revision podinfo-00002 of podinfo." + w.namespace + " does not exist any more: podinfo-00001, which was promoted before, takes over")
}

func (w *world) deleteRevision(name string) {
	w.Helper()
	revision := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	if err := env.Client.Delete(w.Context(), revision); err != nil {
		w.Fatal(err)
	}
}

// Knative makes the newest revision again, under its name: it is another one.
func TestCanaryRevisionThatIsDeletedFailsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Analysis.Interval = "30s"
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.eventually("a check runs", func() bool {
		return w.canary.Status.Analysis != nil && w.canary.Status.Analysis.Stage == v1beta1.StageMeasuring
	})
	w.deleteRevision("podinfo-00002")
	w.awaitEvent("Rolling back podinfo." + w.namespace + " revision podinfo-00002 was deleted")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
}

// The Service is made again while the daemon is away: its revisions have the names of
// the old ones.
func TestServiceMadeAgainWhileTheDaemonWasAway(t *testing.T) {
	w := newWorld(t)
	stop := w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	stop()
	if err := env.Client.Delete(t.Context(), w.service, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		t.Fatal(err)
	}
	w.eventually("the Service is gone", func() bool {
		return apierrors.IsNotFound(env.Client.Get(context.Background(), client.ObjectKeyFromObject(w.service), new(servingv1.Service)))
	})
	w.service = newService(w.namespace)
	w.create(w.service)
	w.awaitReady("podinfo-00001")
	w.daemon(daemon.Config{})
	w.eventually("initialized again", func() bool {
		return w.canary.Status.Phase == v1beta1.PhaseInitialized && w.canary.Status.ServiceUID == w.service.UID
	})
	w.push("6.0.1", "--random-error=true")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	if w.live("podinfo-00001") != 100 {
		t.Errorf("traffic %+v", w.service.Status.Traffic)
	}
}

// A Canary of another provider is somebody else's: not written, and not mentioned.
func TestCanariesOfOthersAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	theirs := make([]*v1beta1.Canary, 0, 2)
	for name, edit := range map[string]func(*v1beta1.CanarySpec){
		"istio":      func(s *v1beta1.CanarySpec) { s.Provider = "istio" },
		"deployment": func(s *v1beta1.CanarySpec) { s.TargetRef.APIVersion, s.TargetRef.Kind = "apps/v1", "Deployment" },
	} {
		canary := w.canary.DeepCopy()
		canary.Name = name
		edit(&canary.Spec)
		w.create(canary)
		canary.Status = v1beta1.CanaryStatus{Phase: v1beta1.PhaseProgressing, CanaryWeight: 30, LastAppliedSpec: "7d4f9c5b6", LastPromotedSpec: "5f8d6c7b9"}
		if err := env.Client.Status().Update(t.Context(), canary); err != nil {
			t.Fatal(err)
		}
		theirs = append(theirs, canary)
	}
	listen := freeAddress(t, "127.0.0.1")
	w.daemon(daemon.Config{Listen: listen})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized) // so the others have been seen
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	for _, canary := range theirs {
		before := canary.ResourceVersion
		w.read(canary)
		if canary.ResourceVersion != before || len(canary.Finalizers) > 0 {
			t.Errorf("%s was written: %+v", canary.Name, canary)
		}
	}
	var events corev1.EventList
	if err := env.Client.List(t.Context(), &events, client.InNamespace(w.namespace)); err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Items {
		if e.InvolvedObject.Kind == "Canary" && e.InvolvedObject.Name != "podinfo" {
			t.Errorf("an event on %s: %s", e.InvolvedObject.Name, e.Message)
		}
	}
	if metrics := get(t, listen, "/metrics"); !strings.Contains(metrics, `flagger_canary_total{namespace="`+w.namespace+`"} 1`) {
		t.Errorf("others are counted:\n%s", metrics)
	}
}
