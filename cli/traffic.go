package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// primary is the revision that serves, or is to serve, what the canary revision
// does not.
func primary(c *v1beta1.Canary) string {
	division, _ := c.Status.Division()
	return division.Primary
}

// of is a revision's percent in a division.
func of(shares []v1beta1.TrafficShare, revision string) int64 {
	for _, s := range shares {
		if s.Revision == revision {
			return s.Percent
		}
	}
	return 0
}

// missed is the division that is wanted, where the Route was seen to show
// another one, and else nil.
func missed(c *v1beta1.Canary) []v1beta1.TrafficShare {
	seen, want := c.ObservedShares(), c.WantedShares()
	if len(seen) == 0 || len(want) == 0 {
		return nil
	}
	for _, s := range want { // both add up to 100
		if of(seen, s.Revision) != s.Percent {
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
	seen, want := of(c.ObservedShares(), revision(c)), int64(c.Status.Analysis.Weight)
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
			texts[i] = fmt.Sprintf("%d %% for %s", s.Percent, s.Revision)
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
	seen := c.ObservedShares()
	if len(seen) == 0 && c.Status.LastPromotedSpec != "" {
		return v.labelled("Traffic", plain("not known: the daemon has not seen the Route yet"))
	}
	width := 0
	for _, s := range seen {
		width = max(width, utf8.RuneCountInString(clean(s.Revision)))
	}
	var p page
	label := "Traffic"
	for _, s := range seen {
		p = append(p, line{
			plain(pad(label, labelColumns)), plain(pad(clean(s.Revision), width+2)),
			plain(bar(s.Percent, barColumns)), plain(fmt.Sprintf(" %3d %%", s.Percent)),
		})
		label = ""
	}
	return p
}
