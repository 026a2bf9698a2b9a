package metrics

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/rollout"
)

// told are the names of what is derived from statuses.
var told = []string{
	"flagger_canary_duration_seconds", "flagger_canary_failures_total", "flagger_canary_metric_analysis",
	"flagger_canary_status", "flagger_canary_successes_total", "flagger_canary_total", "flagger_canary_weight",
	"flagger_info", "serin_rollouts_total", "serin_verdicts_total",
}

func TestRolloutThatFails(t *testing.T) {
	w := newWorld(t)
	w.exposes(`
flagger_canary_status{name="podinfo",namespace="test"} 1
flagger_canary_total{namespace="test"} 1
flagger_canary_weight{namespace="test",workload="podinfo"} 0
flagger_canary_weight{namespace="test",workload="podinfo-primary"} 100
flagger_info{mesh_provider="knative",version="v1.2.3"} 1
serin_rollouts_total{name="podinfo",namespace="test",result="aborted"} 0
serin_rollouts_total{name="podinfo",namespace="test",result="promoted"} 0
serin_rollouts_total{name="podinfo",namespace="test",result="rolled_back"} 0
serin_rollouts_total{name="podinfo",namespace="test",result="superseded"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="fail"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="inconclusive"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="pass"} 0
`, told...)

	w.push("rev-2")
	w.settle()
	w.say(analysis.Pass, 99.5)
	w.exposes(`
flagger_canary_metric_analysis{metric="request-duration",name="podinfo",namespace="test"} 0.25
flagger_canary_metric_analysis{metric="request-success-rate",name="podinfo",namespace="test"} 99.5
flagger_canary_status{name="podinfo",namespace="test"} 0
flagger_canary_weight{namespace="test",workload="podinfo"} 10
flagger_canary_weight{namespace="test",workload="podinfo-primary"} 90
`, "flagger_canary_metric_analysis", "flagger_canary_status", "flagger_canary_weight")

	w.say(analysis.Inconclusive, 50)
	w.say(analysis.Fail, 12.5)
	w.exposes(`
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="30"} 0
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="60"} 0
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="120"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="300"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="600"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="1200"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="1800"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="3600"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="7200"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="21600"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="86400"} 1
flagger_canary_duration_seconds_bucket{name="podinfo",namespace="test",le="+Inf"} 1
flagger_canary_duration_seconds_sum{name="podinfo",namespace="test"} 89.876544
flagger_canary_duration_seconds_count{name="podinfo",namespace="test"} 1
flagger_canary_failures_total{analysis_status="completed",deployment_strategy="canary",name="podinfo",namespace="test"} 1
flagger_canary_metric_analysis{metric="request-duration",name="podinfo",namespace="test"} 0.25
flagger_canary_metric_analysis{metric="request-success-rate",name="podinfo",namespace="test"} 12.5
flagger_canary_status{name="podinfo",namespace="test"} 2
flagger_canary_total{namespace="test"} 1
flagger_canary_weight{namespace="test",workload="podinfo"} 0
flagger_canary_weight{namespace="test",workload="podinfo-primary"} 100
flagger_info{mesh_provider="knative",version="v1.2.3"} 1
serin_rollouts_total{name="podinfo",namespace="test",result="aborted"} 0
serin_rollouts_total{name="podinfo",namespace="test",result="promoted"} 0
serin_rollouts_total{name="podinfo",namespace="test",result="rolled_back"} 1
serin_rollouts_total{name="podinfo",namespace="test",result="superseded"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="fail"} 1
serin_verdicts_total{name="podinfo",namespace="test",result="inconclusive"} 1
serin_verdicts_total{name="podinfo",namespace="test",result="pass"} 1
`, told...)
}

func TestRolloutThatIsPromoted(t *testing.T) {
	w := newWorld(t)
	w.push("rev-2")
	w.settle()
	w.say(analysis.Pass, 100)
	w.say(analysis.Pass, 100)
	w.exposes(`
flagger_canary_status{name="podinfo",namespace="test"} 1
flagger_canary_successes_total{analysis_status="completed",deployment_strategy="canary",name="podinfo",namespace="test"} 1
flagger_canary_weight{namespace="test",workload="podinfo"} 0
flagger_canary_weight{namespace="test",workload="podinfo-primary"} 100
serin_rollouts_total{name="podinfo",namespace="test",result="aborted"} 0
serin_rollouts_total{name="podinfo",namespace="test",result="promoted"} 1
serin_rollouts_total{name="podinfo",namespace="test",result="rolled_back"} 0
serin_rollouts_total{name="podinfo",namespace="test",result="superseded"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="fail"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="inconclusive"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="pass"} 2
`, "flagger_canary_failures_total", "flagger_canary_status", "flagger_canary_successes_total", "flagger_canary_weight", "serin_rollouts_total", "serin_verdicts_total")
}

func TestStrategiesAndSkippedAnalysis(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.SkipAnalysis = true
	w.push("rev-2")
	w.settle()
	w.canary.Spec.SkipAnalysis = false
	w.canary.Spec.Analysis = v1beta1.Analysis{Iterations: new(int32(1))}
	w.push("rev-3")
	w.settle()
	w.say(analysis.Pass, 100)
	w.canary.Spec.Analysis.Match = []v1beta1.Match{{}}
	w.push("rev-4")
	w.settle()
	w.say(analysis.Pass, 100)
	w.exposes(`
flagger_canary_successes_total{analysis_status="completed",deployment_strategy="ab-testing",name="podinfo",namespace="test"} 1
flagger_canary_successes_total{analysis_status="completed",deployment_strategy="blue-green",name="podinfo",namespace="test"} 1
flagger_canary_successes_total{analysis_status="skipped",deployment_strategy="canary",name="podinfo",namespace="test"} 1
`, "flagger_canary_successes_total")
}

// A verdict that waits for a hook is written again when the hook has answered,
// and as often as there is something else to write.
func TestVerdictThatWaitsForAHookCountsOnce(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Analysis.Webhooks = []v1beta1.Webhook{{Name: "acceptance", Type: v1beta1.RolloutHook, URL: "http://tester/"}}
	w.push("rev-2")
	w.settle()
	w.say(analysis.Pass, 100)
	if w.canary.Status.Analysis.Check != 1 {
		t.Fatalf("the check did not wait: %+v", w.canary.Status.Analysis)
	}
	for _, c := range w.calls {
		w.answers[c.Key] = rollout.Answer{Passed: true}
	}
	w.settle()
	if w.canary.Status.Analysis.Check != 2 {
		t.Fatalf("the check still waits: %+v", w.canary.Status.Analysis)
	}
	w.exposes(`
serin_verdicts_total{name="podinfo",namespace="test",result="fail"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="inconclusive"} 0
serin_verdicts_total{name="podinfo",namespace="test",result="pass"} 1
`, "serin_verdicts_total")
}

// The weights are those that the Route shows, and are unknown where it was not
// seen: nothing is made up.
func TestWeightsAreWhatTheRouteShows(t *testing.T) {
	w := newWorld(t)
	w.push("rev-2")
	w.settle()
	w.say(analysis.Pass, 100)
	show := func(weight int32, traffic ...v1beta1.TrafficShare) {
		before := w.canary.Status.DeepCopy()
		w.canary.Status.CanaryWeight, w.canary.Status.Traffic = weight, traffic
		w.Status(w.canary, before)
	}
	show(70, v1beta1.TrafficShare{Revision: "rev-1", Percent: 30}, v1beta1.TrafficShare{Revision: "rev-2", Percent: 70})
	w.exposes(`
flagger_canary_weight{namespace="test",workload="podinfo"} 70
flagger_canary_weight{namespace="test",workload="podinfo-primary"} 30
`, "flagger_canary_weight")
	show(0)
	w.exposes("", "flagger_canary_weight")
}

func TestTrafficThatIsNotAsDecidedIsShown(t *testing.T) {
	w := newWorld(t)
	const name = "serin_traffic_applied"
	for _, tc := range []struct {
		applied corev1.ConditionStatus
		want    string
	}{
		{"", ""},
		{corev1.ConditionTrue, `serin_traffic_applied{name="podinfo",namespace="test"} 1` + "\n"},
		{corev1.ConditionFalse, `serin_traffic_applied{name="podinfo",namespace="test"} 0` + "\n"},
		{corev1.ConditionUnknown, ""},
		{corev1.ConditionFalse, `serin_traffic_applied{name="podinfo",namespace="test"} 0` + "\n"},
		{"", ""},
	} {
		w.apply(tc.applied)
		w.exposes(tc.want, name)
	}
	w.apply(corev1.ConditionFalse)
	w.restart()
	w.Seen(w.canary)
	w.exposes(`serin_traffic_applied{name="podinfo",namespace="test"} 0`+"\n", name)
}

// A metric that is not in the file any more has no value any more; one that was
// not measured yet keeps its last.
func TestMetricThatIsGoneHasNoValue(t *testing.T) {
	w := newWorld(t)
	w.push("rev-2")
	w.settle()
	w.say(analysis.Pass, 100)
	status := w.canary.Status.DeepCopy()
	status.Analysis.Metrics = status.Analysis.Metrics[:1]
	before := w.canary.Status
	w.canary.Status = *status
	w.Status(w.canary, &before)
	w.push("rev-3")
	w.settle()
	w.exposes(`
flagger_canary_metric_analysis{metric="request-success-rate",name="podinfo",namespace="test"} 100
`, "flagger_canary_metric_analysis")
}
