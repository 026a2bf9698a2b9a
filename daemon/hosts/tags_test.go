package hosts

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

func TestTagsAreNamedAsSerinAsksForThem(t *testing.T) {
	for name, tc := range map[string]struct {
		service, own, tag, host string
		wrong                   bool
	}{
		"the default":                         {"podinfo", "podinfo.test.example.com", "canary", "canary-podinfo.test.example.com", false},
		"a domain-template":                   {"podinfo", "podinfo--test.example.com", "canary", "canary-podinfo--test.example.com", false},
		"a domain-template, namespace first":  {"podinfo", "podinfo-test.podinfo.example.com", "primary", "podinfo-test.primary-podinfo.example.com", false},
		"a tag that is local to the cluster":  {"podinfo", "podinfo.test.example.com", "primary", "primary-podinfo.test.svc.cluster.local", false},
		"no URL yet":                          {"podinfo", "podinfo.test.example.com", "primary", "", false},
		"no URL of the Service yet":           {"podinfo", "", "primary", "podinfo-primary.test.example.com", false},
		"somebody else's tag":                 {"podinfo", "podinfo.test.example.com", "green", "podinfo-green.test.example.com", false},
		"a tag-template, the other way round": {"podinfo", "podinfo.test.example.com", "primary", "podinfo-primary.test.example.com", true},
		"a tag-template with more in it":      {"podinfo", "podinfo.test.example.com", "canary", "canary-podinfo-x.test.example.com", true},
		"a tag-template with less in it":      {"podinfo", "podinfo.test.example.com", "canary", "canary.test.example.com", true},
	} {
		t.Run(name, func(t *testing.T) {
			service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: tc.service}}
			if tc.own != "" {
				service.Status.URL = apis.HTTP(tc.own)
			}
			target := servingv1.TrafficTarget{Tag: tc.tag}
			if tc.host != "" {
				target.URL = apis.HTTP(tc.host)
			}
			service.Status.Traffic = []servingv1.TrafficTarget{{RevisionName: "podinfo-00001"}, target}
			err := CheckTags(service)
			if (err != nil) != tc.wrong {
				t.Fatal(err)
			}
			if err != nil && (!strings.Contains(err.Error(), tc.host) || !strings.Contains(err.Error(), "config-network")) {
				t.Errorf("does not say what to do: %v", err)
			}
		})
	}
}
