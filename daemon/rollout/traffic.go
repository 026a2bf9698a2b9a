package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Traffic is a wanted division of the live traffic between pinned revisions.
type Traffic struct {
	// Primary gets what the others leave, under the primary tag.
	Primary string
	// Canary gets Weight percent under the canary tag. Empty for none, and
	// then Weight is 0.
	Canary string
	Weight int32
	// Kept are untagged shares of further revisions: those that they had when
	// Serin came.
	Kept []v1beta1.TrafficShare
	// Drop are the tags of the user's targets that must go, since their revisions
	// cannot serve: the Route follows no division with such a target.
	Drop []string
}

// PrimaryPercent is the primary revision's share.
func (t Traffic) PrimaryPercent() int64 {
	percent := 100 - int64(t.Weight)
	for _, k := range t.Kept {
		percent -= k.Percent
	}
	return percent
}

// shares are the wanted ones, by revision.
func (t Traffic) shares() map[string]int64 {
	shares := map[string]int64{t.Primary: t.PrimaryPercent()}
	if t.Canary != "" {
		shares[t.Canary] += int64(t.Weight)
	}
	for _, k := range t.Kept {
		shares[k.Revision] += k.Percent
	}
	return shares
}

// String names the shares, the largest first.
func (t Traffic) String() string { return describe(t.shares()) }

// describe names shares, the largest first.
func describe(shares map[string]int64) string {
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

// Division is the division of the live traffic that a status stands for; false
// where no primary revision has been decided on yet. It depends on nothing else,
// so that every daemon that reads the status brings about the same.
func Division(s *v1beta1.CanaryStatus) (Traffic, bool) {
	a := s.Analysis
	if a == nil || !underWay(s.Phase) {
		return Traffic{Primary: s.LastPromotedSpec, Kept: s.KeptShares}, s.LastPromotedSpec != ""
	}
	alone := a.Stage == v1beta1.StageConfirmRollout || a.Stage == v1beta1.StageWaitingForRevision ||
		(a.Stage == v1beta1.StageRollingBack && a.Weight == 0)
	if alone {
		return Traffic{Primary: a.PrimaryRevision, Kept: s.KeptShares}, true
	}
	return Traffic{Primary: a.PrimaryRevision, Canary: a.CanaryRevision, Weight: a.Weight}, true
}

// underWay reports whether a phase is that of a rollout whose analysis says how
// the live traffic is divided.
func underWay(phase v1beta1.Phase) bool {
	switch phase {
	case v1beta1.PhaseWaiting, v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		return true
	default:
		return false
	}
}

// observed is the division that the Route shows, for the status: one entry a
// revision and tag, in the Route's order.
func observed(targets []Target) []v1beta1.TrafficShare {
	var shares []v1beta1.TrafficShare
	for _, t := range targets {
		i := slices.IndexFunc(shares, func(s v1beta1.TrafficShare) bool { return s.Revision == t.Revision && s.Tag == t.Tag })
		if i < 0 {
			shares = append(shares, v1beta1.TrafficShare{Revision: t.Revision, Tag: t.Tag, Percent: t.Percent})
			continue
		}
		shares[i].Percent += t.Percent
	}
	return shares
}
