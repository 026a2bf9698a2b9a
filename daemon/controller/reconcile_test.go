package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestServiceBelongsToOneCanary(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	canary := func(name string, age time.Duration, pinned string) *v1beta1.Canary {
		c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(created.Add(-age))}}
		c.Status.LastPromotedSpec = pinned
		return c
	}
	for name, pair := range map[string]struct{ first, second *v1beta1.Canary }{
		"the older one":                 {canary("b", time.Hour, ""), canary("a", 0, "")},
		"the first name of one second":  {canary("a", 0, ""), canary("b", 0, "")},
		"the one that has pinned it":    {canary("b", 0, "podinfo-00001"), canary("a", time.Hour, "")},
		"the older one where both have": {canary("b", time.Hour, "podinfo-00001"), canary("a", 0, "podinfo-00001")},
	} {
		t.Run(name, func(t *testing.T) {
			if !precedes(pair.first, pair.second) || precedes(pair.second, pair.first) {
				t.Error("has not got it alone")
			}
		})
	}
	if c := canary("a", 0, ""); precedes(c, c) {
		t.Error("a Canary precedes itself")
	}
}
