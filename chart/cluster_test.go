package chart_test

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/testenv"
)

// strict makes the API server refuse fields that it does not know.
var strict = client.FieldValidation(metav1.FieldValidationStrict)

// world is a real API server.
func world(t *testing.T) *testenv.Env {
	t.Helper()
	env, err := startCluster()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// ensure makes an object that may be there already.
func ensure(t *testing.T, env *testenv.Env, o client.Object) {
	t.Helper()
	if err := env.Client.Create(t.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("make %T %s: %v", o, o.GetName(), err)
	}
}

func TestRealAPIServerTakesEverything(t *testing.T) {
	env := world(t)
	for _, name := range []string{"test", "shop", "billing", "knative", "knative-serving"} {
		ensure(t, env, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}})
	}
	for _, name := range []string{"default", "serin", "delivery", "given"} {
		ensure(t, env, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: name}})
	}
	for _, set := range valueSets {
		for _, o := range objects(t, templateSet(t, set)) {
			if o.GetKind() == "ServiceMonitor" {
				continue // the operator's definition is not to be had from a Go module
			}
			if o.GetKind() == "ServiceAccount" {
				o.SetName("another") // that of this name is there
			}
			try(t, env, set, o)
			if o.GetKind() == "Deployment" {
				try(t, env, set, podOf(t, o))
			}
		}
	}
}

// try creates an object as far as the API server goes without keeping it.
func try(t *testing.T, env *testenv.Env, set string, o client.Object) {
	t.Helper()
	if err := env.Client.Create(t.Context(), o, client.DryRunAll, strict); err != nil {
		t.Errorf("%s: %T %s: %v", set, o, o.GetName(), err)
	}
}

// podOf is the pod that a Deployment would make; nothing does in this cluster.
func podOf(t *testing.T, deployment *unstructured.Unstructured) *corev1.Pod {
	t.Helper()
	d := convert[appsv1.Deployment](t, deployment)
	pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
	pod.Namespace, pod.Name = d.Namespace, d.Name
	return pod
}

// A pod that may more is refused there: the test above would see it.
func TestRealAPIServerRefusesAPodThatMayMore(t *testing.T) {
	env := world(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "restricted-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := env.Client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	ensure(t, env, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "serin"}})
	pod := podOf(t, find(objects(t, template(t)), "Deployment")[0])
	pod.Namespace = namespace.Name
	pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
	if err := env.Client.Create(t.Context(), pod, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "restricted") {
		t.Errorf("got %v", err)
	}
}

// right is one thing that somebody wants to do.
type right struct {
	verb, group, resource, name string
	elsewhere                   bool // in another namespace
}

// needed are the requests that the daemon sends; each is somewhere in package
// daemon.
var needed = []right{
	{verb: "list", group: "flagger.app", resource: "canaries"},
	{verb: "watch", group: "flagger.app", resource: "canaries"},
	{verb: "get", group: "flagger.app", resource: "canaries", name: "podinfo"},
	{verb: "patch", group: "flagger.app", resource: "canaries", name: "podinfo"},
	{verb: "update", group: "flagger.app", resource: "canaries/status", name: "podinfo"},
	{verb: "update", group: "flagger.app", resource: "canaries/finalizers", name: "podinfo"},
	{verb: "get", group: "flagger.app", resource: "alertproviders", name: "on-call"},
	{verb: "get", resource: "secrets", name: "slack"},
	{verb: "get", group: "serving.knative.dev", resource: "services", name: "podinfo"},
	{verb: "list", group: "serving.knative.dev", resource: "services"},
	{verb: "watch", group: "serving.knative.dev", resource: "services"},
	{verb: "patch", group: "serving.knative.dev", resource: "services", name: "podinfo"},
	{verb: "list", group: "serving.knative.dev", resource: "revisions"},
	{verb: "watch", group: "serving.knative.dev", resource: "revisions"},
	{verb: "get", resource: "configmaps", name: "podinfo-serin-reports"},
	{verb: "create", resource: "configmaps"},
	{verb: "update", resource: "configmaps", name: "podinfo-serin-reports"},
	{verb: "create", resource: "events"},
	{verb: "patch", resource: "events", name: "podinfo.1"},
}

// ofItself are those about its own namespace, whatever it serves.
var ofItself = []right{
	{verb: "get", group: "coordination.k8s.io", resource: "leases", name: "serin"},
	{verb: "create", group: "coordination.k8s.io", resource: "leases"},
	{verb: "update", group: "coordination.k8s.io", resource: "leases", name: "serin"},
}

// never are those that would be too much.
var never = []right{
	{verb: "list", resource: "secrets"},
	{verb: "update", resource: "secrets", name: "slack"},
	{verb: "get", resource: "secrets", name: "other", elsewhere: true},
	{verb: "delete", group: "flagger.app", resource: "canaries", name: "podinfo"},
	{verb: "create", group: "flagger.app", resource: "canaries"},
	{verb: "update", group: "flagger.app", resource: "canaries", name: "podinfo"},
	{verb: "delete", group: "serving.knative.dev", resource: "services", name: "podinfo"},
	{verb: "create", group: "serving.knative.dev", resource: "services"},
	{verb: "list", resource: "configmaps"},
	{verb: "get", resource: "pods", name: "podinfo"},
	{verb: "update", group: "coordination.k8s.io", resource: "leases", name: "another"},
	{verb: "create", group: "rbac.authorization.k8s.io", resource: "rolebindings"},
}

var tokens = []right{
	{verb: "create", group: "authentication.k8s.io", resource: "tokenreviews"},
	{verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews"},
}

func TestDaemonOfANamespaceMayWhatItDoesAndNoMore(t *testing.T) {
	a := installed(t)
	a.expect(true, needed, a.namespace)
	a.expect(true, ofItself, a.namespace)
	a.expect(false, never, a.namespace)
	a.expect(false, needed, "default")
	a.expect(false, tokens, "")
}

func TestDaemonOfTheClusterMayWhatItDoesAndNoMore(t *testing.T) {
	a := installed(t, "--set", "scope=cluster,rbac.secretNames={slack}")
	a.expect(true, needed, "default")
	a.expect(true, ofItself, a.namespace)
	a.expect(true, tokens, "")
	a.expect(true, []right{{verb: "get", resource: "configmaps", name: "config-features"}}, "knative-serving")
	a.expect(false, never, "default")
	a.expect(false, ofItself, "default")
}

func TestDaemonOfSeveralNamespacesMayNothingInItsOwn(t *testing.T) {
	a := installed(t, "--set", "namespaces={default},rbac.tokenReview=true")
	a.expect(true, needed, "default")
	a.expect(true, tokens, "")
	a.expect(false, needed[:9], a.namespace)
	a.expect(true, ofItself, a.namespace)
}

// account is the daemon's, with what the chart allows it.
type account struct {
	testing.TB
	namespace string
	client    client.Client
}

// installed installs what the chart has about rights, the daemon's and others'.
func installed(t *testing.T, args ...string) account {
	t.Helper()
	env := world(t)
	a := account{TB: t, namespace: env.Namespace(t)}
	for _, o := range objects(t, template(t, append(args, "--namespace", a.namespace)...)) {
		group := o.GroupVersionKind().Group
		if o.GetKind() == "ServiceAccount" || strings.HasPrefix(group, "rbac.") || strings.HasPrefix(group, "admissionregistration.") {
			a.keep(o)
		}
	}
	config, err := env.ServiceAccountConfig(t.Context(), a.namespace, "serin")
	if err != nil {
		t.Fatal(err)
	}
	if a.client, err = client.New(config, client.Options{Scheme: env.Client.Scheme()}); err != nil {
		t.Fatal(err)
	}
	return a
}

// keep creates an object that goes when the test ends.
func (a account) keep(o client.Object) {
	a.Helper()
	if err := started.Client.Create(a.Context(), o); err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() {
		if err := started.Client.Delete(context.WithoutCancel(a.Context()), o); client.IgnoreNotFound(err) != nil {
			a.Error(err)
		}
	})
}

// expect asks the API server about rights in a namespace, empty for the cluster.
func (a account) expect(allowed bool, rights []right, namespace string) {
	a.Helper()
	for _, r := range rights {
		in := namespace
		if r.elsewhere {
			in = "kube-system"
		}
		if got := a.may(r, in, allowed); got != allowed {
			a.Errorf("may %s %s.%s %q in namespace %q: %v, want %v", r.verb, r.resource, r.group, r.name, in, got, allowed)
		}
	}
}

// may asks about one right. The API server hears of new roles a moment later, so
// what is awaited is asked for again.
func (a account) may(r right, namespace string, awaited bool) bool {
	a.Helper()
	resource, sub, _ := strings.Cut(r.resource, "/")
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for range 100 {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: r.verb, Group: r.group, Resource: resource, Subresource: sub, Name: r.name, Namespace: namespace,
			},
		}}
		if err := a.client.Create(a.Context(), review); err != nil {
			a.Fatal(err)
		}
		if review.Status.Allowed || !awaited {
			return review.Status.Allowed
		}
		<-ticker.C
	}
	return false
}
