package cli

import (
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func pod(namespace, name string, ready bool) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{podLabel: podName}}}
	if ready {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	return p
}

func TestDaemonIsTheReadyPodThatWorks(t *testing.T) {
	holder := "serin-b_8b1c"
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "serin", Name: "serin"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder}}
	stranger := pod("test", "other", true)
	stranger.Labels = nil
	for _, tc := range []struct {
		only    string
		objects []client.Object
		want    string
	}{
		{"", []client.Object{pod("serin", "serin-a", true)}, "serin-a"},
		{"", []client.Object{pod("serin", "serin-a", true), pod("serin", "serin-b", true), lease}, "serin-b"},
		{"", []client.Object{pod("serin", "serin-a", true), pod("serin", "serin-b", false), lease}, "serin-a"},
		{"", []client.Object{pod("serin", "serin-a", true), pod("test", "serin-t", true)}, "serin-t"},
		{"serin", []client.Object{pod("serin", "serin-a", true), pod("test", "serin-t", true)}, "serin-a"},
	} {
		w := newWorld(t, tc.objects...)
		got, err := w.daemonPod(t.Context(), tc.only, "test")
		if err != nil || got.Name != tc.want {
			t.Errorf("%v: %v, want %s", got, err, tc.want)
		}
	}
	w := newWorld(t, pod("serin", "serin-a", false), stranger)
	for only, want := range map[string]string{"": "in any namespace: name the daemon with --server", "prod": `in namespace "prod"`} {
		if _, err := w.daemonPod(t.Context(), only, "test"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestPortIsTheOneNamedHTTP(t *testing.T) {
	p := pod("serin", "serin-a", true)
	if got := portOf(p); got != 8080 {
		t.Errorf("got %d", got)
	}
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "debug", ContainerPort: 1}, {Name: "http", ContainerPort: 9090}}}}
	if got := portOf(p); got != 9090 {
		t.Errorf("got %d", got)
	}
}
