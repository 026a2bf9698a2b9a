package chart_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// withPolicy are the values that turn the policy on.
const withPolicy = "trafficPolicy.enabled=true"

// lastApplied is where kubectl apply remembers a manifest.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// as is a client of somebody with all rights, so that only a policy refuses.
func (a account) as(user string, groups ...string) client.Client {
	a.Helper()
	config := rest.CopyConfig(started.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:masters")}
	c, err := client.New(config, client.Options{Scheme: started.Client.Scheme()})
	if err != nil {
		a.Fatal(err)
	}
	return c
}

// make creates an object in a namespace.
func (a account) make(namespace string, o client.Object) {
	a.Helper()
	o.SetNamespace(namespace)
	if err := started.Client.Create(a.Context(), o); err != nil {
		a.Fatal(err)
	}
}

// service makes a Knative Service with a Canary, as they are once the daemon has
// pinned it, and returns where it is.
func (a account) service(namespace string) types.NamespacedName {
	a.Helper()
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Annotations: map[string]string{
		"flagger.app/primary-revision": "podinfo-00001",
		"serin.dev/initial-traffic":    "null",
		lastApplied:                    `{"spec":{"traffic":[{"latestRevision":true,"percent":100}]}}`,
	}}}
	s.Spec.Template.Spec.Containers = []corev1.Container{{
		Image: "ghcr.io/stefanprodan/podinfo:6.0.0", Ports: []corev1.ContainerPort{{ContainerPort: 9898}}, Command: []string{"./podinfo", "--port=9898"},
	}}
	s.Spec.Traffic = []servingv1.TrafficTarget{
		{RevisionName: "podinfo-00001", Tag: "primary", Percent: new(int64(100)), LatestRevision: new(false)},
		{RevisionName: "podinfo-00001", Tag: "stable", Percent: new(int64(0)), LatestRevision: new(false)}, // the user's
	}
	a.make(namespace, s)
	a.make(namespace, canaryFor("podinfo"))
	return client.ObjectKeyFromObject(s)
}

// canaryFor is the Canary release of a Service.
func canaryFor(service string) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "release"}}
	c.Spec.Provider = v1beta1.ProviderKnative
	c.Spec.TargetRef.APIVersion, c.Spec.TargetRef.Kind, c.Spec.TargetRef.Name = v1beta1.TargetAPIVersion, v1beta1.TargetKind, service
	c.Spec.Analysis.StepWeight = new(int32(50))
	return c
}

// mergePatch is a JSON merge patch of a Service that is not kept.
func mergePatch(ctx context.Context, c client.Client, service types.NamespacedName, body string) error {
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name}}
	return c.Patch(ctx, s, client.RawPatch(types.MergePatchType, []byte(body)), client.DryRunAll)
}

// eventually asks again until wrong returns nil: the API server hears of a policy,
// a Canary or their end a moment later.
func (a account) eventually(what string, wrong func() error) {
	a.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	var err error
	for range 600 {
		if err = wrong(); err == nil {
			return
		}
		<-ticker.C
	}
	a.Fatalf("%s: not so after 30 s: %v", what, err)
}

// toLatest is what everybody does who has not heard of Canaries.
const toLatest = `{"spec": {"traffic": [{"latestRevision": true, "percent": 100}]}}`

// byPolicy reports whether it was the release's policy that refused, and not that of
// another test or Knative's webhook.
func (a account) byPolicy(err error) bool {
	return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'serin-traffic."+a.namespace+"'")
}

// refuses and allows wait until somebody may not, and may, change the traffic.
func (a account) refuses(c client.Client, service types.NamespacedName) {
	a.Helper()
	a.eventually("traffic of "+service.String()+" is protected", func() error {
		if err := mergePatch(a.Context(), c, service, toLatest); !a.byPolicy(err) {
			return errors.Join(errors.New("the policy does not refuse it"), err)
		}
		return nil
	})
}

func (a account) allows(c client.Client, service types.NamespacedName) {
	a.Helper()
	ctx := context.WithoutCancel(a.Context()) // for cleanups
	a.eventually("traffic of "+service.String()+" is anybody's", func() error { return mergePatch(ctx, c, service, toLatest) })
}

// Sentences of the refusals.
const (
	aboutTraffic     = "spec.traffic of Service podinfo is set by its Canary (Serin)"
	aboutAnnotations = "annotations flagger.app/primary-revision and serin.dev/* of Service podinfo"
)

// refused are writes by others, by what they do, and the beginning of the answer.
var refused = map[string]struct{ body, want string }{
	"all to the latest":                   {toLatest, aboutTraffic},
	"another revision":                    {`{"spec": {"traffic": [{"revisionName": "podinfo-00002", "tag": "primary", "percent": 100, "latestRevision": false}]}}`, aboutTraffic},
	"traffic removed":                     {`{"spec": {"traffic": null}}`, aboutTraffic},
	"traffic and template":                {`{"spec": {"template": {"metadata": {"labels": {"a": "b"}}}, "traffic": [{"latestRevision": true, "percent": 100}]}}`, aboutTraffic},
	"annotation removed":                  {`{"metadata": {"annotations": {"flagger.app/primary-revision": null}}}`, aboutAnnotations},
	"annotation changed":                  {`{"metadata": {"annotations": {"flagger.app/primary-revision": "podinfo-00002"}}}`, aboutAnnotations},
	"annotation emptied, traffic changed": {`{"metadata": {"annotations": {"flagger.app/primary-revision": ""}}, "spec": {"traffic": null}}`, aboutAnnotations},
	"both annotations removed":            {`{"metadata": {"annotations": {"flagger.app/primary-revision": null, "serin.dev/initial-traffic": null}}}`, aboutAnnotations},
	"initial traffic removed":             {`{"metadata": {"annotations": {"serin.dev/initial-traffic": null}}}`, aboutAnnotations},
	"initial traffic changed":             {`{"metadata": {"annotations": {"serin.dev/initial-traffic": "[]"}}}`, aboutAnnotations},
	"a command at the wrong place":        {`{"metadata": {"annotations": {"serin.dev/abort": "now"}}}`, "Commands are annotations of the Canary"},
	"remedies": {toLatest, "would change it. Take traffic out of the manifest. " +
		"To go back to the previous revision: serin rollback release -n NAMESPACE. " +
		`To set traffic by hand, suspend the Canary first: kubectl patch canary release -n NAMESPACE --type=merge -p '{"spec":{"suspend":true}}'`},
	"remedy where kubectl apply remembers": {`{"metadata": {"annotations": {"` + lastApplied + `": "{\"spec\":{}}"}}, "spec": {"traffic": null}}`, "kubectl apply set-last-applied -f FILE"},
}

// allowed are writes by others that leave the traffic alone.
var allowed = map[string]string{
	"push":                     `{"spec": {"template": {"spec": {"containers": [{"image": "ghcr.io/stefanprodan/podinfo:6.0.1"}]}}}}`,
	"label":                    `{"metadata": {"labels": {"team": "a"}}}`,
	"annotation":               `{"metadata": {"annotations": {"team": "a"}}}`,
	"finalizer":                `{"metadata": {"finalizers": ["example.com/a"]}}`,
	"the same traffic":         `{"spec": {"traffic": [{"revisionName": "podinfo-00001", "tag": "primary", "percent": 100, "latestRevision": false}, {"revisionName": "podinfo-00001", "tag": "stable", "percent": 0, "latestRevision": false}]}}`,
	"kubectl set-last-applied": `{"metadata": {"annotations": {"` + lastApplied + `": "{}"}}}`,
}

func TestTrafficOfAPinnedServiceIsTheDaemonsAlone(t *testing.T) {
	a := installed(t, "--set", withPolicy, "--set", "trafficPolicy.exempt.users={fire-brigade},trafficPolicy.exempt.groups={on-call,admins}")
	service := a.service(a.namespace)
	others := a.as("somebody")
	a.refuses(others, service)
	for name, write := range refused {
		err := mergePatch(t.Context(), others, service, write.body)
		if want := strings.ReplaceAll(write.want, "NAMESPACE", a.namespace); !apierrors.IsForbidden(err) || !a.byPolicy(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant a refusal with %q", name, err, want)
		}
	}
	for name, body := range allowed {
		if err := mergePatch(t.Context(), others, service, body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, write := range refused {
		for who, c := range map[string]client.Client{"the daemon": a.client, "a user who may": a.as("fire-brigade"), "one of a group that may": a.as("somebody", "admins")} {
			if err := mergePatch(t.Context(), c, service, write.body); err != nil {
				t.Errorf("%s, by %s: %v", name, who, err)
			}
		}
	}
}

// After kubectl apply set-last-applied the remedy is not named again.
func TestRemedyIsForTheManifestThatHadTraffic(t *testing.T) {
	a := installed(t, "--set", withPolicy)
	service := a.service(a.namespace)
	others := a.as("somebody")
	a.refuses(others, service)
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name}}
	if err := others.Patch(t.Context(), s, client.RawPatch(types.MergePatchType, []byte(allowed["kubectl set-last-applied"]))); err != nil {
		t.Fatal(err)
	}
	if err := mergePatch(t.Context(), others, service, toLatest); !a.byPolicy(err) || !strings.Contains(err.Error(), "Take traffic out") {
		t.Errorf("got %v", err)
	}
}

// A manifest may be given to the API server in other ways than as a merge patch.
func TestManifestWithoutTrafficIsApplied(t *testing.T) {
	a := installed(t, "--set", withPolicy)
	service := a.service(a.namespace)
	others := a.as("gitops")
	a.refuses(others, service)

	manifest := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": map[string]any{"namespace": service.Namespace, "name": service.Name},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"image": "ghcr.io/stefanprodan/podinfo:6.0.2"}}}}},
	}}
	apply := func() error {
		return others.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(manifest.DeepCopy()), client.FieldOwner("gitops"), client.ForceOwnership, client.DryRunAll)
	}
	if err := apply(); err != nil {
		t.Errorf("server-side apply without traffic: %v", err)
	}
	if err := unstructured.SetNestedSlice(manifest.Object, []any{map[string]any{"latestRevision": true, "percent": int64(100)}}, "spec", "traffic"); err != nil {
		t.Fatal(err)
	}
	if err := apply(); !a.byPolicy(err) {
		t.Errorf("server-side apply with traffic: %v", err)
	}

	if err := a.update(others, service, func(s *servingv1.Service) {
		s.Spec.Template.Spec.Containers[0].Image = "ghcr.io/stefanprodan/podinfo:6.0.2"
	}); err != nil {
		t.Errorf("update of the template: %v", err)
	}
	if err := a.update(others, service, func(s *servingv1.Service) {
		delete(s.Annotations, "flagger.app/primary-revision")
		delete(s.Annotations, "serin.dev/initial-traffic")
		s.Spec.Traffic = nil
	}); !a.byPolicy(err) || !strings.Contains(err.Error(), "kubectl replace removes them") {
		t.Errorf("kubectl replace, which drops what the manifest does not have: %v", err)
	}
}

// update writes a whole Service, and does not keep it.
func (a account) update(c client.Client, service types.NamespacedName, edit func(*servingv1.Service)) (err error) {
	a.Helper()
	a.eventually("nobody writes at the same time", func() error {
		s := new(servingv1.Service)
		a.read(service, s)
		edit(s)
		if err = c.Update(a.Context(), s, client.DryRunAll); apierrors.IsConflict(err) {
			return err
		}
		return nil
	})
	return err
}

func (a account) read(name types.NamespacedName, o client.Object) {
	a.Helper()
	if err := started.Client.Get(a.Context(), name, o); err != nil {
		a.Fatal(err)
	}
}

// Somebody pushes, Knative makes the revision and writes what it sees, the daemon
// divides the traffic; and who suspends or deletes the Canary may do it by hand.
func TestPushesAndKnativeAreNotInThePolicysWay(t *testing.T) {
	a := installed(t, "--set", withPolicy)
	service := a.service(a.namespace)
	others := a.as("somebody")
	a.refuses(others, service)

	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name}}
	if err := others.Patch(t.Context(), s, client.RawPatch(types.MergePatchType, []byte(`{"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}`))); err != nil {
		t.Fatalf("push: %v", err)
	}
	a.eventually("Knative has a second revision and says so", func() error {
		if a.read(service, s); s.Status.LatestReadyRevisionName != "podinfo-00002" || s.Status.ObservedGeneration != s.Generation {
			return fmt.Errorf("status %+v", s.Status)
		}
		return nil
	})
	a.eventually("the daemon divides the traffic", func() error {
		a.read(service, s)
		read := s.DeepCopy()
		s.Spec.Traffic[0].Percent = new(int64(90))
		s.Spec.Traffic = append(s.Spec.Traffic, servingv1.TrafficTarget{RevisionName: "podinfo-00002", Tag: "canary", Percent: new(int64(10)), LatestRevision: new(false)})
		return a.client.Patch(t.Context(), s, client.MergeFromWithOptions(read, client.MergeFromWithOptimisticLock{}))
	})
	a.refuses(others, service)

	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: "release"}}
	suspend := func(is bool) {
		t.Helper()
		if err := others.Patch(t.Context(), c, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"suspend": %v}}`, is))); err != nil {
			t.Fatal(err)
		}
	}
	suspend(true)
	a.allows(others, service)
	suspend(false)
	a.refuses(others, service)
	if err := others.Delete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	a.allows(others, service)
	// A Canary of another Service is nobody's concern; nor is a Service that no
	// Canary has pinned yet.
	a.make(service.Namespace, canaryFor("another"))
	a.allows(others, service)
	if err := others.DeleteAllOf(t.Context(), c, client.InNamespace(service.Namespace)); err != nil {
		t.Fatal(err)
	}
	if err := others.Patch(t.Context(), s, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"annotations": {"flagger.app/primary-revision": null}}}`))); err != nil {
		t.Fatal(err)
	}
	a.make(service.Namespace, canaryFor("podinfo"))
	a.allows(others, service)
}

// Canaries that are not Serin's protect nothing, where the definition has such.
func TestPolicyIsForCanariesThatAreSerins(t *testing.T) {
	a := installed(t, "--set", withPolicy)
	service := a.service(a.namespace)
	others := a.as("somebody")
	for name, edit := range map[string]func(*v1beta1.CanarySpec){
		"of another provider":        func(s *v1beta1.CanarySpec) { s.Provider = "istio" },
		"of a Route":                 func(s *v1beta1.CanarySpec) { s.TargetRef.Kind = "Route" },
		"of a Service of Kubernetes": func(s *v1beta1.CanarySpec) { s.TargetRef.APIVersion = "v1" },
	} {
		a.refuses(others, service)
		c := canaryFor("podinfo")
		c.Namespace, c.Name = service.Namespace, "other"
		edit(&c.Spec)
		if err := others.Create(t.Context(), c); apierrors.IsInvalid(err) {
			t.Logf("the definition has no Canary %s: %v", name, err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		// The API server hears of the new one before it hears of the other's end.
		serins := canaryFor("podinfo")
		serins.Namespace = service.Namespace
		if err := others.Delete(t.Context(), serins); err != nil {
			t.Fatal(err)
		}
		a.allows(others, service)
		if err := others.Delete(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		a.make(service.Namespace, canaryFor("podinfo"))
	}
}
