package hosts

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// The hosts of the tags have to fit into DNS wherever the domain-template puts the
// name. NAME stands for it; longest is the longest that works.
func TestNamesHaveToFitIntoDNS(t *testing.T) {
	for _, tc := range []struct {
		name, public, local string
		longest             int
	}{
		{"nothing known yet", "", "", 55},
		{"the default", "NAME.test.example.com", "NAME.test.svc.cluster.local", 55},
		{"the name and the namespace in a label", "NAME-test.example.com", "NAME.test.svc.cluster.local", 50},
		{"the name in the second label", "a-long-label.NAME--test.example.com", "NAME.test.svc.cluster.local", 49},
		{"a long domain", "NAME.test." + strings.Repeat("abcdefghi.", 18) + "example.com", "NAME.test.svc.cluster.local", 48},
		{"a domain without the name", "shop.example.com", "NAME.test.svc.cluster.local", 55},
	} {
		for length := tc.longest - 2; length <= tc.longest+2; length++ {
			service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: strings.Repeat("x", length)}}
			host := func(pattern string) *apis.URL { return apis.HTTP(strings.ReplaceAll(pattern, "NAME", service.Name)) }
			if tc.public != "" {
				service.Status.URL = host(tc.public)
				service.Status.Address = &duckv1.Addressable{URL: host(tc.local)}
			}
			err := CheckNames(service)
			if fits := length <= tc.longest; fits != (err == nil) {
				t.Errorf("%s: %d characters: %v", tc.name, length, err)
			}
			if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("the longest name that works here has %d characters", tc.longest)) {
				t.Errorf("%s: the longest is not said: %v", tc.name, err)
			}
		}
	}
}
