package testenv_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	pollPeriod = 25 * time.Millisecond
	patience   = time.Minute
)

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

// eventuallyTrue looks again and again until something is so.
func eventuallyTrue(t *testing.T, what string, so func() bool) {
	t.Helper()
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	timeout := time.After(patience)
	for !so() {
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("%s: still not so after %s", what, patience)
		}
	}
}

// eventually reads an object again and again until it is as wanted.
func eventually[T client.Object](t *testing.T, object T, what string, wanted func(T) bool) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s when %q was waited for: %+v", object.GetName(), what, object)
		}
	})
	eventuallyTrue(t, object.GetName()+" "+what, func() bool {
		return env.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object) == nil && wanted(object)
	})
}

// eventuallyPIDs waits until a revision runs a number of processes.
func eventuallyPIDs(t *testing.T, namespace, revision string, n int) {
	t.Helper()
	eventuallyTrue(t, "the processes of "+revision, func() bool { return len(env.Node.PIDs(namespace, revision)) == n })
}

// eventuallyEnded waits for the end of processes, of which there must be some.
func eventuallyEnded(t *testing.T, pids []int) {
	t.Helper()
	if len(pids) == 0 {
		t.Fatal("there was no process to end")
	}
	for _, pid := range pids {
		eventuallyTrue(t, "the process has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
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
	eventuallyTrue(t, host+path+" answers "+http.StatusText(status)+" with "+part, func() bool {
		got, body := get(t, host, path)
		return got == status && strings.Contains(body, part)
	})
}

func ready(s *servingv1.Service) bool {
	return s.Status.ObservedGeneration == s.Generation && s.IsReady()
}

func target(revision, tag string, percent int64) servingv1.TrafficTarget {
	return servingv1.TrafficTarget{RevisionName: revision, Tag: tag, Percent: &percent}
}
