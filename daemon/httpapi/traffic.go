package httpapi

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/page"
)

// applied is the condition TrafficApplied. Its form is part of the API.
type applied struct {
	Status  corev1.ConditionStatus `json:"status"`
	Message string                 `json:"message"`
	Since   *time.Time             `json:"since,omitempty"`
}

// trafficApplied is nil where the Canary has no such condition.
func trafficApplied(c *v1beta1.Canary) *applied {
	condition := c.Status.Condition(v1beta1.ConditionTrafficApplied)
	if condition == nil {
		return nil
	}
	a := &applied{Status: condition.Status, Message: condition.Message}
	if at := condition.LastTransitionTime; !at.IsZero() {
		a.Since = &at.Time
	}
	return a
}

// showTraffic adds what the Route shows to a row, and what it should show.
func showTraffic(r *page.Row, c *v1beta1.Canary) {
	r.Traffic = rowShares(c.ObservedShares())
	want := rowShares(c.WantedShares())
	division, _ := c.Status.Division()
	for _, s := range want {
		if s.Revision != division.Primary {
			r.WantedWeight += s.Percent
		}
		if len(r.Traffic) > 0 && percentOf(r.Traffic, s.Revision) != s.Percent { // both add up to 100
			r.Wanted = want
		}
	}
	a := trafficApplied(c)
	if a == nil || a.Status != corev1.ConditionFalse {
		return
	}
	r.NotApplied = a.Message
	if r.NotApplied == "" {
		r.NotApplied = "the Route does not show the division that Serin has decided on"
	}
	if a.Since != nil {
		r.NotAppliedSince = *a.Since
	}
}

// rowShares are a division as the page has it.
func rowShares(shares []v1beta1.TrafficShare) []page.Share {
	var rows []page.Share
	for _, s := range shares {
		rows = append(rows, page.Share{Revision: s.Revision, Percent: int(s.Percent)})
	}
	return rows
}

// percentOf is a revision's percent in a division.
func percentOf(shares []page.Share, revision string) int {
	for _, s := range shares {
		if s.Revision == revision {
			return s.Percent
		}
	}
	return 0
}
