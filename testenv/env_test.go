package testenv_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	dir := strings.TrimSuffix(env.Kubeconfig, "/kubeconfig")
	if err := env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		fmt.Fprintf(os.Stderr, "%s is left after Stop: %v\n", dir, err)
		return 1
	}
	return code
}

// podinfo is the guide's Service.
func podinfo(namespace string, flags ...string) *servingv1.Service {
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "podinfo"}}
	s.Spec.Template.Spec.Containers = []corev1.Container{{
		Image: "ghcr.io/stefanprodan/podinfo:6.0.0",
		Ports: []corev1.ContainerPort{{ContainerPort: 9898, Protocol: corev1.ProtocolTCP}},
		Command: append([]string{
			"./podinfo", "--port=9898", "--port-metrics=9797", "--grpc-port=9999", "--grpc-service-name=podinfo",
			"--level=info", "--random-delay=false", "--random-error=false",
		}, flags...),
	}}
	return s
}

// eventually reads an object again and again until it is as wanted.
func eventually[T client.Object](t *testing.T, object T, what string, wanted func(T) bool) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(time.Minute)
	for {
		err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object)
		if err == nil && wanted(object) {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("%s: not so after a minute (%v): %+v", what, err, object)
		}
	}
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := env.Client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// change patches an object.
func change[T client.Object](t *testing.T, object T, edit func(T)) {
	t.Helper()
	before := object.DeepCopyObject().(T)
	edit(object)
	if err := env.Client.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// get asks the gateway for a path of a host.
func get(t *testing.T, host, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+env.Gateway+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	content, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(content)
}

// eventuallyGet asks until the answer is as wanted.
func eventuallyGet(t *testing.T, host, path string, status int, part string) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(time.Minute)
	for {
		got, body := get(t, host, path)
		if got == status && strings.Contains(body, part) {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("%s%s answers %d %q, want %d with %q", host, path, got, body, status, part)
		}
	}
}

func ready(s *servingv1.Service) bool {
	return s.Status.ObservedGeneration == s.Generation && s.IsReady()
}

func target(revision, tag string, percent int64) servingv1.TrafficTarget {
	return servingv1.TrafficTarget{RevisionName: revision, Tag: tag, Percent: &percent}
}

func TestServiceServesThroughTheGateway(t *testing.T) {
	ns := env.Namespace(t)
	service := podinfo(ns)
	create(t, service)
	eventually(t, service, "ready", ready)
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
	ns := env.Namespace(t)
	service := podinfo(ns, "--ui-message=one")
	create(t, service)
	eventually(t, service, "ready", ready)
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
		s.Spec.Traffic = []servingv1.TrafficTarget{target("podinfo-00001", "", 50), target("podinfo-00002", "", 50)}
	})
	eventually(t, service, "ready with a split", ready)
	seen := map[bool]int{}
	for range 100 {
		_, body := get(t, "podinfo."+ns, "/")
		seen[strings.Contains(body, `"two"`)]++
	}
	// Each count is below 10 with a probability of 2e-17.
	if seen[true] < 10 || seen[false] < 10 {
		t.Errorf("of 100 requests %d went to the second revision at 50 percent", seen[true])
	}
	if status, _ := get(t, "canary-podinfo."+ns, "/"); status != 404 {
		t.Errorf("a dropped tag answers %d", status)
	}
}

func TestRevisionWithoutRouteScalesDown(t *testing.T) {
	ns := env.Namespace(t)
	service := podinfo(ns)
	create(t, service)
	eventually(t, service, "ready", ready)
	change(t, service, func(s *servingv1.Service) { s.Spec.Template.Spec.Containers[0].Image += "1" })
	eventually(t, service, "second revision ready", func(s *servingv1.Service) bool {
		return ready(s) && s.Status.LatestReadyRevisionName == "podinfo-00002"
	})
	first := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "podinfo-00001"}}
	eventually(t, first, "inactive and still ready", func(r *servingv1.Revision) bool {
		return r.Status.GetCondition(servingv1.RevisionConditionActive).IsFalse() && r.IsReady()
	})
	if left := env.Node.Endpoints(ns, "podinfo-00001"); len(left) != 0 {
		t.Errorf("processes are left at %v", left)
	}
	change(t, service, func(s *servingv1.Service) {
		s.Spec.Traffic = []servingv1.TrafficTarget{target("podinfo-00001", "", 100)}
	})
	eventuallyGet(t, "podinfo."+ns, "/env", 200, "")
}

func TestKilledProcessIsAnOutageAndComesBack(t *testing.T) {
	ns := env.Namespace(t)
	service := podinfo(ns)
	create(t, service)
	eventually(t, service, "ready", ready)
	env.Node.KillPods(ns, "podinfo-00001")
	eventuallyGet(t, "podinfo."+ns, "/", 503, "podinfo-00001 has no ready process")
	eventuallyGet(t, "podinfo."+ns, "/env", 200, "")
}

func TestBrokenRevisionsNeverGetReady(t *testing.T) {
	ns := env.Namespace(t)
	service := podinfo(ns)
	service.Spec.Template.Spec.Containers[0].Image = "ghcr.io/stefanprodan/nothing:1"
	create(t, service)
	dies := podinfo(ns, "--no-such-flag")
	dies.Name = "dies"
	create(t, dies)
	for name, want := range map[string]string{"podinfo-00001": "ImagePullBackOff", "dies-00001": "CrashLoopBackOff"} {
		revision := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
		eventually(t, revision, "not ready with the reason "+want, func(r *servingv1.Revision) bool {
			return !r.IsReady() && strings.Contains(fmt.Sprint(r.Status.Conditions), want)
		})
	}
}

func TestKnativesValidationSpeaks(t *testing.T) {
	service := podinfo(env.Namespace(t))
	service.Spec.Traffic = []servingv1.TrafficTarget{target("a", "", 60), target("b", "", 60)}
	if err := env.Client.Create(t.Context(), service); err == nil || !strings.Contains(err.Error(), "Traffic targets sum to 120, want 100") {
		t.Errorf("a Service with 120 percent gives %v", err)
	}
}

func TestDeletedServiceLeavesNothing(t *testing.T) {
	ns := env.Namespace(t)
	service := podinfo(ns)
	create(t, service)
	eventually(t, service, "ready", ready)
	if err := env.Client.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	eventuallyGet(t, "podinfo."+ns, "/", 404, "")
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for len(env.Node.Endpoints(ns, "podinfo-00001")) > 0 {
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatal("the revision's process is left")
		}
	}
}
