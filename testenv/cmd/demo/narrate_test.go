package main

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// ended is a result with a phase and one finding of its last check.
func ended(r rollout, phase v1beta1.Phase, verdict, message string) result {
	decided := metav1.NewMicroTime(time.Unix(107, 0))
	return result{r, v1beta1.CanaryStatus{Phase: phase, Analysis: &v1beta1.AnalysisStatus{
		StartTime: metav1.NewMicroTime(time.Unix(100, 0)), DecisionTime: &decided,
		Canary:  &v1beta1.Measured{Requests: 61, SuccessRatePercent: 88.52, P50Milliseconds: 2, P99Milliseconds: 4.1},
		Metrics: []v1beta1.MetricStatus{{Verdict: verdict, Message: message}},
	}}}
}

func TestDemoFailsUnlessEachRolloutEndsAsItShould(t *testing.T) {
	good := ended(rollouts[0], v1beta1.PhaseSucceeded, "pass", "success rate 100% >= 99%")
	errors := ended(rollouts[1], v1beta1.PhaseFailed, "fail", "success rate 88% < 99%")
	slow := ended(rollouts[2], v1beta1.PhaseFailed, "fail", "request duration 1s > 500ms")
	if err := judge([]result{good, errors, slow}); err != nil {
		t.Errorf("as it should be: %v", err)
	}
	for name, results := range map[string][]result{
		"a good one rolled back":      {ended(rollouts[0], v1beta1.PhaseFailed, "fail", "x"), errors, slow},
		"a bad one promoted":          {good, ended(rollouts[1], v1beta1.PhaseSucceeded, "pass", "x"), slow},
		"rolled back for another one": {good, errors, ended(rollouts[2], v1beta1.PhaseFailed, "fail", "success rate 88% < 99%")},
	} {
		if judge(results) == nil {
			t.Errorf("%s: the demo is content", name)
		}
	}
}

// The step that is measured is the wanted one; what a new revision gets is what
// the Route shows.
func TestNarratorTellsStepsAndTraffic(t *testing.T) {
	before := &v1beta1.CanaryStatus{Phase: v1beta1.PhaseProgressing}
	at := func(stage v1beta1.Stage, traffic ...v1beta1.TrafficShare) *v1beta1.CanaryStatus {
		return &v1beta1.CanaryStatus{Phase: v1beta1.PhaseProgressing, CanaryWeight: 10, Traffic: traffic, Analysis: &v1beta1.AnalysisStatus{
			PrimaryRevision: "podinfo-00001", CanaryRevision: "podinfo-00002", Stage: stage, Weight: 20,
		}}
	}
	served := []v1beta1.TrafficShare{{Revision: "podinfo-00001", Percent: 90}, {Revision: "podinfo-00002", Percent: 4}, {Revision: "podinfo-00002", Tag: "mine", Percent: 6}}
	for want, now := range map[string]*v1beta1.CanaryStatus{
		"measuring podinfo-00002 against podinfo-00001, 20 % of the live traffic":   at(v1beta1.StageMeasuring),
		"podinfo-00002 is new: no live traffic, waiting until it is ready":          at(v1beta1.StageWaitingForRevision, served[0]),
		"podinfo-00002 is new: 10 % of the live traffic, waiting until it is ready": at(v1beta1.StageWaitingForRevision, served...),
	} {
		if lines := difference(before, now); len(lines) != 1 || lines[0] != want {
			t.Errorf("tells %q, want %q", lines, want)
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	narrator{&out}.table([]result{
		ended(rollout{title: "bad"}, v1beta1.PhaseFailed, "fail", "x"),
		{rollout{title: "unknown"}, v1beta1.CanaryStatus{Phase: v1beta1.PhaseFailed}},
	})
	const want = `
ROLLOUT  VERDICT      REQUESTS  SUCCESS  P50     P99     REVISION TO DECISION
bad      rolled back  61        88.52 %  2.0 ms  4.1 ms  7.0 s
unknown  Failed       -         -        -       -       -
`
	if out.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", out.String(), want)
	}
}
