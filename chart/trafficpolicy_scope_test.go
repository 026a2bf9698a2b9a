package chart_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestPoliciesOfTwoReleasesDoNotCollide(t *testing.T) {
	a, b := installed(t, "--set", withPolicy), installed(t, "--set", withPolicy)
	none := world(t).Namespace(t)
	ofA, ofB, ofNone := a.service(a.namespace), b.service(b.namespace), a.service(none)
	others := a.as("somebody")
	a.refuses(others, ofA)
	b.refuses(others, ofB)
	a.allows(others, ofNone)
	a.allows(a.client, ofA)
	b.allows(b.client, ofB)
	// The daemon of a has no rights in b; with rights it would be anybody.
	b.refuses(a.as("system:serviceaccount:"+a.namespace+":serin"), ofB)
}

func TestPolicyIsForTheNamespacesThatAreServed(t *testing.T) {
	var served []string
	for range 2 {
		served = append(served, world(t).Namespace(t))
	}
	a := installed(t, "--set", withPolicy, "--set", "namespaces={"+strings.Join(served, ",")+"}")
	others := a.as("somebody")
	for _, namespace := range served {
		service := a.service(namespace)
		a.refuses(others, service)
		a.allows(a.client, service)
	}
	a.allows(others, a.service(a.namespace))
}

func TestPolicyOfTheClusterIsForAllNamespaces(t *testing.T) {
	elsewhere := account{TB: t, namespace: world(t).Namespace(t)}
	service := elsewhere.service(elsewhere.namespace)
	// The API server forgets a policy a moment later; other tests must not see it.
	t.Cleanup(func() { elsewhere.allows(elsewhere.as("somebody"), service) })
	a := installed(t, "--set", withPolicy, "--set", "scope=cluster,serviceAccount.name=delivery")
	a.refuses(a.as("somebody"), service)
	a.refuses(a.as("system:serviceaccount:"+a.namespace+":serin"), service)
	a.allows(a.as("system:serviceaccount:"+a.namespace+":delivery"), service)
}

// Without the definition of Canaries, which is imitated here, the policy cannot be
// evaluated. With Fail nobody in the whole cluster could push then.
func TestPolicyThatCannotBeEvaluatedKeepsNobodyFromPushing(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	rendered := objects(t, template(t, "--namespace", namespace, "--set", withPolicy))
	policy := convert[admissionregistrationv1.ValidatingAdmissionPolicy](t, find(rendered, "ValidatingAdmissionPolicy")[0])
	binding := convert[admissionregistrationv1.ValidatingAdmissionPolicyBinding](t, find(rendered, "ValidatingAdmissionPolicyBinding")[0])
	chosen := *policy.Spec.FailurePolicy
	policy.Spec.ParamKind.Kind = "Missing"
	policy.Spec.FailurePolicy = new(admissionregistrationv1.Fail)
	a := account{TB: t, namespace: namespace}
	a.keep(policy)
	a.keep(binding)
	service := a.service(namespace)
	others := a.as("somebody")
	a.eventually("nobody may push", func() error {
		if err := mergePatch(t.Context(), others, service, allowed["push"]); !a.byPolicy(err) {
			return errors.Join(errors.New("the policy does not refuse it"), err)
		}
		return nil
	})
	policy.Spec.FailurePolicy = &chosen
	a.eventually("the policy is changed", func() error { return env.Client.Update(t.Context(), policy) })
	a.eventually("somebody pushes", func() error { return mergePatch(t.Context(), others, service, allowed["push"]) })
}

// What docs/install.md says: more than the policy's own kinds, as it reads Canaries.
func TestWhoInstallsThePolicyNeedsTheseRights(t *testing.T) {
	env := world(t)
	a := account{TB: t, namespace: env.Namespace(t)}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: a.namespace}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"}, Verbs: []string{"create"}},
		{APIGroups: []string{"flagger.app"}, Resources: []string{"canaries"}, Verbs: []string{"get", "list"}},
	}}
	a.keep(role)
	bind := func(to string) {
		t.Helper()
		a.keep(&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: a.namespace}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: to}},
		})
	}
	bind("installer")
	config := rest.CopyConfig(env.Config)
	config.Impersonate.UserName = "installer"
	installer, err := client.New(config, client.Options{Scheme: env.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	rendered := objects(t, template(t, "--namespace", a.namespace, "--set", withPolicy))
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		o := find(rendered, kind)[0]
		a.eventually("installs the "+kind, func() error { return installer.Create(t.Context(), o.DeepCopy()) })
		a.Cleanup(func() { _ = env.Client.Delete(context.WithoutCancel(t.Context()), o) })
	}
	role.Rules = role.Rules[:1]
	if err := env.Client.Update(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	a.eventually("who may not read Canaries installs no policy", func() error {
		o := find(rendered, "ValidatingAdmissionPolicy")[0].DeepCopy()
		o.SetName("another." + a.namespace)
		if err := installer.Create(t.Context(), o, client.DryRunAll); !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
}

func TestTrafficPolicyNeedsAnAPIServerThatHasPolicies(t *testing.T) {
	_, errOut, err := run(t, "helm", "template", "serin", ".", "--set", withPolicy, "--kube-version", "1.29.9")
	if want := "trafficPolicy needs Kubernetes 1.30, this is v1.29.9"; err == nil || !strings.Contains(errOut, want) {
		t.Errorf("%v: %s\nwant %q", err, errOut, want)
	}
}
