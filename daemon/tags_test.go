package daemon_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// setTagTemplate patches a setting of Knative's; a nil value is its default.
func setTagTemplate(ctx context.Context, t testing.TB, value string) {
	t.Helper()
	network := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "knative-serving", Name: "config-network"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"data": {"tag-template": `+value+`}}`))
	if err := env.Client.Patch(ctx, network, patch); err != nil {
		t.Fatal(err)
	}
}

func TestCanaryIsHeldWhileKnativeNamesTagsInAnotherWay(t *testing.T) {
	w := newWorld(struct{ testing.TB }{t}) // not beside others, whose setting it is, too
	setTagTemplate(t.Context(), t, `"{{.Name}}-{{.Tag}}"`)
	t.Cleanup(func() { setTagTemplate(context.WithoutCancel(t.Context()), t, "null") })
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitEvent("podinfo-primary." + w.namespace)

	w.push("6.0.1")
	w.eventually("a second revision", func() bool { return w.service.Status.LatestReadyRevisionName == "podinfo-00002" })
	if s := w.canary.Status; w.live("podinfo-00002") != 0 || s.Phase == v1beta1.PhaseSucceeded {
		t.Errorf("the new revision has traffic in phase %s: %+v", s.Phase, w.service.Status.Traffic)
	}

	setTagTemplate(t.Context(), t, "null")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
}
