package page

import (
	"fmt"
	"strings"
	"time"
)

// warning says that the Route does not show what was decided, and why. It is
// read out when it changes, and so has the time since when, and not how long.
func (m *markup) warning(r *Row, now time.Time, length int) {
	if r.NotApplied == "" {
		return
	}
	m.add(`<p class="note warning"><strong class="state wait">%sTraffic is not as decided</strong> `, waitingMark.html())
	if since := when(r.NotAppliedSince, now); since != "" {
		m.add("since %s UTC: ", since)
	}
	m.add("%s</p>", cut(r.NotApplied, length))
}

// division is what the Route shows.
func (r *Row) division() trusted {
	if len(r.Traffic) == 0 {
		return "Not known: the Route was not seen yet"
	}
	return shares(r.Traffic)
}

// shares are a line for each revision.
func shares(all []Share) trusted {
	return part(func(m *markup) {
		for _, s := range all {
			m.add(`<span class="share">%s%s</span>`, bar(s.Percent), mono(s.Revision))
		}
	})
}

// traffic is the canary revision's part of the live traffic in a rollout, or
// everybody's where the primary revision should have all of it or the Route does
// not show what was decided; what is wanted, where that is something else; and
// how many checks failed.
func (r *Row) traffic() trusted {
	if len(r.Traffic) == 0 || r.Weight == 0 && len(r.Wanted) == 0 && (r.resting() || r.CanaryRevision == "") {
		return ""
	}
	return part(func(m *markup) {
		if r.resting() || r.NotApplied != "" {
			m.add("%s", shares(r.Traffic))
		} else {
			m.add("%s", bar(r.Weight))
		}
		if wanted := r.wanted(); wanted != "" {
			m.add(`<span class="sub">%s</span>`, wanted)
		}
		if r.FailedChecks > 0 {
			m.add(`<span class="sub">%s</span>`, r.failures())
		}
	})
}

// wanted says what the Route does not show.
func (r *Row) wanted() string {
	if len(r.Wanted) == 0 {
		return ""
	}
	if !r.resting() && r.NotApplied == "" {
		return fmt.Sprintf("%d%% wanted", r.WantedWeight)
	}
	parts := make([]string, len(r.Wanted))
	for i, s := range r.Wanted {
		parts[i] = fmt.Sprintf("%d%% %s", s.Percent, name(s.Revision))
	}
	return "wanted: " + strings.Join(parts, ", ")
}
