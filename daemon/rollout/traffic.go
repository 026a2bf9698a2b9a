package rollout

import (
	"slices"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Traffic is a wanted division of the live traffic.
type Traffic = v1beta1.Division

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
