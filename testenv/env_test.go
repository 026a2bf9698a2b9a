package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/testenv"
)

// env is shared by the tests of this package; each has its own namespace.
var env *testenv.Env

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	var err error
	if env, err = testenv.Start(context.Background(), testenv.Options{Grace: time.Second}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := stopLeavesNothing(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// stopLeavesNothing stops the environment while it runs a revision.
func stopLeavesNothing() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := env.Client.Create(ctx, podinfo(metav1.NamespaceDefault))
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	for err == nil && len(env.Node.Endpoints(metav1.NamespaceDefault, "podinfo-00001")) == 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	pids := env.Node.PIDs(metav1.NamespaceDefault, "podinfo-00001")
	dir := filepath.Dir(env.Kubeconfig)
	if err := errors.Join(err, env.Stop(), env.Stop()); err != nil {
		return err
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is left after Stop: %w", dir, err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("the revision's process %d is left after Stop: %w", pid, err)
		}
	}
	// Every other process has the folder in its arguments.
	processes, err := exec.CommandContext(ctx, "ps", "-A", "-o", "args=").Output()
	if err != nil {
		return err
	}
	if strings.Contains(string(processes), dir) {
		return fmt.Errorf("processes are left after Stop:\n%s", processes)
	}
	return goleak.Find()
}

// served makes a namespace with a podinfo that is ready.
func served(t *testing.T, flags ...string) (ns string, service *servingv1.Service) {
	t.Helper()
	ns = env.Namespace(t)
	service = podinfo(ns, flags...)
	create(t, service)
	eventually(t, service, "ready", ready)
	return ns, service
}

func TestServiceServesThroughTheGateway(t *testing.T) {
	t.Parallel()
	ns, service := served(t)
	for _, host := range []string{"podinfo." + ns, "podinfo." + ns + ".svc.cluster.local", "podinfo." + ns + ".localhost", "podinfo." + ns + ".localhost:80"} {
		if status, body := get(t, host, "/env"); status != 200 {
			t.Errorf("%s answers %d %q", host, status, body)
		}
	}
	if status, _ := get(t, "nobody."+ns, "/"); status != 404 {
		t.Errorf("an unknown host answers %d", status)
	}
	if creator := service.Annotations["serving.knative.dev/creator"]; creator != "admin" {
		t.Errorf("Knative's defaulting has not run: creator %q", creator)
	}
}

func TestTagsAndPinnedTraffic(t *testing.T) {
	t.Parallel()
	ns, service := served(t, "--ui-message=one")
	change(t, service, func(s *servingv1.Service) {
		s.Spec.Traffic = []servingv1.TrafficTarget{target("podinfo-00001", "primary", 100)}
	})
	change(t, service, func(s *servingv1.Service) {
		s.Spec.Template.Spec.Containers[0].Command = podinfo(ns, "--ui-message=two").Spec.Template.Spec.Containers[0].Command
	})
	eventually(t, service, "second revision ready", func(s *servingv1.Service) bool {
		return ready(s) && s.Status.LatestReadyRevisionName == "podinfo-00002"
	})
	if _, body := get(t, "podinfo."+ns, "/"); !strings.Contains(body, `"one"`) {
		t.Errorf("a new revision serves although traffic is pinned: %s", body)
	}
	change(t, service, func(s *servingv1.Service) {
		s.Spec.Traffic = append(s.Spec.Traffic, target("podinfo-00002", "canary", 0))
	})
	eventually(t, service, "ready with tags", ready)
	for host, want := range map[string]string{"podinfo." + ns: `"one"`, "primary-podinfo." + ns: `"one"`, "canary-podinfo." + ns: `"two"`} {
		if status, body := get(t, host, "/"); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s answers %d %s, want %s", host, status, body, want)
		}
	}
	change(t, service, func(s *servingv1.Service) {
		s.Spec.Traffic = []servingv1.TrafficTarget{target("podinfo-00001", "", 90), target("podinfo-00002", "", 10)}
	})
	eventually(t, service, "ready with a split", ready)
	second := 0
	for range 200 {
		if _, body := get(t, "podinfo."+ns, "/"); strings.Contains(body, `"two"`) {
			second++
		}
	}
	// Outside of these bounds once in a million (binomial, n 200, p 0.1).
	if second < 3 || second > 43 {
		t.Errorf("of 200 requests %d went to the second revision at 10 percent", second)
	}
	if status, _ := get(t, "canary-podinfo."+ns, "/"); status != 404 {
		t.Errorf("a dropped tag answers %d", status)
	}
}

func TestRevisionWithoutRouteScalesDown(t *testing.T) {
	t.Parallel()
	ns, service := served(t)
	change(t, service, func(s *servingv1.Service) { s.Spec.Template.Spec.Containers[0].Image += "1" })
	eventually(t, service, "second revision ready", func(s *servingv1.Service) bool {
		return ready(s) && s.Status.LatestReadyRevisionName == "podinfo-00002"
	})
	first := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "podinfo-00001"}}
	pids := env.Node.PIDs(ns, first.Name)
	eventually(t, first, "inactive and still ready", func(r *servingv1.Revision) bool {
		return r.Status.GetCondition(servingv1.RevisionConditionActive).IsFalse() && r.IsReady()
	})
	eventuallyEnded(t, pids)
	change(t, service, func(s *servingv1.Service) {
		s.Spec.Traffic = []servingv1.TrafficTarget{target("podinfo-00001", "", 100)}
	})
	eventuallyGet(t, "podinfo."+ns, "/env", 200, "")
}

func TestKilledProcessIsAnOutageAndComesBack(t *testing.T) {
	t.Parallel()
	ns, _ := served(t)
	env.Node.KillPods(ns, "podinfo-00001")
	eventuallyGet(t, "podinfo."+ns, "/", 503, "podinfo-00001 has no ready process")
	eventuallyGet(t, "podinfo."+ns, "/env", 200, "")
}

// condition finds one of a Revision's conditions and says it in one line.
func condition(r *servingv1.Revision, kind apis.ConditionType) string {
	c := r.Status.GetCondition(kind)
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message)
}

func TestUnknownImageNeverGetsReady(t *testing.T) {
	t.Parallel()
	ns := env.Namespace(t)
	service := podinfo(ns)
	service.Spec.Template.Spec.Containers[0].Image = "ghcr.io/stefanprodan/nothing:1"
	service.Spec.Template.Annotations = map[string]string{"serving.knative.dev/progress-deadline": "3s"}
	create(t, service)
	revision := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "podinfo-00001"}}
	eventually(t, revision, "says at once that the image is missing", func(r *servingv1.Revision) bool {
		return strings.HasPrefix(condition(r, servingv1.RevisionConditionActive), "Unknown ImagePullBackOff") &&
			r.Status.GetCondition(servingv1.RevisionConditionReady).IsUnknown()
	})
	eventually(t, revision, "has failed after the progress deadline", func(r *servingv1.Revision) bool {
		return strings.HasPrefix(condition(r, servingv1.RevisionConditionReady), "False ImagePullBackOff back-off pulling image")
	})
	if status, _ := get(t, "podinfo."+ns, "/"); status == http.StatusOK {
		t.Error("the Service serves")
	}
}

func TestContainerThatDiesIsNotHealthy(t *testing.T) {
	t.Parallel()
	ns := env.Namespace(t)
	create(t, podinfo(ns, "--no-such-flag"))
	revision := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "podinfo-00001"}}
	eventually(t, revision, "says how the container died", func(r *servingv1.Revision) bool {
		healthy := condition(r, servingv1.RevisionConditionContainerHealthy)
		return !r.IsReady() && strings.HasPrefix(healthy, "False ExitCode2 Container failed with:") && strings.Contains(healthy, "no-such-flag")
	})
	var pods corev1.PodList
	if err := env.Client.List(t.Context(), &pods, client.InNamespace(ns)); err != nil || len(pods.Items) != 1 {
		t.Fatalf("%d pods, error %v; want 1", len(pods.Items), err)
	}
	eventually(t, &pods.Items[0], "is started again", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 2 && p.Status.ContainerStatuses[0].RestartCount >= 2
	})
}

func TestScaleAndProbeAreHonoured(t *testing.T) {
	t.Parallel()
	ns := env.Namespace(t)
	service := podinfo(ns)
	service.Spec.Template.Annotations = map[string]string{"autoscaling.knative.dev/min-scale": "2"}
	container := &service.Spec.Template.Spec.Containers[0]
	// No flag says where to serve, and the probe is not podinfo's default.
	container.Command = []string{"./podinfo"}
	container.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz"}}}
	create(t, service)
	eventually(t, service, "ready", ready)
	if addresses := env.Node.Endpoints(ns, "podinfo-00001"); len(addresses) != 2 || addresses[0] == addresses[1] {
		t.Errorf("processes at %v, want 2", addresses)
	}
	never := podinfo(ns, "--unready")
	never.Name = "never"
	never.Spec.Template.Spec.Containers[0].ReadinessProbe = container.ReadinessProbe
	create(t, never)
	eventuallyPIDs(t, ns, "never-00001", 1)
	if status, body := get(t, "podinfo."+ns, "/env"); status != http.StatusOK {
		t.Errorf("podinfo answers %d %q", status, body)
	}
	if addresses := env.Node.Endpoints(ns, "never-00001"); len(addresses) != 0 {
		t.Errorf("an unready process counts as ready at %v", addresses)
	}
}

func TestServiceAccountsHaveOnlyTheRightsTheyAreGiven(t *testing.T) {
	t.Parallel()
	ns := env.Namespace(t)
	config, err := env.ServiceAccountConfig(t.Context(), ns, "serin")
	if err != nil {
		t.Fatal(err)
	}
	limited, err := client.New(config, client.Options{Scheme: env.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := limited.List(t.Context(), &corev1.PodList{}, client.InNamespace(ns)); !apierrors.IsForbidden(err) {
		t.Fatalf("without a role pods can be listed: %v", err)
	}
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "serin"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: "serin"}},
	})
	eventuallyTrue(t, "the role is in force", func() bool {
		return limited.List(t.Context(), &corev1.PodList{}, client.InNamespace(ns)) == nil
	})
}

func TestKnativesValidationSpeaks(t *testing.T) {
	t.Parallel()
	service := podinfo(env.Namespace(t))
	service.Spec.Traffic = []servingv1.TrafficTarget{target("a", "", 60), target("b", "", 60)}
	if err := env.Client.Create(t.Context(), service); err == nil || !strings.Contains(err.Error(), "Traffic targets sum to 120, want 100") {
		t.Errorf("a Service with 120 percent gives %v", err)
	}
}

func TestDeletedServiceLeavesNothing(t *testing.T) {
	t.Parallel()
	ns, service := served(t)
	pids := env.Node.PIDs(ns, "podinfo-00001")
	if err := env.Client.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	eventuallyGet(t, "podinfo."+ns, "/", 404, "")
	eventuallyEnded(t, pids)
}

func TestDeletedNamespaceLeavesNothing(t *testing.T) {
	t.Parallel()
	ns, _ := served(t)
	pids := env.Node.PIDs(ns, "podinfo-00001")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	if err := env.Client.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	eventuallyEnded(t, pids)
	eventuallyTrue(t, "the namespace is gone", func() bool {
		return apierrors.IsNotFound(env.Client.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
	})
}
