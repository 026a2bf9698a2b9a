package cli

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
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

// kubelet is an API server whose pods' ports are those of this machine.
func kubelet(t *testing.T) *Cluster {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // a websocket, which the old ones do not know
			http.Error(w, "unable to upgrade", http.StatusBadRequest)
			return
		}
		if r.URL.Path != "/api/v1/namespaces/serin/pods/serin-a/portforward" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("X-Stream-Protocol-Version", portforward.PortForwardProtocolV1Name)
		streams := make(chan httpstream.Stream)
		connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
			streams <- s
			return nil
		})
		if connection == nil {
			return
		}
		defer func() { _ = connection.Close() }()
		for {
			select {
			case <-connection.CloseChan():
				return
			case s := <-streams:
				serve(s)
			}
		}
	}))
	t.Cleanup(server.Close)
	return &Cluster{Config: &rest.Config{Host: server.URL}, Namespace: "test", Program: "serin"}
}

// serve connects a stream with the port that it asks for.
func serve(s httpstream.Stream) {
	if s.Headers().Get(corev1.StreamType) != corev1.StreamTypeData {
		_ = s.Close() // that of errors: there are none
		return
	}
	backend, err := net.Dial("tcp", "127.0.0.1:"+s.Headers().Get(corev1.PortHeader))
	if err != nil {
		_ = s.Reset()
		return
	}
	go func() { _, _ = io.Copy(backend, s) }()
	go func() {
		_, _ = io.Copy(s, backend)
		_ = errors.Join(s.Close(), backend.Close())
	}()
}

func TestDaemonIsReachedThroughTheAPIServer(t *testing.T) {
	s := newDaemonServer(t)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	daemon := pod("serin", "serin-a", true)
	daemon.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: int32(number)}}}}
	c := kubelet(t)
	c.Client = newWorld(t, daemon).Client
	d, err := Reach(Access{}, "test", func() (*Cluster, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 2 {
		if faults, err := d.Faults(t.Context(), "", ""); err != nil || len(faults) != 0 {
			t.Errorf("%v, %v", err, faults)
		}
	}
	local := d.base
	d.Close()
	if healthy(t.Context(), local) {
		t.Errorf("%s is forwarded on", local)
	}
	gone := pod("serin", "serin-b", true)
	if _, _, err := c.forward(t.Context(), gone); err == nil || !strings.Contains(err.Error(), "forward a port to pod serin/serin-b") {
		t.Errorf("got %v", err)
	}
}
