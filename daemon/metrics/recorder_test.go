package metrics

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/measure"
)

var key = types.NamespacedName{Namespace: "test", Name: "podinfo-canary"}

// life is a Canary whose status goes on step by step.
type life struct {
	*Recorder
	registry *prometheus.Registry
	canary   *v1beta1.Canary
}

func newLife() *life {
	registry := prometheus.NewPedanticRegistry()
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	canary.Spec.TargetRef.Name = "podinfo"
	return &life{Recorder: New(registry, "v1"), registry: registry, canary: canary}
}

// becomes writes another status, twice, as nothing must be counted twice.
func (l *life) becomes(edit func(*v1beta1.CanaryStatus)) {
	before := l.canary.Status.DeepCopy()
	edit(&l.canary.Status)
	l.Status(l.canary, before)
	l.Status(l.canary, l.canary.Status.DeepCopy())
}

func (l *life) phase(phase v1beta1.Phase, weight int32) {
	l.becomes(func(s *v1beta1.CanaryStatus) { s.Phase, s.CanaryWeight = phase, weight })
}

func (l *life) begins(revision string) {
	l.becomes(func(s *v1beta1.CanaryStatus) {
		s.Phase, s.CanaryWeight = v1beta1.PhaseProgressing, 0
		s.Analysis = &v1beta1.AnalysisStatus{CanaryRevision: revision, Check: 1, StartTime: metav1.NewMicroTime(time.Now().Add(-100 * time.Second))}
	})
}

func (l *life) checks(verdict string, value float64) {
	l.becomes(func(s *v1beta1.CanaryStatus) {
		a := s.Analysis.DeepCopy()
		if a.Verdict = verdict; verdict != "inconclusive" {
			a.Check++
		}
		a.Metrics = []v1beta1.MetricStatus{{Name: "request-success-rate", Value: &value}, {Name: "unmeasured"}}
		s.Analysis = a
	})
}

func (l *life) compare(t *testing.T, want string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(l.registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestStoryInFlaggersMetrics(t *testing.T) {
	l := newLife()
	l.phase(v1beta1.PhaseInitialized, 0)
	l.begins("podinfo-00002")
	l.checks("pass", 100)
	l.phase(v1beta1.PhaseProgressing, 10)
	l.checks("inconclusive", 99)
	l.checks("fail", 98.5)
	l.compare(t, `
# HELP flagger_canary_metric_analysis Value of a metric in the last check, in its unit.
# TYPE flagger_canary_metric_analysis gauge
flagger_canary_metric_analysis{metric="request-success-rate",name="podinfo",namespace="test"} 98.5
# HELP flagger_canary_status 0 while a rollout runs, 2 when the last one failed, 1 otherwise.
# TYPE flagger_canary_status gauge
flagger_canary_status{name="podinfo",namespace="test"} 0
# HELP flagger_canary_total Number of Canaries.
# TYPE flagger_canary_total gauge
flagger_canary_total{namespace="test"} 1
# HELP flagger_canary_weight Percent of the live traffic.
# TYPE flagger_canary_weight gauge
flagger_canary_weight{namespace="test",workload="podinfo"} 10
flagger_canary_weight{namespace="test",workload="podinfo-primary"} 90
# HELP flagger_info Version, and what moves the traffic.
# TYPE flagger_info gauge
flagger_info{mesh_provider="knative",version="v1"} 1
# HELP serin_verdicts_total Checks that ended, by result.
# TYPE serin_verdicts_total counter
serin_verdicts_total{name="podinfo",namespace="test",result="fail"} 1
serin_verdicts_total{name="podinfo",namespace="test",result="inconclusive"} 1
serin_verdicts_total{name="podinfo",namespace="test",result="pass"} 1
`, "flagger_canary_metric_analysis", "flagger_canary_status", "flagger_canary_total", "flagger_canary_weight", "flagger_info", "serin_verdicts_total")

	l.phase(v1beta1.PhaseFailed, 0)
	l.begins("podinfo-00003")
	l.begins("podinfo-00004")
	l.phase(v1beta1.PhasePromoting, 100)
	l.phase(v1beta1.PhaseFinalising, 100)
	l.phase(v1beta1.PhaseSucceeded, 0)
	l.compare(t, `
# HELP flagger_canary_failures_total Rollbacks.
# TYPE flagger_canary_failures_total counter
flagger_canary_failures_total{analysis_status="completed",deployment_strategy="canary",name="podinfo",namespace="test"} 1
# HELP flagger_canary_status 0 while a rollout runs, 2 when the last one failed, 1 otherwise.
# TYPE flagger_canary_status gauge
flagger_canary_status{name="podinfo",namespace="test"} 1
# HELP flagger_canary_successes_total Promotions.
# TYPE flagger_canary_successes_total counter
flagger_canary_successes_total{analysis_status="completed",deployment_strategy="canary",name="podinfo",namespace="test"} 1
# HELP serin_rollouts_total Rollouts that ended, by result: promoted, rolled_back or superseded.
# TYPE serin_rollouts_total counter
serin_rollouts_total{name="podinfo",namespace="test",result="promoted"} 1
serin_rollouts_total{name="podinfo",namespace="test",result="rolled_back"} 1
serin_rollouts_total{name="podinfo",namespace="test",result="superseded"} 1
`, "flagger_canary_failures_total", "flagger_canary_status", "flagger_canary_successes_total", "serin_rollouts_total")
	if n := l.durations(t); n != 2 {
		t.Errorf("%d durations of about 100 s, want 2", n)
	}
}

// durations counts the rollouts that took between 80 and 160 s.
func (l *life) durations(t *testing.T) uint64 {
	t.Helper()
	families, err := l.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "flagger_canary_duration_seconds" {
			b := f.GetMetric()[0].GetHistogram().GetBucket()
			return b[4].GetCumulativeCount() - b[3].GetCumulativeCount()
		}
	}
	return 0
}

func TestNothingIsLeftOfACanaryThatIsGone(t *testing.T) {
	l := newLife()
	l.begins("podinfo-00002")
	l.checks("fail", 1)
	l.phase(v1beta1.PhaseFailed, 0)
	s := new(measure.Snapshot)
	s.Add(measure.Result{Intended: time.Unix(0, 0), Sent: time.Unix(0, 0), Done: time.Unix(1, 0), Outcome: measure.Status(200), OK: true})
	l.Measured(key, s, s)
	l.Forget(key)
	l.Forget(key)
	l.Measured(key, s, s)
	families, err := l.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if strings.HasPrefix(label.GetValue(), "podinfo") {
					t.Errorf("%s is left: %v", f.GetName(), m)
				}
			}
		}
	}
	l.compare(t, `
# HELP flagger_canary_total Number of Canaries.
# TYPE flagger_canary_total gauge
flagger_canary_total{namespace="test"} 0
`, "flagger_canary_total")
}

func TestMeasuredRequests(t *testing.T) {
	l := newLife()
	l.phase(v1beta1.PhaseInitialized, 0)
	primary, candidate := new(measure.Snapshot), new(measure.Snapshot)
	start := time.Unix(0, 0)
	for i := range 100 {
		took := time.Duration(i+1) * time.Millisecond
		primary.Add(measure.Result{Intended: start, Sent: start, Done: start.Add(took), Outcome: measure.Status(200), OK: true})
	}
	candidate.Add(measure.Result{Intended: start, Sent: start, Done: start.Add(time.Second), Outcome: measure.Timeout})
	candidate.ColdStart.Add(measure.Result{Intended: start, Sent: start, Done: start.Add(time.Second), Outcome: measure.Status(503)})
	l.Measured(key, primary, candidate)
	l.compare(t, `
# HELP serin_requests_total Measured requests, by revision (primary or canary) and result: a class of status codes or a kind of error.
# TYPE serin_requests_total counter
serin_requests_total{name="podinfo",namespace="test",result="2xx",revision="primary"} 100
serin_requests_total{name="podinfo",namespace="test",result="5xx",revision="canary"} 1
serin_requests_total{name="podinfo",namespace="test",result="timeout",revision="canary"} 1
`, "serin_requests_total")
	families, err := l.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "serin_response_time_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			h := m.GetHistogram()
			if m.GetLabel()[2].GetValue() != "primary" {
				continue
			}
			if h.GetSampleCount() != 100 || h.GetSampleSum() < 5.04 || h.GetSampleSum() > 5.06 || len(h.GetPositiveDelta()) == 0 {
				t.Errorf("histogram %v, want 100 values, 5.05 s in sum, and native buckets", h)
			}
		}
	}
}

func TestCanaryOfAnotherServiceLeavesNothingBehind(t *testing.T) {
	l := newLife()
	l.phase(v1beta1.PhaseInitializing, 0)
	l.canary.Spec.TargetRef.Name = "other"
	l.phase(v1beta1.PhaseInitialized, 0)
	if n := testutil.CollectAndCount(l.status); n != 1 {
		t.Errorf("%d series of the status, want 1", n)
	}
}

func TestNamesAreAsTheyShouldBe(t *testing.T) {
	l := newLife()
	l.begins("podinfo-00002")
	problems, err := testutil.GatherAndLint(l.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "serin_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestRecorderIsForEverybodyAtOnce(*testing.T) { // under the race detector
	l := newLife()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			canary := l.canary.DeepCopy()
			for range 100 {
				l.Status(canary, &v1beta1.CanaryStatus{})
				l.Measured(key, new(measure.Snapshot), new(measure.Snapshot))
				l.Failed(key)
				l.Forget(key)
			}
		})
	}
	all.Wait()
}
