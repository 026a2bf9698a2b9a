package httpapi

import (
	"cmp"
	"maps"
	"slices"
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
	r.Traffic = observed(c)
	want := wanted(c)
	for _, s := range want {
		if s.Revision != primary(c) {
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

// primary is the revision that serves, or is to serve, what the canary revision
// does not.
func primary(c *v1beta1.Canary) string {
	if c.Running() && c.Status.Phase != v1beta1.PhaseFinalising {
		return c.Status.Analysis.PrimaryRevision
	}
	return c.Status.LastPromotedSpec
}

// observed is the division that the Route was last seen to show; nil where it
// was not seen. It has the revisions with traffic, and those with Serin's tags
// and none: the primary one, the canary one, and then others by their names.
func observed(c *v1beta1.Canary) []page.Share {
	percents := make(map[string]int)
	for _, t := range c.Status.Traffic {
		if t.Percent > 0 || t.Tag == v1beta1.PrimaryTag || t.Tag == v1beta1.CanaryTag {
			percents[t.Revision] += int(t.Percent)
		}
	}
	return inOrder(c, percents)
}

// wanted is the division that the daemon has decided on; nil where there is
// none: before it has pinned a revision, while it is suspended, and when the
// Canary is deleted.
func wanted(c *v1beta1.Canary) []page.Share {
	s := &c.Status
	if c.Spec.Suspend || c.DeletionTimestamp != nil || primary(c) == "" {
		return nil
	}
	percents := make(map[string]int)
	left := 100
	give := func(revision string, percent int) {
		if percent > 0 && revision != primary(c) {
			percents[revision] += percent
			left -= percent
		}
	}
	for _, kept := range s.KeptShares {
		give(kept.Revision, int(kept.Percent))
	}
	switch s.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseFinalising, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
	default:
		if !c.Running() {
			return nil
		}
		give(s.Analysis.CanaryRevision, int(s.Analysis.Weight))
	}
	if left > 0 {
		percents[primary(c)] = left
	}
	return inOrder(c, percents)
}

func inOrder(c *v1beta1.Canary, percents map[string]int) []page.Share {
	place := func(revision string) int {
		switch a := c.Status.Analysis; {
		case revision == primary(c):
			return 0
		case a != nil && revision == a.CanaryRevision:
			return 1
		default:
			return 2
		}
	}
	var shares []page.Share
	for _, r := range slices.SortedFunc(maps.Keys(percents), func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	}) {
		shares = append(shares, page.Share{Revision: r, Percent: percents[r]})
	}
	return shares
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
