package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// share is a revision's part of the live traffic, in percent.
type share struct {
	revision string
	percent  int64
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
func observed(c *v1beta1.Canary) []share {
	percents := make(map[string]int64)
	for _, t := range c.Status.Traffic {
		if t.Percent > 0 || t.Tag == v1beta1.PrimaryTag || t.Tag == v1beta1.CanaryTag {
			percents[t.Revision] += t.Percent
		}
	}
	return inOrder(c, percents)
}

// wanted is the division that the daemon has decided on; nil where there is
// none: before it has pinned a revision, while it is suspended, and when the
// Canary is deleted.
func wanted(c *v1beta1.Canary) []share {
	s := &c.Status
	if c.Spec.Suspend || c.DeletionTimestamp != nil || primary(c) == "" {
		return nil
	}
	percents := make(map[string]int64)
	left := int64(100)
	give := func(revision string, percent int64) {
		if percent > 0 && revision != primary(c) {
			percents[revision] += percent
			left -= percent
		}
	}
	for _, kept := range s.KeptShares {
		give(kept.Revision, kept.Percent)
	}
	switch s.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseFinalising, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
	default:
		if !c.Running() {
			return nil
		}
		give(s.Analysis.CanaryRevision, int64(s.Analysis.Weight))
	}
	if left > 0 {
		percents[primary(c)] = left
	}
	return inOrder(c, percents)
}

func inOrder(c *v1beta1.Canary, percents map[string]int64) []share {
	place := func(r string) int { return slices.Index([]string{revision(c), primary(c)}, r) }
	var shares []share
	for _, r := range slices.SortedFunc(maps.Keys(percents), func(a, b string) int {
		return cmp.Or(cmp.Compare(place(b), place(a)), cmp.Compare(a, b))
	}) {
		shares = append(shares, share{r, percents[r]})
	}
	return shares
}

// of is a revision's percent in a division.
func of(shares []share, revision string) int64 {
	for _, s := range shares {
		if s.revision == revision {
			return s.percent
		}
	}
	return 0
}

// missed is the division that is wanted, where the Route was seen to show
// another one, and else nil.
func missed(c *v1beta1.Canary) []share {
	seen, want := observed(c), wanted(c)
	if len(seen) == 0 || len(want) == 0 {
		return nil
	}
	for _, s := range want { // both add up to 100
		if of(seen, s.revision) != s.percent {
			return want
		}
	}
	return nil
}

// notApplied says that the Route does not show what was decided any more, and
// why; since is when that was noticed, zero where that is not known. It is empty
// where the Route does.
func notApplied(c *v1beta1.Canary) (message string, since time.Time) {
	condition := c.Status.Condition(v1beta1.ConditionTrafficApplied)
	if condition == nil || condition.Status != corev1.ConditionFalse {
		return "", time.Time{}
	}
	message = condition.Message
	if message == "" {
		message = "the Route does not show the division that Serin has decided on"
	}
	return message, condition.LastTransitionTime.Time
}

// remark is the reason, after what keeps the Route from showing what was
// decided.
func remark(c *v1beta1.Canary) string {
	if message, _ := notApplied(c); message != "" {
		return message + "; " + reason(c)
	}
	return reason(c)
}

// weight is the percent of the live traffic that other revisions than the
// primary one get, and the one that is wanted where that is another.
func weight(c *v1beta1.Canary) string {
	text := fmt.Sprint(c.Status.CanaryWeight)
	if want := missed(c); want != nil {
		text += fmt.Sprintf(" (%d wanted)", 100-of(want, primary(c)))
	}
	return text
}

// reached says how much of the live traffic the canary revision has.
func reached(c *v1beta1.Canary) string {
	seen, want := of(observed(c), revision(c)), int64(c.Status.Analysis.Weight)
	switch {
	case len(c.Status.Traffic) == 0:
		return fmt.Sprintf("%d %% (wanted)", want)
	case missed(c) != nil:
		return fmt.Sprintf("%d %% (%d %% wanted)", seen, want)
	default:
		return fmt.Sprintf("%d %%", seen)
	}
}

// traffic is who serves how much of the live traffic, and what is wanted where
// that is something else.
func (v view) traffic(c *v1beta1.Canary) page {
	p := v.shares(c)
	if want := missed(c); want != nil {
		texts := make([]string, len(want))
		for i, s := range want {
			texts[i] = fmt.Sprintf("%d %% for %s", s.percent, s.revision)
		}
		p = append(p, v.labelled("Wanted", yellow(strings.Join(texts, ", ")))...)
	}
	if message, since := notApplied(c); message != "" {
		if !since.IsZero() {
			message = fmt.Sprintf("since %s: %s", howLong(v.now.Sub(since)), message)
		}
		p = append(p, v.labelled("Warning", yellow(message))...)
	}
	return p
}

// shares has a bar for each revision.
func (v view) shares(c *v1beta1.Canary) page {
	seen := observed(c)
	if len(seen) == 0 && c.Status.LastPromotedSpec != "" {
		return v.labelled("Traffic", plain("not known: the daemon has not seen the Route yet"))
	}
	width := 0
	for _, s := range seen {
		width = max(width, utf8.RuneCountInString(clean(s.revision)))
	}
	var p page
	label := "Traffic"
	for _, s := range seen {
		p = append(p, line{
			plain(pad(label, labelColumns)), plain(pad(clean(s.revision), width+2)),
			plain(bar(s.percent, barColumns)), plain(fmt.Sprintf(" %3d %%", s.percent)),
		})
		label = ""
	}
	return p
}
