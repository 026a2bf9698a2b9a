package cli

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

func pages() map[string]*v1beta1.Canary {
	next := metav1.NewMicroTime(noon.Add(90 * time.Second))
	return map[string]*v1beta1.Canary{
		"measuring": podinfo(),
		"new":       podinfo(fresh),
		"gate": podinfo(at(v1beta1.PhaseWaitingPromotion, v1beta1.StageConfirmPromotion), func(c *v1beta1.Canary) {
			c.Status.Analysis.WaitingFor = "gate-keeper"
			c.Status.Analysis.Message = "waiting for promotion approval gate-keeper: 403 not yet"
		}),
		"paused": podinfo(annotated(v1beta1.PauseAnnotation, "true"), func(c *v1beta1.Canary) {
			c.Status.Analysis.Message = "paused by annotation serin.dev/pause"
		}),
		"suspended": podinfo(func(c *v1beta1.Canary) { c.Spec.Suspend = true }),
		"watching": podinfo(at(v1beta1.PhasePromoting, v1beta1.StageWatching), routed(100, "podinfo-00001 primary 0", "podinfo-00002 canary 100"), func(c *v1beta1.Canary) {
			c.Status.Analysis.Weight, c.Status.Analysis.NextTime = 100, &next
		}),
		"failed": podinfo(at(v1beta1.PhaseFailed, ""), routed(0, "podinfo-00001 primary 100"), func(c *v1beta1.Canary) {
			c.Status.Analysis.Weight, c.Status.Analysis.Verdict = 0, "fail"
			c.Status.Analysis.Message = "success rate 61 % of 500 requests, at least 99 % is wanted"
		}),
		"succeeded": podinfo(at(v1beta1.PhaseSucceeded, ""), routed(0, "podinfo-00002 primary 100"), func(c *v1beta1.Canary) {
			c.Status.Analysis.Weight, c.Status.LastPromotedSpec = 100, "podinfo-00002"
			c.Status.Conditions = []v1beta1.Condition{{Type: v1beta1.ConditionPromoted, Message: "Canary analysis completed successfully, promotion finished."}}
		}),
		"stepping": podinfo(routed(10, "podinfo-00001 primary 90", "podinfo-00002 canary 10"), at(v1beta1.PhaseProgressing, v1beta1.StageWaitingForRoute)),
		"overwritten": podinfo(overwritten, routed(45, "podinfo-00001 primary 30", "podinfo-00001  25", "podinfo-00003 nightly 25", "podinfo-00003  10",
			"podinfo-00002 canary 0", "podinfo-00000  10", "podinfo-00004 preview 0")),
		"overwritten-idle": podinfo(overwritten, at(v1beta1.PhaseSucceeded, ""), routed(100, "podinfo-00001  100"), func(c *v1beta1.Canary) {
			c.Status.Analysis.Weight, c.Status.LastPromotedSpec = 100, "podinfo-00002"
			c.Status.Conditions = append(c.Status.Conditions, v1beta1.Condition{Type: v1beta1.ConditionPromoted, Message: "Canary analysis completed successfully, promotion finished."})
		}),
		"unseen": podinfo(routed(20)),
		"rolling-back": podinfo(at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack), routed(100, "podinfo-00002 primary 100"), func(c *v1beta1.Canary) {
			c.Status.Analysis = &v1beta1.AnalysisStatus{PrimaryRevision: "podinfo-00001", CanaryRevision: "podinfo-00002", Stage: v1beta1.StageRollingBack, Message: "rolled back by annotation"}
			c.Status.LastAppliedSpec, c.Status.FailedChecks = "podinfo-00003", 0
		}),
		"rolled-back": podinfo(at(v1beta1.PhaseFailed, ""), routed(0, "podinfo-00001 primary 100"), func(c *v1beta1.Canary) {
			c.Status.Analysis = &v1beta1.AnalysisStatus{PrimaryRevision: "podinfo-00001", CanaryRevision: "podinfo-00002", Message: "rolled back by annotation"}
			c.Status.LastAppliedSpec, c.Status.FailedChecks = "podinfo-00003", 0
		}),
		"hostile": podinfo(func(c *v1beta1.Canary) {
			c.Status.Analysis.Message = "gone \x1b[2J\x1b[1;1H\r\nok\u202etxt\u200b \xff"
			c.Status.Analysis.CanaryRevision = "podinfo\x1b]0;title\a"
			c.Status.Analysis.Metrics[0].Message = "\u009b31m red"
		}),
	}
}

var story = []*corev1.Event{
	happened("e1", corev1.EventTypeNormal, 3*time.Minute, "New revision detected! podinfo-00002 gets no live traffic before its first verdict: podinfo.test"),
	happened("e3", corev1.EventTypeWarning, 12*time.Second, "Halt podinfo.test advancement p99 is 812 ms, at most 500 ms is wanted"),
	happened("e2", corev1.EventTypeNormal, 42*time.Second, "Advance podinfo.test canary weight 20"),
}

func TestPageSaysWhereARolloutIsAndWhy(t *testing.T) {
	for name, canary := range pages() {
		t.Run(name, func(t *testing.T) {
			p := canaryPage(canary, story, []float64{100, 400, 812, 300}, view{program: "serin", now: noon, columns: 80})
			golden(t, name+".txt", p.text(80, false))
		})
	}
}

func TestPageKeepsToTheScreen(t *testing.T) {
	for _, columns := range []int{1, 12, 40, 80} {
		for name, canary := range pages() {
			text := canaryPage(canary, story, nil, view{program: "serin", now: noon, columns: columns}).text(columns, false)
			for l := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); n > columns {
					t.Errorf("%s at %d columns: %d in %q", name, columns, n, l)
				}
			}
		}
	}
}

func TestStrangersCannotCommandTheTerminal(t *testing.T) {
	canary := pages()["hostile"]
	texts := []string{
		canaryPage(canary, story, nil, view{program: "serin", now: noon}).text(0, false),
		table([]*v1beta1.Canary{canary}, tableOptions{wide: true}, noon).text(0, false),
		changeLine(canary) + "\n",
	}
	for _, text := range texts {
		if strings.ContainsAny(strings.ReplaceAll(text, "\n", ""), "\x1b\r\a\u009b\u202e\u200b") {
			t.Errorf("control characters in %q", text)
		}
	}
}

func TestColorsAreOnlyWhereTheyAreWanted(t *testing.T) {
	p := canaryPage(podinfo(), story, nil, view{program: "serin", now: noon})
	if text := p.text(0, false); strings.Contains(text, "\x1b") {
		t.Errorf("colour in %q", text)
	}
	if text := p.text(0, true); !strings.Contains(text, "\x1b[32mpass\x1b[0m") {
		t.Errorf("no colour in %q", text)
	}
}

func TestTableHasALineForEachCanary(t *testing.T) {
	var canaries []*v1beta1.Canary
	for _, name := range []string{"measuring", "new", "gate", "failed", "succeeded", "paused", "stepping", "overwritten", "overwritten-idle", "rolled-back"} {
		c := pages()[name]
		c.Name = name
		c.CreationTimestamp = before(time.Hour)
		canaries = append(canaries, c)
	}
	golden(t, "table.txt", table(canaries, tableOptions{}, noon).text(110, false))
	golden(t, "table-wide.txt", table(canaries, tableOptions{namespaces: true, wide: true}, noon).text(0, false))
}

func TestFaultTable(t *testing.T) {
	left := noon.Add(4 * time.Minute)
	golden(t, "faults.txt", faultTable([]Fault{
		{ID: "f1", Namespace: "test", Name: "podinfo", Target: "canary", Percent: 30, PathPrefix: "/api", Status: 503, Hits: 12, Expires: &left},
		{ID: "f2", Namespace: "test", Name: "podinfo", Target: "both", Percent: 0.5, Delay: &Delay{Kind: "fixed", MS: 1000}, BandwidthBytesPerSecond: 10000},
		{ID: "f3", Namespace: "test", Name: "podinfo", Target: "primary", Percent: 100, Delay: &Delay{Kind: "pareto", ScaleMS: 100, Shape: 1.5}, Truncate: true},
		{ID: "f4", Namespace: "test", Name: "podinfo", Target: "canary", Percent: 100, Delay: &Delay{Kind: "uniform", MinMS: 100, MaxMS: 2000}, Reset: true},
		{ID: "f5", Namespace: "test", Name: "podinfo", Target: "canary", Percent: 100, Delay: &Delay{Kind: "normal", MeanMS: 500, StddevMS: 100}, Timeout: true},
		{ID: "f6\x1b[2J", Namespace: "test", Name: "podinfo", Target: "canary", Percent: 100, Request: &FaultRequest{Method: "GET", Path: "/status/500"}},
	}, noon).text(0, false))
}

func TestSparklineIsDrawnFromNothingToTheHighest(t *testing.T) {
	for _, tc := range []struct {
		values  []float64
		columns int
		want    string
	}{
		{nil, 5, ""},
		{[]float64{0, 0}, 5, "▁▁"},
		{[]float64{0, 50, 100}, 5, "▁▅█"},
		{[]float64{1, 2, 3, 4}, 2, "▆█"},
		{[]float64{-3, 7}, 5, "▁█"},
		{[]float64{nan(), inf(), 2}, 5, "  █"},
	} {
		if got := sparkline(tc.values, tc.columns); got != tc.want {
			t.Errorf("sparkline(%v, %d) = %q, want %q", tc.values, tc.columns, got, tc.want)
		}
	}
}

func TestBarShowsAnyPercentButNone(t *testing.T) {
	for percent, want := range map[int64]string{-5: "░░░░", 0: "░░░░", 1: "█░░░", 50: "██░░", 99: "███░", 100: "████", 300: "████"} {
		if got := bar(percent, 4); got != want {
			t.Errorf("bar(%d) = %q, want %q", percent, got, want)
		}
	}
}

func nan() float64 { return math.NaN() }

func inf() float64 { return math.Inf(1) }
