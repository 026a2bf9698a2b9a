package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/measure"
)

var guide = types.NamespacedName{Namespace: "test", Name: "guide"}

// took is a snapshot of answered requests.
func took(latencies ...time.Duration) *measure.Snapshot {
	s := new(measure.Snapshot)
	start := time.Unix(0, 0)
	for _, latency := range latencies {
		s.Add(measure.Result{Intended: start, Sent: start.Add(latency / 2), Done: start.Add(latency), Outcome: measure.Status(200), OK: true})
	}
	return s
}

// everything is a world in which each metric has a series.
func everything(t *testing.T) *world {
	w := newWorld(t)
	w.push("rev-2")
	w.settle()
	w.say(analysis.Fail, 0)
	w.push("rev-3")
	w.settle()
	w.say(analysis.Pass, 100)
	w.say(analysis.Pass, 100)
	w.Measured(guide, took(time.Millisecond), took(time.Second))
	w.Hook(guide, v1beta1.RolloutHook, true)
	w.Failed(guide)
	w.apply(corev1.ConditionTrue)
	return w
}

// contract is what others rely on.
var contract = map[string]struct{ kind, labels string }{
	"flagger_info":                    {"GAUGE", "mesh_provider,version"},
	"flagger_canary_total":            {"GAUGE", "namespace"},
	"flagger_canary_status":           {"GAUGE", "name,namespace"},
	"flagger_canary_weight":           {"GAUGE", "namespace,workload"},
	"flagger_canary_metric_analysis":  {"GAUGE", "metric,name,namespace"},
	"flagger_canary_duration_seconds": {"HISTOGRAM", "name,namespace"},
	"flagger_canary_successes_total":  {"COUNTER", "analysis_status,deployment_strategy,name,namespace"},
	"flagger_canary_failures_total":   {"COUNTER", "analysis_status,deployment_strategy,name,namespace"},
	"serin_traffic_applied":           {"GAUGE", "name,namespace"},
	"serin_verdicts_total":            {"COUNTER", "name,namespace,result"},
	"serin_rollouts_total":            {"COUNTER", "name,namespace,result"},
	"serin_requests_total":            {"COUNTER", "name,namespace,outcome,revision"},
	"serin_response_time_seconds":     {"HISTOGRAM", "name,namespace,revision"},
	"serin_lag_seconds":               {"HISTOGRAM", "name,namespace"},
	"serin_hook_calls_total":          {"COUNTER", "name,namespace,result,type"},
	"serin_reconcile_errors_total":    {"COUNTER", "namespace"},
}

func TestNamesTypesAndLabels(t *testing.T) {
	w := everything(t)
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	missing := maps.Clone(contract)
	for _, f := range families {
		want, ok := missing[f.GetName()]
		if !ok {
			t.Errorf("%s is in no contract", f.GetName())
		}
		delete(missing, f.GetName())
		if f.GetType().String() != want.kind || !strings.HasSuffix(f.GetHelp(), ".") {
			t.Errorf("%s is a %s with help %q, want a %s with a sentence", f.GetName(), f.GetType(), f.GetHelp(), want.kind)
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
			}
			if got := strings.Join(labels, ","); got != want.labels {
				t.Errorf("%s has labels %s, want %s", f.GetName(), got, want.labels)
			}
		}
	}
	for name := range missing {
		t.Errorf("%s is missing", name)
	}
}

// Flagger's names are what they are: its gauge flagger_canary_total has the
// ending of a counter.
func TestOwnNamesFollowThePractices(t *testing.T) {
	problems, err := testutil.GatherAndLint(everything(t).registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "serin_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestNothingIsLeftOfACanaryThatIsGone(t *testing.T) {
	w := everything(t)
	w.Forget(guide)
	w.Forget(guide)
	// A session, a hook and a second goroutine are late.
	w.Measured(guide, took(time.Millisecond), took(time.Second))
	w.Hook(guide, v1beta1.RolloutHook, true)
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range families {
		left = append(left, f.GetName())
	}
	if want := []string{"flagger_info", "serin_reconcile_errors_total"}; !slices.Equal(left, want) {
		t.Errorf("%v are left, want %v", left, want)
	}
	if len(w.canaries)+len(w.holders)+len(w.counts)+len(w.latencies.of) != 0 {
		t.Errorf("the recorder still knows of %v %v %v %v", w.canaries, w.holders, w.counts, w.latencies.of)
	}
}

func TestCorrectedTargetLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.TargetRef.Name = "frontend"
	w.Seen(w.canary)
	w.exposes(`
flagger_canary_status{name="frontend",namespace="test"} 1
flagger_canary_total{namespace="test"} 1
flagger_canary_weight{namespace="test",workload="frontend"} 0
flagger_canary_weight{namespace="test",workload="frontend-primary"} 100
`, "flagger_canary_status", "flagger_canary_total", "flagger_canary_weight")
}

// Two Canaries of one Service would write to the same series.
func TestSeriesSpeakOfTheCanaryThatHasPinnedTheService(t *testing.T) {
	w := newWorld(t)
	w.push("rev-2")
	w.settle()
	w.say(analysis.Pass, 100)
	other := &v1beta1.Canary{Spec: w.canary.Spec}
	other.Namespace, other.Name = "test", "other"
	other.Status.Phase = v1beta1.PhaseInitializing
	running := `
flagger_canary_status{name="podinfo",namespace="test"} 0
flagger_canary_total{namespace="test"} 2
flagger_canary_weight{namespace="test",workload="podinfo"} 10
flagger_canary_weight{namespace="test",workload="podinfo-primary"} 90
`
	names := []string{"flagger_canary_status", "flagger_canary_total", "flagger_canary_weight"}
	late := types.NamespacedName{Namespace: "test", Name: "other"}
	for range 2 {
		w.Seen(other)
		w.Status(other, &v1beta1.CanaryStatus{})
		w.Measured(late, took(time.Second), nil)
		w.exposes(running, names...)
	}
	other.Status.LastPromotedSpec = "rev-1" // both, as after a restore from a backup
	w.Seen(other)
	w.exposes(running, names...)
	other.Status.LastPromotedSpec = ""
	w.Forget(late)
	w.exposes(strings.Replace(running, "} 2", "} 1", 1), names...)

	w.restart() // and the other one is seen first
	w.Seen(other)
	w.Seen(w.canary)
	w.exposes(running, names...)
	w.Forget(guide)
	w.Seen(other)
	w.exposes(`
flagger_canary_status{name="podinfo",namespace="test"} 1
flagger_canary_total{namespace="test"} 1
`, names...) // the other one has not seen the Route yet
}

func TestHooks(t *testing.T) {
	w := newWorld(t)
	w.Hook(guide, v1beta1.ConfirmPromotionHook, false)
	w.Hook(guide, v1beta1.ConfirmPromotionHook, false)
	w.Hook(guide, v1beta1.ConfirmPromotionHook, true)
	w.exposes(`
serin_hook_calls_total{name="podinfo",namespace="test",result="failed",type="confirm-promotion"} 2
serin_hook_calls_total{name="podinfo",namespace="test",result="passed",type="confirm-promotion"} 1
`, "serin_hook_calls_total")
}

// Registering is all or nothing, and a second time a mistake of the program.
func TestTwoRecordersInOneRegistryPanic(t *testing.T) {
	registry := prometheus.NewRegistry()
	New(registry, "v1")
	defer func() {
		if recover() == nil {
			t.Error("the second one is registered")
		}
	}()
	New(registry, "v2")
}

func TestRecorderIsForEverybodyAtOnce(t *testing.T) {
	w := everything(t)
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			canary, before := w.canary.DeepCopy(), v1beta1.CanaryStatus{}
			for range 100 {
				w.Status(canary, &before)
				w.Measured(guide, took(time.Millisecond), took(time.Second))
				w.Hook(guide, v1beta1.RolloutHook, true)
				if n == 0 {
					w.Forget(guide)
				}
			}
		})
	}
	all.Go(func() {
		for range 20 {
			if _, err := w.registry.Gather(); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	w.Forget(guide)
	if n := testutil.CollectAndCount(w.all()); n != 2 {
		t.Errorf("%d series are left, want flagger_info and the error", n)
	}
}
