package daemon_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// users ask the public host again and again until stop, which returns how many
// requests were answered and what else happened.
func (w *world) users() (stop func() (answered int, failures []string)) {
	ctx, cancel := context.WithCancel(w.Context())
	var wg sync.WaitGroup
	var answered int
	var failures []string
	wg.Go(func() {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		for ctx.Err() == nil {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+env.Gateway+"/env", nil)
			if err != nil {
				failures = append(failures, err.Error())
				return
			}
			req.Host = "podinfo." + w.namespace
			resp, err := transport.RoundTrip(req)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				failures = append(failures, err.Error())
			case resp.StatusCode != http.StatusOK:
				failures = append(failures, resp.Status)
			default:
				answered++
			}
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		}
	})
	return func() (int, []string) {
		cancel()
		wg.Wait()
		return answered, failures
	}
}

func TestInitializationPinsTheServingRevision(t *testing.T) {
	w := initialized(t)
	if w.live("podinfo-00001") != 100 || w.service.Annotations["flagger.app/primary-revision"] != "podinfo-00001" {
		t.Errorf("traffic %+v, annotations %v", w.service.Status.Traffic, w.service.Annotations)
	}
	for _, target := range w.service.Spec.Traffic {
		if target.LatestRevision != nil && *target.LatestRevision {
			t.Errorf("the latest revision gets traffic by itself: %+v", target)
		}
	}
	c := w.canary.Status.Condition(v1beta1.ConditionPromoted)
	if c == nil || c.Status != corev1.ConditionTrue || c.Reason != "Initialized" {
		t.Errorf("condition %+v", c)
	}
	w.awaitEvent("Normal Initialization done! podinfo." + w.namespace)
}

func TestGoodRevisionIsPromotedAndNobodyNotices(t *testing.T) {
	w := initialized(t)
	stop := w.users()
	w.push("6.0.1")
	seen := map[int64]bool{}
	w.eventually("promotion", func() bool {
		seen[w.live("podinfo-00002")] = true
		return w.canary.Status.Phase == v1beta1.PhaseSucceeded
	})
	answered, failures := stop()
	if len(failures) > 0 || answered == 0 {
		t.Errorf("of %d requests of users %d failed: %v", answered+len(failures), len(failures), failures)
	}
	for _, weight := range []int64{0, 25, 50, 100} {
		if !seen[weight] {
			t.Errorf("the Route never showed %d percent, only %v", weight, seen)
		}
	}
	a := w.canary.Status.Analysis
	if w.live("podinfo-00002") != 100 || w.canary.Status.LastPromotedSpec != "podinfo-00002" || a == nil || a.Canary == nil {
		t.Fatalf("status %+v", w.canary.Status)
	}
	// Three checks of a second at 40 requests/s.
	if a.Canary.Requests < 100 || a.Canary.SuccessRatePercent != 100 || a.Canary.P99Milliseconds <= 0 || a.Primary.Requests < 100 {
		t.Errorf("measured canary %+v, primary %+v", a.Canary, a.Primary)
	}
	w.awaitEvent("Normal Promotion completed!")
}

func TestErrorsRollBack(t *testing.T) {
	w := initialized(t)
	w.push("6.0.2", "--random-error=true")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	if w.live("podinfo-00001") != 100 || len(w.service.Spec.Traffic) != 1 {
		t.Errorf("traffic %+v, want the primary revision alone", w.service.Spec.Traffic)
	}
	w.awaitEvent("advancement success rate")
	w.awaitEvent("Warning Rolling back podinfo." + w.namespace + " failed checks threshold reached 2")
	failed := &servingv1.Revision{}
	failed.Namespace, failed.Name = w.namespace, "podinfo-00002"
	w.eventually("the failed revision scales down", func() bool {
		w.read(failed)
		return failed.Status.GetCondition(servingv1.RevisionConditionActive).IsFalse()
	})
}

func TestLatencyRollsBack(t *testing.T) {
	w := newWorld(t)
	// The guide's hook, at the path that takes a second.
	w.canary.Spec.Analysis.Load = nil
	w.canary.Spec.Analysis.Interval = "3s"
	w.canary.Spec.Analysis.Metrics[1].ThresholdRange.Max = new(500.0)
	w.canary.Spec.Analysis.Webhooks = []v1beta1.Webhook{{
		Name: "load-test", URL: "http://flagger-loadtester.test/", Timeout: "5s",
		Metadata: map[string]string{"type": "cmd", "cmd": "hey -z 1m -q 10 -c 2 http://podinfo.test/delay/1", "logCmdOutput": "true"},
	}}
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.3")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	w.awaitEvent("Starting canary analysis for podinfo." + w.namespace + ": GET /delay/1 at 20 requests/s to each revision")
	w.awaitEvent("advancement request duration ")
}

func TestRevisionThatNeverGetsReadyIsRolledBack(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.ProgressDeadlineSeconds = new(int32(4))
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.4", "--no-such-flag")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	w.awaitEvent("progress deadline exceeded revision podinfo-00002 is not ready")
	if w.live("podinfo-00001") != 100 || !w.service.IsReady() && w.service.Status.GetCondition(servingv1.ServiceConditionRoutesReady).IsFalse() {
		t.Errorf("status %+v", w.service.Status)
	}
	// A good one afterwards is taken up.
	w.changeCanary(func(c *v1beta1.Canary) { c.Spec.ProgressDeadlineSeconds = new(int32(60)) })
	w.push("6.0.5")
	w.awaitOutcome("podinfo-00003", v1beta1.PhaseSucceeded)
}

func TestNewRevisionDuringAnalysisGetsNoTraffic(t *testing.T) {
	w := initialized(t)
	w.push("6.0.1")
	w.eventually("the second revision has live traffic", func() bool { return w.live("podinfo-00002") > 0 })
	w.push("6.0.2", "--random-error=true")
	w.eventually("the analysis restarts", func() bool {
		if got := w.live("podinfo-00003"); got > 0 {
			t.Fatalf("an unanalysed revision has %d percent", got)
		}
		return w.canary.Status.LastAppliedSpec == "podinfo-00003"
	})
	w.eventually("failure of the third revision", func() bool {
		if got := w.live("podinfo-00003"); got > 0 {
			t.Fatalf("a failing revision has %d percent", got)
		}
		return w.canary.Status.Phase == v1beta1.PhaseFailed
	})
	if w.live("podinfo-00001") != 100 {
		t.Errorf("traffic %+v", w.service.Status.Traffic)
	}
	w.awaitEvent("New revision detected! Restarting analysis for podinfo." + w.namespace)
}

func TestKilledDaemonIsFollowedByOneThatFinishes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		flags []string
		want  v1beta1.Phase
		live  string
	}{
		{"promotion", nil, v1beta1.PhaseSucceeded, "podinfo-00002"},
		{"rollback", []string{"--random-error=true"}, v1beta1.PhaseFailed, "podinfo-00001"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			kill := w.child()
			w.create(w.service)
			w.create(w.canary)
			w.awaitPhase(v1beta1.PhaseInitialized)
			w.push("6.0.1", tc.flags...)
			w.eventually("the first check has ended", func() bool {
				a := w.canary.Status.Analysis
				return a != nil && a.Check > 1
			})
			kill()
			w.child()
			w.awaitOutcome("podinfo-00002", tc.want)
			if w.live(tc.live) != 100 {
				t.Errorf("traffic %+v, want all at %s", w.service.Status.Traffic, tc.live)
			}
		})
	}
}

func TestAnotherDaemonTakesOver(t *testing.T) {
	w := newWorld(t)
	config := daemon.Config{LeaderElection: true, LeaseNamespace: w.namespace}
	stop := w.daemon(config)
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.daemon(config)
	w.push("6.0.1")
	w.eventually("the second revision has live traffic", func() bool { return w.live("podinfo-00002") > 0 })
	stop()
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
}

func TestDeletedCanaryLeavesThePrimary(t *testing.T) {
	w := initialized(t)
	w.push("6.0.1")
	w.eventually("the second revision has live traffic", func() bool { return w.live("podinfo-00002") > 0 })
	if err := env.Client.Delete(t.Context(), w.canary); err != nil {
		t.Fatal(err)
	}
	w.eventually("all traffic is back", func() bool { return w.live("podinfo-00001") == 100 && len(w.service.Spec.Traffic) == 1 })
	w.withoutAnnotations()
}

func TestRevertOnDeletionGivesTheTrafficBack(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.RevertOnDeletion = true
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	if err := env.Client.Delete(t.Context(), w.canary); err != nil {
		t.Fatal(err)
	}
	w.eventually("Knative's own default is back", func() bool {
		found := w.service.Spec.Traffic
		return len(found) == 1 && found[0].LatestRevision != nil && *found[0].LatestRevision && *found[0].Percent == 100
	})
	w.withoutAnnotations()
}

func (w *world) withoutAnnotations() {
	w.Helper()
	for name := range w.service.Annotations {
		if strings.HasPrefix(name, "flagger.app/") || strings.HasPrefix(name, "serin.dev/") {
			w.Errorf("annotation %s is left", name)
		}
	}
}

func TestUsersTagsSurviveARollout(t *testing.T) {
	w := initialized(t)
	w.changeService(func(s *servingv1.Service) {
		s.Spec.Traffic = append(s.Spec.Traffic, servingv1.TrafficTarget{Tag: "stable", RevisionName: "podinfo-00001", Percent: new(int64(0))})
	})
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	for _, target := range w.service.Status.Traffic {
		if target.Tag == "stable" && target.RevisionName == "podinfo-00001" && target.URL != nil {
			return
		}
	}
	t.Errorf("the tag is lost: %+v", w.service.Status.Traffic)
}

func TestMissingServiceIsSaidAndRecovers(t *testing.T) {
	w := newWorld(t)
	w.daemon(daemon.Config{})
	w.create(w.canary)
	told := func(part string) func() bool {
		return func() bool {
			c := w.canary.Status.Condition(v1beta1.ConditionPromoted)
			return c != nil && c.Status == corev1.ConditionUnknown && strings.Contains(c.Message, part)
		}
	}
	w.eventually("the condition says that the Service is missing", told("does not exist"))
	w.awaitEvent("does not exist: create it or correct spec.targetRef.name (1)")
	w.service.Spec.Template.Spec.Containers[0].Image = "ghcr.io/stefanprodan/nothing:1"
	w.create(w.service)
	w.eventually("the condition says that no revision is ready", told("has no ready revision yet"))
	w.push("6.0.0")
	w.awaitPhase(v1beta1.PhaseInitialized)
}

func TestCanaryThatCannotBeHonouredIsHeld(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Analysis.Webhooks = []v1beta1.Webhook{{Name: "gate", Type: v1beta1.ConfirmPromotionHook, URL: "gate.test"}}
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitEvent(`spec.analysis.webhooks[0].url must be an http or https address, not "gate.test"`)
	w.changeCanary(func(c *v1beta1.Canary) { c.Spec.Analysis.Webhooks = nil })
	w.awaitPhase(v1beta1.PhaseInitialized)
}

func TestSecondCanaryWaitsForTheFirstToBeDeleted(t *testing.T) {
	w := initialized(t)
	first := w.canary
	second := first.DeepCopy()
	second.Name, second.ResourceVersion, second.Finalizers = "second", "", nil
	second.Status = v1beta1.CanaryStatus{}
	w.create(second)
	w.awaitEvent(fmt.Sprintf(`service "%s/podinfo" belongs to canary "podinfo" already`, w.namespace))
	if err := env.Client.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	w.canary = second
	w.awaitPhase(v1beta1.PhaseInitialized)
}

// A typing error can be corrected; a Service that has been pinned cannot be
// left behind.
func TestTargetIsKeptOnceItIsPinned(t *testing.T) {
	w := newWorld(t)
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.canary.Spec.TargetRef.Name = "podinof"
	w.create(w.canary)
	w.awaitEvent("does not exist")
	w.changeCanary(func(c *v1beta1.Canary) { c.Spec.TargetRef.Name = "podinfo" })
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.canary.Spec.TargetRef.Name = "other"
	if err := env.Client.Update(t.Context(), w.canary); err == nil || !strings.Contains(err.Error(), "delete this canary and create another") {
		t.Errorf("moving to another Service gives %v", err)
	}
}

func TestIgnoredFieldsAreNamed(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Analysis.Mirror = true
	w.canary.Spec.MetricsServer = "http://prometheus:9090"
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.awaitEvent("Ignoring what Serin does not act on: spec.metricsServer, spec.analysis.mirror (1)")
}

func TestDaemonRefusesWhatItCannotServe(t *testing.T) {
	for name, config := range map[string]daemon.Config{
		"no cluster":  {},
		"bad gateway": {Cluster: env.Config, Gateway: "nowhere"},
		"bad listen":  {Cluster: env.Config, Listen: "nowhere"},
		"bad deny":    {Cluster: env.Config, DenyTargets: []string{"db.internal"}},
		"bad allow":   {Cluster: env.Config, AllowNetworks: []string{"10.0.0.0/33"}},
	} {
		if err := daemon.Run(t.Context(), config); err == nil {
			t.Errorf("%s: the daemon runs", name)
		}
	}
}

// The files that users are shown apply as they are.
func TestExamplesApply(t *testing.T) {
	for file, object := range map[string]client.Object{
		"podinfo/service.yaml":   &servingv1.Service{},
		"podinfo/canary.yaml":    &v1beta1.Canary{},
		"sequential/canary.yaml": &v1beta1.Canary{},
	} {
		t.Run(file, func(t *testing.T) {
			w := newWorld(t)
			content, err := os.ReadFile("../examples/" + file)
			if err != nil {
				t.Fatal(err)
			}
			if err := yaml.UnmarshalStrict(content, object); err != nil {
				t.Fatal(err)
			}
			object.SetNamespace(w.namespace)
			w.create(object)
			if canary, ok := object.(*v1beta1.Canary); ok {
				if err := canary.Validate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
