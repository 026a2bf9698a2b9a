package v1beta1

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
)

func TestAlertProviderIsValidated(t *testing.T) {
	ref := &SecretRef{Name: "on-call-url"}
	for _, tc := range []struct {
		name string
		spec AlertProviderSpec
		want []string // parts of the error; none for a valid one
	}{
		{"an address", AlertProviderSpec{Type: AlertSlack, Address: "https://hooks.slack.com/services/X"}, nil},
		{"a secret", AlertProviderSpec{Type: AlertGoogleChat, SecretRef: ref}, nil},
		{"both, as Flagger's guide has it", AlertProviderSpec{Type: AlertSlack, Address: "http://a", SecretRef: ref, Proxy: "http://proxy:3128"}, nil},
		{"Serin's own", AlertProviderSpec{Type: AlertWebhook, Address: "http://a", Proxy: "socks5://proxy:1080"}, nil},
		{"nothing", AlertProviderSpec{}, []string{"spec.type must be one of slack, msteams, discord, rocket, gchat, webhook, not \"\"", "spec.address is missing"}},
		{"everything wrong", AlertProviderSpec{Type: "pager", Address: "SECRET", SecretRef: &SecretRef{}, Proxy: "SECRET:1"}, []string{
			"spec.type must be", "spec.address must be an http or https address", "spec.secretRef.name is missing", "spec.proxy must be",
		}},
		{"another scheme", AlertProviderSpec{Type: AlertSlack, Address: "ftp://SECRET"}, []string{"spec.address must be"}},
		{"no host", AlertProviderSpec{Type: AlertSlack, Address: "http://:80/SECRET"}, []string{"spec.address must be"}},
	} {
		err := (&AlertProvider{Spec: tc.spec}).Validate()
		if (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", tc.name, want, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: an address is repeated: %v", tc.name, err)
		}
	}
}

func TestKindsAreRegistered(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"Canary", "CanaryList", "AlertProvider", "AlertProviderList"} {
		if !scheme.Recognizes(GroupVersion.WithKind(kind)) {
			t.Errorf("%s is not known", kind)
		}
	}
}
