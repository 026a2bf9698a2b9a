package metrics

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/rollout"
)

// world is a Canary about which package rollout decides, a Service that follows
// at once, and an API server that keeps as many digits as the real one. Its
// time moves only by hand.
type world struct {
	*testing.T
	*Recorder
	registry *prometheus.Registry
	now      time.Time
	canary   *v1beta1.Canary
	service  *rollout.Service
	measure  *rollout.Measure
	verdict  *rollout.Verdict
	calls    []rollout.Call
	answers  map[rollout.Key]rollout.Answer
	sent     int64
	proven   bool // what the verdicts are
}

func newWorld(t *testing.T) *world {
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "guide", Namespace: "test"}}
	canary.Spec.TargetRef = v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: "podinfo"}
	canary.Spec.Analysis = v1beta1.Analysis{StepWeights: []int32{10}}
	w := &world{
		T: t, now: time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC), canary: canary,
		service: &rollout.Service{Current: true, RouteReady: true, Revisions: map[string]rollout.Revision{}},
		answers: map[rollout.Key]rollout.Answer{},
	}
	w.restart()
	w.push("rev-1")
	w.service.Traffic = []rollout.Target{{Revision: "rev-1", Percent: 100}}
	w.settle()
	return w
}

// restart starts another daemon.
func (w *world) restart() {
	w.registry = prometheus.NewPedanticRegistry()
	w.Recorder = New(w.registry, "v1.2.3")
}

func (w *world) push(revision string) {
	w.service.LatestCreated, w.service.LatestReady = revision, revision
	w.service.Revisions[revision] = rollout.Revision{Ready: true, Template: revision}
}

// decide makes one decision and tells it twice.
func (w *world) decide() {
	w.Seen(w.canary)
	d := rollout.Decide(rollout.Input{Now: w.now, Canary: w.canary, Service: w.service, Verdict: w.verdict, Answers: w.answers})
	if w.measure, w.calls = d.Measure, d.Calls; w.measure == nil {
		w.verdict = nil // the session is over
	}
	before := w.canary.Status
	w.canary.Status = stored(w.T, d.Status)
	if !reflect.DeepEqual(before, w.canary.Status) {
		w.Status(w.canary, &before)
		w.Status(w.canary, &before)
	}
	w.Status(w.canary, w.canary.Status.DeepCopy())
	if t := d.Traffic; t != nil && w.service != nil {
		w.service.Traffic = []rollout.Target{{Revision: t.Primary, Tag: rollout.PrimaryTag, Percent: 100 - int64(t.Weight)}}
		if t.Canary != "" {
			w.service.Traffic = append(w.service.Traffic, rollout.Target{Revision: t.Canary, Tag: rollout.CanaryTag, Percent: int64(t.Weight)})
		}
	}
}

// apply says whether the Route shows what was decided; empty for not known.
func (w *world) apply(applied corev1.ConditionStatus) {
	before := w.canary.Status.DeepCopy()
	s := &w.canary.Status
	s.Conditions = slices.DeleteFunc(s.Conditions, func(c v1beta1.Condition) bool { return c.Type == v1beta1.ConditionTrafficApplied })
	if applied != "" {
		s.Conditions = append(s.Conditions, v1beta1.Condition{Type: v1beta1.ConditionTrafficApplied, Status: applied})
	}
	w.Status(w.canary, before)
}

// settle decides until nothing changes any more.
func (w *world) settle() {
	w.Helper()
	for quiet := 0; quiet < 2; quiet++ {
		before := w.canary.Status.DeepCopy()
		if w.decide(); !reflect.DeepEqual(before, &w.canary.Status) {
			quiet = -1
		}
	}
}

// say gives the verdict of the check that runs, after 100 more requests and 30 s,
// and decides.
func (w *world) say(result analysis.Result, value float64) {
	w.Helper()
	if w.measure == nil || w.measure.Check == 0 {
		w.Fatalf("nothing is measured: %+v", w.canary.Status)
	}
	w.now = w.now.Add(30 * time.Second)
	w.sent += 100
	v := &rollout.Verdict{Canary: w.measure.Canary, Check: w.measure.Check}
	v.Result, v.Requests, v.Proven = result, w.sent, w.proven
	v.Findings = []analysis.Finding{
		{Metric: "request-success-rate", Result: result, Value: value},
		{Metric: "request-duration", Result: result, Value: 250},
	}
	v.Candidate = analysis.Summary{Requests: w.sent}
	w.verdict = v
	w.settle()
}

// annotate gives a command.
func (w *world) annotate(annotation string) {
	w.canary.Annotations = map[string]string{annotation: w.now.String()}
	w.settle()
}

// stored is a status as it comes back from the API server.
func stored(t *testing.T, status v1beta1.CanaryStatus) (s v1beta1.CanaryStatus) {
	t.Helper()
	encoded, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// exposes compares the series of the given names, without their HELP and TYPE.
func (w *world) exposes(want string, names ...string) {
	w.Helper()
	page := httptest.NewRecorder()
	promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	var series []string
	for line := range strings.Lines(page.Body.String()) {
		name, _, _ := strings.Cut(line, "{")
		for _, ending := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, ending)
		}
		if slices.Contains(names, name) {
			series = append(series, line)
		}
	}
	if got := strings.Join(series, ""); got != strings.TrimPrefix(want, "\n") {
		w.Errorf("series:\n%s\nwant:\n%s", got, want)
	}
}

// all is what the recorder collects, without the registry that it is in.
func (w *world) all() prometheus.Collector { return append(w.collectors(), w.latencies) }

// result reads how many rollouts ended with a result.
func (w *world) result(result string) float64 {
	return testutil.ToFloat64(w.rollouts.WithLabelValues("podinfo", "test", result))
}
