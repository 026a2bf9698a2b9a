package cli

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/serin-dev/serin/api/v1beta1"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./cli -update:\n%s", file, diff)
	}
}

// noon is when all of these stories take place.
var noon = time.Date(2026, 7, 30, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-d)) }

// podinfo is a Canary whose second revision is measured at 20 percent.
func podinfo(edits ...func(*v1beta1.Canary)) *v1beta1.Canary {
	value := 99.2
	c := &v1beta1.Canary{
		ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "podinfo"},
		Spec: v1beta1.CanarySpec{
			TargetRef: v1beta1.TargetRef{APIVersion: "serving.knative.dev/v1", Kind: "Service", Name: "podinfo"},
			Analysis:  v1beta1.Analysis{Threshold: 5},
		},
		Status: v1beta1.CanaryStatus{
			Phase: v1beta1.PhaseProgressing, CanaryWeight: 20, FailedChecks: 1,
			LastAppliedSpec: "podinfo-00002", LastPromotedSpec: "podinfo-00001",
			LastTransitionTime: before(42 * time.Second),
			Traffic: []v1beta1.TrafficShare{
				{Revision: "podinfo-00001", Tag: v1beta1.PrimaryTag, Percent: 80},
				{Revision: "podinfo-00002", Tag: v1beta1.CanaryTag, Percent: 20},
			},
			Analysis: &v1beta1.AnalysisStatus{
				PrimaryRevision: "podinfo-00001", CanaryRevision: "podinfo-00002", Weight: 20,
				Stage: v1beta1.StageMeasuring, Check: 3, Verdict: "pass",
				Message: "success rate 99.2 % of 500 requests, at least 99 % is wanted",
				Plan:    &v1beta1.PlanStatus{Requests: 450, DurationSeconds: 9, Message: "a good revision passes a step with 450 requests, in 9s"},
				Metrics: []v1beta1.MetricStatus{
					{Name: "request-success-rate", Verdict: "pass", Value: &value, Requests: 500, Message: "success rate 99.2 % of 500 requests, at least 99 % is wanted", Explanation: "2 more failures would have failed it"},
					{Name: "request-duration", Verdict: "fail", Requests: 500, Message: "p99 is 812 ms, at most 500 ms is wanted"},
					{Name: "throughput", Verdict: "inconclusive", Message: "3 requests are too few"},
				},
				Primary: &v1beta1.Measured{Requests: 1500, SuccessRatePercent: 100, P50Milliseconds: 2.1, P99Milliseconds: 8.84},
				Canary:  &v1beta1.Measured{Requests: 1498, SuccessRatePercent: 99.2, P50Milliseconds: 3.4, P99Milliseconds: 812, ColdStartRequests: 7},
			},
		},
	}
	for _, edit := range edits {
		edit(c)
	}
	return c
}

func at(phase v1beta1.Phase, stage v1beta1.Stage) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) { c.Status.Phase, c.Status.Analysis.Stage = phase, stage }
}

func annotated(key, value string) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) { c.Annotations = map[string]string{key: value} }
}

// routed is a Route that shows another division: "REVISION TAG PERCENT" each.
func routed(weight int32, entries ...string) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) {
		c.Status.CanaryWeight, c.Status.Traffic = weight, nil
		for _, entry := range entries {
			fields := strings.Split(entry, " ")
			percent, _ := strconv.ParseInt(fields[2], 10, 64)
			c.Status.Traffic = append(c.Status.Traffic, v1beta1.TrafficShare{Revision: fields[0], Tag: fields[1], Percent: percent})
		}
	}
}

// overwritten is a Canary whose traffic somebody has changed 12 s ago.
func overwritten(c *v1beta1.Canary) {
	c.Status.Conditions = append(c.Status.Conditions, v1beta1.Condition{
		Type: v1beta1.ConditionTrafficApplied, Status: corev1.ConditionFalse, LastTransitionTime: before(12 * time.Second),
		Message: "spec.traffic of service test/podinfo was changed by kubectl-edit",
	})
}

func fresh(c *v1beta1.Canary) { c.Status = v1beta1.CanaryStatus{} }

func happened(name, kind string, ago time.Duration, message string) *corev1.Event {
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: "test", Name: name, UID: types.UID(name)},
		InvolvedObject: corev1.ObjectReference{Kind: "Canary", Namespace: "test", Name: "podinfo"},
		Type:           kind, Message: message, LastTimestamp: before(ago),
	}
}

// world is an API server, and what the daemon does when somebody writes.
type world struct {
	*Cluster
	// daemon is called after each patch of a Canary, with what it is then.
	daemon func(*v1beta1.Canary)
	// watching gets one for each watch of Canaries. Unlike a real API server this
	// one forgets what changed between the list and the watch.
	watching chan struct{}
	fails    func(verb string) error
	// patch is the last one.
	patch string
	// brief ends each watch at once.
	brief bool
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{watching: make(chan struct{}, 100)}
	index := func(get func(client.Object) string) client.IndexerFunc {
		return func(o client.Object) []string { return []string{get(o)} }
	}
	w.Cluster = &Cluster{Namespace: "test", Program: "serin", Config: &rest.Config{}}
	w.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1beta1.Canary{}).
		WithIndex(&v1beta1.Canary{}, "metadata.name", index(client.Object.GetName)).
		WithIndex(&corev1.Event{}, "involvedObject.kind", index(func(o client.Object) string { return o.(*corev1.Event).InvolvedObject.Kind })).
		WithIndex(&corev1.Event{}, "involvedObject.name", index(func(o client.Object) string { return o.(*corev1.Event).InvolvedObject.Name })).
		WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				if err := w.fail("patch"); err != nil {
					return err
				}
				data, err := p.Data(o)
				if err != nil {
					return err
				}
				w.patch = string(data)
				if err := c.Patch(ctx, o, p, opts...); err != nil {
					return err
				}
				if w.daemon != nil {
					w.react(t, c, o)
				}
				return nil
			},
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if err := w.fail("list"); err != nil {
					return err
				}
				return c.List(ctx, list, opts...)
			},
			Watch: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
				i, err := c.Watch(ctx, list, opts...)
				if _, ok := list.(*v1beta1.CanaryList); ok {
					w.watching <- struct{}{}
				}
				if w.brief && err == nil {
					i.Stop()
				}
				return i, err
			},
		}).Build()
	return w
}

func (w *world) fail(verb string) error {
	if w.fails == nil {
		return nil
	}
	return w.fails(verb)
}

func (w *world) react(t *testing.T, c client.Client, o client.Object) {
	t.Helper()
	now := new(v1beta1.Canary)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), now); err != nil {
		t.Error(err)
		return
	}
	w.daemon(now)
	if err := c.Status().Update(t.Context(), now); err != nil {
		t.Error(err)
	}
}

// change writes the status of podinfo, as the daemon does.
func (w *world) change(t *testing.T, edit func(*v1beta1.Canary)) {
	t.Helper()
	c := w.read(t)
	edit(c)
	if err := w.Client.Status().Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func (w *world) read(t *testing.T) *v1beta1.Canary {
	t.Helper()
	c := new(v1beta1.Canary)
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: "test", Name: "podinfo"}, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// paper is what is written, and can be read meanwhile.
type paper struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.String()
}
