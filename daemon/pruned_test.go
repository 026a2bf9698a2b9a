package daemon_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
	"github.com/serin-dev/serin/testenv"
)

// The definition of Canaries is replaced by one without Serin's fields, as Flagger's,
// while the daemon runs: it stops, says so once, and goes on when its own is back. The
// environment is the test's own, as the definition is for all.
func TestDefinitionThatPrunesTheStatusStopsTheDaemon(t *testing.T) {
	t.Parallel()
	own, err := testenv.Start(t.Context(), testenv.Options{CRDs: []string{"../chart/crds"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	namespace := "pruned"
	if err := own.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Config{Cluster: own.Config, Gateway: own.Gateway, Namespaces: []string{namespace}, Listen: "127.0.0.1:0", SeveralInOneProcess: true})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	service, canary := newService(namespace), &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "podinfo"}}
	canary.Spec.TargetRef = v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: "podinfo"}
	canary.Spec.Analysis = v1beta1.Analysis{Interval: "1s", StepWeight: new(int32(50)), Load: &v1beta1.Load{Rate: 40, Warmup: "100ms"}}
	for _, o := range []client.Object{service, canary} {
		if err := own.Client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	await := func(what string, holds func() bool) {
		t.Helper()
		timeout := time.After(90 * time.Second)
		for {
			_ = own.Client.Get(t.Context(), client.ObjectKeyFromObject(canary), canary)
			if holds() {
				return
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-timeout:
				t.Fatalf("%s: not so after 90 s: %+v", what, canary.Status)
			}
		}
	}
	await("initialized", func() bool { return canary.Status.Phase == v1beta1.PhaseInitialized })

	var ours map[string]any
	ownDefinition(t, own.Client, func(status map[string]any) {
		properties := status["properties"].(map[string]any)
		ours = maps.Clone(properties)
		for _, field := range []string{"analysis", "commands", "retired", "failed", "traffic", "keptShares", "serviceUID", "daemon"} {
			delete(properties, field)
		}
	})
	push := func(image string) {
		t.Helper()
		if err := own.Client.Get(t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
			t.Fatal(err)
		}
		before := service.DeepCopy()
		service.Spec.Template.Spec.Containers[0].Image = image
		if err := own.Client.Patch(t.Context(), service, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
	}
	push("ghcr.io/stefanprodan/podinfo:6.0.1")
	const told = "the installed definition of canaries.flagger.app drops status."
	await("the condition says so", func() bool {
		c := canary.Status.Condition(v1beta1.ConditionPromoted)
		return c != nil && strings.HasPrefix(c.Message, told)
	})
	written := canary.ResourceVersion
	<-time.After(3 * time.Second) // in which nobody writes
	if err := own.Client.Get(t.Context(), client.ObjectKeyFromObject(canary), canary); err != nil {
		t.Fatal(err)
	}
	if canary.ResourceVersion != written {
		t.Error("it is written again and again")
	}
	var events corev1.EventList
	if err := own.Client.List(t.Context(), &events, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Items {
		if e.Count > 1 && e.InvolvedObject.Kind == "Canary" {
			t.Errorf("%d events %q", e.Count, e.Message)
		}
	}
	ownDefinition(t, own.Client, func(status map[string]any) { status["properties"] = ours })
	push("ghcr.io/stefanprodan/podinfo:6.0.2")
	await("promoted", func() bool {
		return canary.Status.Phase == v1beta1.PhaseSucceeded && canary.Status.LastPromotedSpec == "podinfo-00003"
	})
}

// ownDefinition reads the definition of Canaries, and a change of it.
func ownDefinition(t *testing.T, c client.Client, edit func(status map[string]any)) {
	t.Helper()
	crd := new(unstructured.Unstructured)
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	if err := c.Get(t.Context(), types.NamespacedName{Name: "canaries.flagger.app"}, crd); err != nil {
		t.Fatal(err)
	}
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil {
		t.Fatal(err)
	}
	status, found, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema", "properties", "status")
	if err != nil || !found {
		t.Fatalf("the schema has no status: %v", err)
	}
	edit(status)
	if err := unstructured.SetNestedMap(versions[0].(map[string]any), status, "schema", "openAPIV3Schema", "properties", "status"); err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions"); err != nil {
		t.Fatal(err)
	}
	if err := c.Update(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
}
