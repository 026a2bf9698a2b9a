package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/access"
	"github.com/serin-dev/serin/daemon/archive"
	"github.com/serin-dev/serin/daemon/fault"
	"github.com/serin-dev/serin/daemon/history"
	"github.com/serin-dev/serin/measure"
)

// cluster has Canaries, knows one token, and keeps the patches that come.
type cluster struct {
	client.Client
	mu       sync.Mutex // guards what follows
	canaries []*v1beta1.Canary
	patches  []string
}

func (c *cluster) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, canary := range c.canaries {
		if client.ObjectKeyFromObject(canary) == key {
			canary.DeepCopyInto(o.(*v1beta1.Canary))
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "canaries"}, key.Name)
}

func (c *cluster) List(_ context.Context, o client.ObjectList, _ ...client.ListOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, canary := range c.canaries {
		o.(*v1beta1.CanaryList).Items = append(o.(*v1beta1.CanaryList).Items, *canary.DeepCopy())
	}
	return nil
}

func (c *cluster) Patch(_ context.Context, o client.Object, patch client.Patch, _ ...client.PatchOption) error {
	data, err := patch.Data(o)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.patches = append(c.patches, o.GetName()+" "+string(data))
	return err
}

func (c *cluster) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	switch review := o.(type) {
	case *authenticationv1.TokenReview:
		review.Status.Authenticated = review.Spec.Token == "good"
		review.Status.User.Username = "ann"
	case *authorizationv1.SubjectAccessReview:
		review.Status.Allowed = review.Spec.ResourceAttributes.Namespace == "test"
	}
	return nil
}

// shelf has one report.
type shelf struct{ archive.Shelf }

func (shelf) List(context.Context, types.NamespacedName) ([]string, error) {
	return []string{"20260102T030405Z.podinfo-00001"}, nil
}

func (shelf) Open(_ context.Context, _ types.NamespacedName, id string) (io.ReadCloser, error) {
	switch id {
	case "20260102T030405Z.podinfo-00001":
		return io.NopCloser(strings.NewReader("<!doctype html>")), nil
	case "planted":
		return nil, archive.ErrPlanted
	}
	return nil, archive.ErrNone
}

// tested is a Server over a cluster with a rollout under way, test/podinfo, a
// Canary that waits for its first, prod/shop, and one whose last has failed and
// whose traffic somebody has changed since, test/changed.
type tested struct {
	*Server
	cluster *cluster
	working bool
	said    []string // of faults
}

var podinfo = types.NamespacedName{Namespace: "test", Name: "podinfo"}

// shown is what a Route shows: "REVISION TAG PERCENT" each.
func shown(entries ...string) (traffic []v1beta1.TrafficShare) {
	for _, entry := range entries {
		fields := strings.Split(entry, " ")
		percent, _ := strconv.ParseInt(fields[2], 10, 64)
		traffic = append(traffic, v1beta1.TrafficShare{Revision: fields[0], Tag: fields[1], Percent: percent})
	}
	return traffic
}

func changed() *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "changed"}}
	c.Spec.TargetRef = v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: "changed"}
	c.Spec.Analysis.StepWeight = new(int32(10))
	c.Status = v1beta1.CanaryStatus{
		Phase: v1beta1.PhaseFailed, CanaryWeight: 45, LastPromotedSpec: "changed-00003", LastAppliedSpec: "changed-00004",
		Retired: []v1beta1.RetiredRevision{{Revision: "changed-00002"}, {Revision: "changed-00001"}},
		Traffic: shown("changed-00003 primary 55", "changed-00002 old 40", "changed-00002  5", "changed-00001 mine 0"),
		Conditions: []v1beta1.Condition{{
			Type: v1beta1.ConditionTrafficApplied, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
			Message: "spec.traffic of service test/changed was changed by kubectl-edit",
		}},
		Analysis: &v1beta1.AnalysisStatus{PrimaryRevision: "changed-00003", CanaryRevision: "changed-00004", StartTime: metav1.NowMicro()},
	}
	return c
}

func newServer(t testing.TB) *tested {
	t.Helper()
	running := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "podinfo"}}
	running.Spec.TargetRef = v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: "podinfo"}
	running.Spec.Analysis.StepWeight = new(int32(10))
	running.Status = v1beta1.CanaryStatus{Phase: v1beta1.PhaseProgressing, CanaryWeight: 10, LastTransitionTime: metav1.Now()}
	running.Status.Traffic = shown("podinfo-00001 primary 90", "podinfo-00002 canary 10")
	running.Status.LastPromotedSpec, running.Status.LastAppliedSpec = "podinfo-00001", "podinfo-00002"
	running.Status.Analysis = &v1beta1.AnalysisStatus{
		PrimaryRevision: "podinfo-00001", CanaryRevision: "podinfo-00002", Weight: 10, Stage: v1beta1.StageMeasuring, StartTime: metav1.NowMicro(), Verdict: "pass",
		Metrics: []v1beta1.MetricStatus{{Name: "request-success-rate", Verdict: "pass", Message: "success rate 100%", Value: new(100.0), Requests: 50}},
		Canary:  &v1beta1.Measured{Requests: 50, SuccessRatePercent: 100, P50Milliseconds: 1.5, P99Milliseconds: 3},
		Plan:    &v1beta1.PlanStatus{Requests: 100, DurationSeconds: 10, Message: "a step needs about 10s"},
	}
	waiting := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop"}, Spec: running.Spec}
	waiting.Spec.TargetRef.Name = "shop"
	s := &tested{cluster: &cluster{canaries: []*v1beta1.Canary{running, waiting, changed()}}, working: true}
	past := history.New(history.Config{})
	past.Status(running, new(v1beta1.CanaryStatus))
	past.Event(podinfo, "Normal", "New revision detected!")
	snap := new(measure.Snapshot)
	now := time.Now()
	snap.Add(measure.Result{Intended: now, Sent: now, Done: now.Add(time.Millisecond), Outcome: measure.Status(200), OK: true})
	past.Measured(podinfo, snap, snap)
	s.Server = &Server{
		Ready:    func(context.Context) error { return nil },
		Metrics:  prometheus.NewRegistry(),
		Canaries: s.cluster, Change: s.cluster, Guard: &access.Guard{Client: s.cluster},
		History: past, Reports: shelf{}, Working: func() bool { return s.working },
		Faults: fault.New(fault.Config{Notify: func(_ context.Context, _ types.NamespacedName, _, message string) { s.said = append(s.said, message) }}),
		Log:    slog.New(slog.DiscardHandler),
	}
	return s
}

// from makes a request look as if it came from an address to that of the
// server.
func from(r *http.Request, remote, local string) *http.Request {
	r.RemoteAddr = remote
	addr, _ := net.ResolveTCPAddr("tcp", local)
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr)))
}

// inside is a request over loopback, outside one from another pod.
func inside(method, path, body string) *http.Request {
	return from(httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body)), "127.0.0.1:4711", "127.0.0.1:8080")
}

func outside(method, path, body string) *http.Request {
	return from(httptest.NewRequest(method, "http://serin.test:8080"+path, strings.NewReader(body)), "10.9.9.9:4711", "10.1.2.3:8080")
}

func (s *tested) ask(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	s, notReady := newServer(t), newServer(t)
	notReady.Ready = func(context.Context) error { return errors.New("the caches are not filled yet") }
	for _, tc := range []struct {
		server       *tested
		method, path string
		status       int
		body         string
	}{
		{s, "GET", "/healthz", 200, `{"status":"ok"}`},
		{s, "GET", "/readyz", 200, `{"status":"ok"}`},
		{s, "GET", "/metrics", 200, ""},
		{s, "POST", "/healthz", 405, "does not answer POST"},
		{s, "GET", "/nowhere", 404, "there is no /nowhere here"},
		{notReady, "GET", "/readyz", 503, "the caches are not filled yet"},
		{notReady, "GET", "/healthz", 200, `{"status":"ok"}`},
	} {
		got := tc.server.ask(outside(tc.method, tc.path, ""))
		if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.body) {
			t.Errorf("%s %s = %d %q, want %d with %q", tc.method, tc.path, got.Code, got.Body, tc.status, tc.body)
		}
	}
}

func TestPanicsAndUnknownErrorsStayInside(t *testing.T) {
	s := newServer(t)
	for name, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"panic": func(http.ResponseWriter, *http.Request) error { panic("secret") },
		"error": func(http.ResponseWriter, *http.Request) error { return errors.New("secret") },
	} {
		w := httptest.NewRecorder()
		s.handle(f).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s gives %d %q", name, w.Code, w.Body)
		}
	}
}

// serve runs the server on loopback until the test ends.
func (s *tested) serve(t *testing.T) (address string) {
	t.Helper()
	var err error
	if s.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Start returned %v after its context had ended", err)
		}
	})
	return s.Listener.Addr().String()
}

func TestServesUntilItsContextEnds(t *testing.T) {
	address := newServer(t).serve(t)
	for _, path := range []string{"/healthz", "/api/v1/canaries/test/podinfo/stream"} { // one that ends, and one that would not
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 10)
		if _, err := io.ReadFull(resp.Body, first); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
}

// Clients that send their headers a byte at a time get nothing, and take
// nothing from others.
func TestSlowClientsDoNotStopTheProbe(t *testing.T) {
	address := newServer(t).serve(t)
	for range 500 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: loc")
	}
	resp, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}
