package daemon_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
	"github.com/serin-dev/serin/testenv"
)

// env is shared by the tests of this package; each has its own namespace and
// its own daemons.
var env *testenv.Env

// childVariable makes the test binary a daemon, for tests that kill one. Its
// value is a childConfig in JSON.
const childVariable = "SERIN_DAEMON_TEST_CHILD"

type childConfig struct {
	Kubeconfig, Gateway, Namespace string
	// Crash kills the daemon at its Crash.Write-th write; 0 for never.
	Crash crash
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	// These tests wait more than they work. A flag on the command line wins.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	if config := os.Getenv(childVariable); config != "" {
		if err := beDaemon(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(runWithEnv(m))
}

func runWithEnv(m *testing.M) int {
	var err error
	env, err = testenv.Start(context.Background(), testenv.Options{CRDs: []string{"../chart/crds"}, Grace: time.Second})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func beDaemon(encoded string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(encoded), &c); err != nil {
		return err
	}
	cluster, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	cluster.Wrap(c.Crash.wrap)
	return daemon.Run(context.Background(), daemon.Config{
		Cluster: cluster, Gateway: c.Gateway, Namespaces: []string{c.Namespace}, Listen: "127.0.0.1:0", AllowNetworks: []string{"127.0.0.0/8"},
		Log: slog.New(slog.NewTextHandler(os.Stdout, nil)),
	})
}

// world is a namespace with a Service, its Canary and a daemon.
type world struct {
	testing.TB
	namespace string
	service   *servingv1.Service
	canary    *v1beta1.Canary
}

// newWorld makes a namespace. Nothing runs in it yet.
func newWorld(t testing.TB) *world {
	t.Helper()
	if t, ok := t.(*testing.T); ok {
		t.Parallel()
	}
	w := &world{TB: t, namespace: env.Namespace(t)}
	w.service = newService(w.namespace)
	w.canary = &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "podinfo"}}
	w.canary.Spec = v1beta1.CanarySpec{
		Provider:                "knative",
		TargetRef:               v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: "podinfo"},
		ProgressDeadlineSeconds: new(int32(60)),
		Analysis: v1beta1.Analysis{
			Interval: "1s", Threshold: 2, StepWeight: new(int32(25)), MaxWeight: new(int32(50)),
			Load: &v1beta1.Load{Rate: 40, Warmup: "100ms"},
			Metrics: []v1beta1.Metric{
				{Name: v1beta1.MetricSuccessRate, ThresholdRange: &v1beta1.ThresholdRange{Min: new(99.0)}},
				// Generous, as these tests share two cores with each other.
				{Name: v1beta1.MetricDuration, ThresholdRange: &v1beta1.ThresholdRange{Max: new(10_000.0)}},
			},
		},
	}
	return w
}

// newService is podinfo 6.0.0.
func newService(namespace string) *servingv1.Service {
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "podinfo"}}
	service.Spec.Template.Spec.Containers = []corev1.Container{{
		Image: "ghcr.io/stefanprodan/podinfo:6.0.0",
		Ports: []corev1.ContainerPort{{ContainerPort: 9898, Protocol: corev1.ProtocolTCP}},
		Command: []string{
			"./podinfo", "--port=9898", "--port-metrics=9797", "--grpc-port=9999", "--grpc-service-name=podinfo",
			"--level=info", "--random-delay=false", "--random-error=false",
		},
	}}
	return service
}

// initialized brings a world to phase Initialized with a daemon in it.
func initialized(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	return w
}

// daemon runs a daemon for the world's namespace until the returned function
// is called, or the test ends.
func (w *world) daemon(config daemon.Config) (stop func()) {
	w.Helper()
	if config.Cluster == nil {
		config.Cluster = env.Config
	}
	config.Gateway = env.Gateway
	if config.Namespaces == nil {
		config.Namespaces = []string{w.namespace}
	}
	config.SeveralInOneProcess = true
	if config.AllowNetworks == nil {
		config.AllowNetworks = []string{"127.0.0.0/8"} // where the hooks of these tests listen
	}
	if config.Listen == "" {
		config.Listen = "127.0.0.1:0"
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	done := make(chan error, 1)
	go func() { done <- daemon.Run(ctx, config) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				w.Errorf("daemon: %v", err)
			}
		}
	}
	w.Cleanup(stop)
	return stop
}

// child runs a daemon as a process of its own. kill ends it with SIGKILL.
func (w *world) child() (kill func()) {
	w.Helper()
	kill, _ = w.doomed(crash{})
	return kill
}

// doomed is a child that kills itself as it is told to; ended says so.
func (w *world) doomed(crash crash) (kill func(), ended <-chan struct{}) {
	w.Helper()
	config, err := json.Marshal(childConfig{env.Kubeconfig, env.Gateway, w.namespace, crash})
	if err != nil {
		w.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+string(config))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.Log(lines.Text())
		}
	}()
	killed := false
	kill = func() {
		if killed {
			return
		}
		killed = true
		_ = cmd.Process.Kill()
		<-logged
		_ = cmd.Wait()
	}
	w.Cleanup(kill)
	return kill, logged
}

func (w *world) create(object client.Object) {
	w.Helper()
	if err := env.Client.Create(w.Context(), object); err != nil {
		w.Fatal(err)
	}
}

// changeService patches the Service as it is now.
func (w *world) changeService(edit func(*servingv1.Service)) {
	w.Helper()
	w.read(w.service)
	before := w.service.DeepCopy()
	edit(w.service)
	if err := env.Client.Patch(w.Context(), w.service, client.MergeFrom(before)); err != nil {
		w.Fatal(err)
	}
}

func (w *world) changeCanary(edit func(*v1beta1.Canary)) {
	w.Helper()
	w.read(w.canary)
	before := w.canary.DeepCopy()
	edit(w.canary)
	if err := env.Client.Patch(w.Context(), w.canary, client.MergeFrom(before)); err != nil {
		w.Fatal(err)
	}
}

func (w *world) read(object client.Object) {
	w.Helper()
	if err := env.Client.Get(w.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		w.Fatal(err)
	}
}

// push makes a new revision by its image tag.
func (w *world) push(tag string, flags ...string) {
	w.Helper()
	w.changeService(func(s *servingv1.Service) {
		c := &s.Spec.Template.Spec.Containers[0]
		c.Image = "ghcr.io/stefanprodan/podinfo:" + tag
		c.Command = append(c.Command[:7], append([]string{"--random-error=false"}, flags...)...)
	})
}

// eventually waits until a condition on the fresh Service and Canary holds.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(90 * time.Second)
	for {
		_ = env.Client.Get(w.Context(), client.ObjectKeyFromObject(w.service), w.service)
		_ = env.Client.Get(w.Context(), client.ObjectKeyFromObject(w.canary), w.canary)
		if holds() {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			w.Fatalf("%s: not so after 90 s\nstatus: %+v\nanalysis: %+v\nservice: %+v\nevents:\n%s",
				what, w.canary.Status, w.canary.Status.Analysis, w.service.Status, strings.Join(w.events(), "\n"))
		}
	}
}

func (w *world) awaitPhase(phase v1beta1.Phase) {
	w.Helper()
	w.eventually("phase "+string(phase), func() bool { return w.canary.Status.Phase == phase })
}

// awaitOutcome waits for a revision's rollout to end, and says how it should.
func (w *world) awaitOutcome(revision string, phase v1beta1.Phase) {
	w.Helper()
	w.eventually(fmt.Sprintf("%s for %s", phase, revision), func() bool {
		s := w.canary.Status
		ended := s.LastAppliedSpec == revision && (s.Phase == v1beta1.PhaseSucceeded || s.Phase == v1beta1.PhaseFailed)
		if ended && s.Phase != phase {
			w.Fatalf("%s ended as %s, want %s\n%s", revision, s.Phase, phase, strings.Join(w.events(), "\n"))
		}
		return ended
	})
}

// live is the observed percent of the live traffic at a revision.
func (w *world) live(revision string) (percent int64) {
	for _, t := range w.service.Status.Traffic {
		if t.RevisionName == revision && t.Percent != nil {
			percent += *t.Percent
		}
	}
	return percent
}

// events returns the messages of the Canary's events.
func (w *world) events() []string {
	var list corev1.EventList
	if err := env.Client.List(w.Context(), &list, client.InNamespace(w.namespace)); err != nil {
		return []string{err.Error()}
	}
	var messages []string
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == "Canary" {
			messages = append(messages, fmt.Sprintf("%s %s (%d)", e.Type, e.Message, e.Count))
		}
	}
	return messages
}

func (w *world) awaitEvent(part string) {
	w.Helper()
	w.eventually("event "+part, func() bool { return strings.Contains(strings.Join(w.events(), "\n"), part) })
}
