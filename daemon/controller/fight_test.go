package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func serviceWith(generation int64, revision string) *servingv1.Service {
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "podinfo", Generation: generation}}
	s.Spec.Traffic = []servingv1.TrafficTarget{{RevisionName: revision, Percent: new(int64(100))}}
	return s
}

// Two who write the same field do not do so in a loop.
func TestTrucesDouble(t *testing.T) {
	var f fights
	now := time.Unix(1000, 0)
	ours, theirs := serviceWith(2, "ours"), serviceWith(3, "theirs")
	check := func(what string, current, next *servingv1.Service, wantNew bool, wantTruce time.Duration) {
		t.Helper()
		if isNew, truce := f.overwritten(now, current, next); isNew != wantNew || truce != wantTruce {
			t.Errorf("%s: new %v, truce %v; want %v and %v", what, isNew, truce, wantNew, wantTruce)
		}
	}
	check("nothing was written", theirs, ours, false, 0)
	f.wrote(ours)
	check("the cache is late", serviceWith(1, "theirs"), ours, false, 0)
	check("nothing was changed", serviceWith(3, "ours"), ours, false, 0)
	check("something else is wanted", theirs, serviceWith(3, "next"), false, 0)
	check("the first time", theirs, ours, true, 0)
	for _, pause := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second} {
		check("at once again", theirs, ours, false, pause)
		now = now.Add(time.Second)
		check("a second later", theirs, ours, false, pause-time.Second)
		now = now.Add(pause - time.Second)
		check("after the pause", theirs, ours, false, 0)
	}
	for range 40 {
		_, truce := f.overwritten(now, theirs, ours)
		if truce > longestTruce {
			t.Fatalf("truce %v", truce)
		}
		now = now.Add(truce)
	}
	now = now.Add(peace + time.Second)
	check("after a long peace", theirs, ours, true, 0)
	f.forget(client.ObjectKeyFromObject(ours))
	check("forgotten", theirs, ours, false, 0)
}

func TestWhoWritesTheTraffic(t *testing.T) {
	entry := func(manager, subresource, fields string, second int64) metav1.ManagedFieldsEntry {
		at := metav1.Unix(second, 0)
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, Time: &at, FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}}
	}
	got := trafficManager([]metav1.ManagedFieldsEntry{
		entry("serin", "", `{"f:spec":{"f:traffic":{}}}`, 1),
		entry("gitops", "", `{"f:spec":{"f:template":{},"f:traffic":{}}}`, 3),
		entry("kubectl", "", `{"f:spec":{"f:template":{}}}`, 4),
		entry("controller", "status", `{"f:status":{"f:traffic":{}}}`, 5),
		{Manager: "broken"},
	})
	if got != "gitops" {
		t.Errorf("manager %q", got)
	}
	if got := trafficManager(nil); got != "" {
		t.Errorf("manager %q of nothing", got)
	}
}
