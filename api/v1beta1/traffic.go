package v1beta1

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Division is a division of the live traffic between pinned revisions.
type Division struct {
	// Primary gets what the others leave, under the primary tag.
	Primary string
	// Canary gets Weight percent under the canary tag. Empty for none, and
	// then Weight is 0.
	Canary string
	Weight int32
	// Kept are untagged shares of further revisions: those that they had when
	// Serin came.
	Kept []TrafficShare
}

// PrimaryPercent is the primary revision's share.
func (d Division) PrimaryPercent() int64 {
	percent := 100 - int64(d.Weight)
	for _, k := range d.Kept {
		percent -= k.Percent
	}
	return percent
}

// Shares are the percents of the live traffic, by revision.
func (d Division) Shares() map[string]int64 {
	shares := map[string]int64{d.Primary: d.PrimaryPercent()}
	if d.Canary != "" {
		shares[d.Canary] += int64(d.Weight)
	}
	for _, k := range d.Kept {
		shares[k.Revision] += k.Percent
	}
	return shares
}

// String names the shares, the largest first.
func (d Division) String() string { return FormatShares(d.Shares()) }

// FormatShares names shares, the largest first, without those of nothing.
func FormatShares(shares map[string]int64) string {
	names := slices.Sorted(maps.Keys(shares))
	slices.SortStableFunc(names, func(a, b string) int { return int(shares[b] - shares[a]) })
	var parts []string
	for _, name := range names {
		if shares[name] != 0 || len(names) == 1 {
			parts = append(parts, fmt.Sprintf("%s %d %%", name, shares[name]))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Division is the one that the status stands for; false where no primary revision
// has been decided on yet. It depends on nothing else, so that every daemon that
// reads the status brings about the same.
func (s *CanaryStatus) Division() (Division, bool) {
	a := s.Analysis
	if a == nil || !analyses(s.Phase) {
		return Division{Primary: s.LastPromotedSpec, Kept: s.KeptShares}, s.LastPromotedSpec != ""
	}
	alone := a.Stage == StageConfirmRollout || a.Stage == StageWaitingForRevision || (a.Stage == StageRollingBack && a.Weight == 0)
	if alone {
		return Division{Primary: a.PrimaryRevision, Kept: s.KeptShares}, true
	}
	return Division{Primary: a.PrimaryRevision, Canary: a.CanaryRevision, Weight: a.Weight}, true
}

// analyses reports whether a phase is that of a rollout whose analysis says how the
// live traffic is divided.
func analyses(phase Phase) bool {
	switch phase {
	case PhaseWaiting, PhaseProgressing, PhaseWaitingPromotion, PhasePromoting:
		return true
	default:
		return false
	}
}

// ObservedShares are what the Route was last seen to show, an entry a revision; nil
// where it was not seen. They are those with traffic, and those with Serin's tags and
// none: the primary revision, the canary revision, and then others by their names.
func (c *Canary) ObservedShares() []TrafficShare {
	percents := make(map[string]int64)
	for _, t := range c.Status.Traffic {
		if t.Percent > 0 || t.Tag == PrimaryTag || t.Tag == CanaryTag {
			percents[t.Revision] += t.Percent
		}
	}
	return c.inOrder(percents)
}

// WantedShares are what Serin has decided on, in the same form, without those of
// nothing; nil where there is no decision: before a revision is pinned, while the
// Canary is suspended, and when it is deleted.
func (c *Canary) WantedShares() []TrafficShare {
	division, decided := c.Status.Division()
	if !decided || c.Spec.Suspend || c.DeletionTimestamp != nil {
		return nil
	}
	shares := division.Shares()
	maps.DeleteFunc(shares, func(_ string, percent int64) bool { return percent == 0 })
	return c.inOrder(shares)
}

func (c *Canary) inOrder(percents map[string]int64) []TrafficShare {
	division, _ := c.Status.Division()
	canary := ""
	if c.Status.Analysis != nil {
		canary = c.Status.Analysis.CanaryRevision
	}
	place := func(revision string) int {
		switch revision {
		case division.Primary:
			return 0
		case canary:
			return 1
		default:
			return 2
		}
	}
	var shares []TrafficShare
	for _, r := range slices.SortedFunc(maps.Keys(percents), func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	}) {
		shares = append(shares, TrafficShare{Revision: r, Percent: percents[r]})
	}
	return shares
}
