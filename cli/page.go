package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// view is what a page is made for.
type view struct {
	program string
	now     time.Time
	columns int // 0 for no limit
}

// Sizes of the page, in columns.
const (
	labelColumns = 10
	barColumns   = 25
	sparkColumns = 40
)

// eventsShown is how many of the newest events are on the page.
const eventsShown = 10

// canaryPage is all there is to say about one Canary. The history is that of
// the canary revision's p99 in milliseconds, oldest first.
func canaryPage(c *v1beta1.Canary, events []*corev1.Event, history []float64, v view) page {
	p := page{
		{plain(pad("Canary", labelColumns)), bold(c.Name), plain(fmt.Sprintf(" in namespace %s, of Service %s", c.Namespace, c.Spec.TargetRef.Name))},
		{plain(pad("Phase", labelColumns)), span{string(phase(c)), phaseColor(phase(c))}, plain(" for " + age(c, v.now))},
	}
	if s := stage(c); s != "" {
		p = append(p, v.labelled("Stage", plain(string(s)))...)
	}
	if h := held(c); h != "" {
		p = append(p, v.labelled("Held", yellow(h))...)
	}
	p = append(p, v.traffic(c)...)
	p = append(p, v.labelled("Why", plain(reason(c)))...)
	if what, command := awaited(c, v.program, v.now); what != "" {
		p = append(p, v.labelled("Waits for", plain(what))...)
		if command != "" {
			p = append(p, v.labelled("", bold(command))...)
		}
	}
	p = append(p, v.checks(c)...)
	p = append(p, measuredPage(c, history)...)
	return append(p, v.eventsPage(events)...)
}

// labelled is a label and a text, which is broken where the screen ends.
func (v view) labelled(label string, s span) page {
	var p page
	left := 0
	if v.columns > 0 {
		left = max(v.columns-labelColumns, 20)
	}
	for _, text := range wrap(s.text, left) {
		p = append(p, line{plain(pad(label, labelColumns)), span{text, s.color}})
		label = ""
	}
	return p
}

// checks is the plan, and what the last check found.
func (v view) checks(c *v1beta1.Canary) page {
	a := c.Status.Analysis
	if a == nil {
		return nil
	}
	p := page{}
	if a.Plan != nil {
		p = append(p, v.labelled("Plan", plain(a.Plan.Message))...)
	}
	if a.Known {
		p = append(p, v.labelled("", plain("It has served before: one check suffices."))...)
	}
	if a.Check > 0 { // a rollback by hand checks nothing
		text := fmt.Sprintf("number %d; %d failed so far, rolled back at %d", a.Check, c.Status.FailedChecks, c.Spec.Analysis.ThresholdOrDefault())
		p = append(p, v.labelled("Check", plain(text))...)
	}
	if a.Verdict == "" {
		return p
	}
	p = append(p, line{}, line{bold("Last verdict: "), span{a.Verdict, verdictColor(a.Verdict)}})
	for i := range a.Metrics {
		p = append(p, v.metric(&a.Metrics[i])...)
	}
	return p
}

// metric is a finding: its sentence, and what would have changed it.
func (v view) metric(m *v1beta1.MetricStatus) page {
	mark := span{"  ? ", plainColor}
	switch m.Verdict {
	case "pass":
		mark = span{"  ✓ ", greenColor}
	case "fail":
		mark = span{"  ✗ ", redColor}
	}
	p := page{{mark, bold(m.Name)}}
	for _, text := range []string{m.Message, m.Explanation} {
		if text == "" {
			continue
		}
		for _, part := range wrap(text, max(v.columns-6, 0)) {
			p = append(p, line{plain("      " + part)})
		}
	}
	return p
}

// measuredPage compares what was measured of both revisions.
func measuredPage(c *v1beta1.Canary, history []float64) page {
	a := c.Status.Analysis
	if a == nil || a.Primary == nil && a.Canary == nil {
		return nil
	}
	names := []string{clean(a.PrimaryRevision), clean(a.CanaryRevision)}
	width := max(utf8.RuneCountInString(names[0]), utf8.RuneCountInString(names[1]), len("Measured"))
	p := page{{}, {bold(pad("Measured", width+2)), faint(fmt.Sprintf("%10s %10s %11s %11s", "requests", "success", "p50", "p99"))}}
	for i, m := range []*v1beta1.Measured{a.Primary, a.Canary} {
		if m == nil {
			continue
		}
		l := line{plain(pad(names[i], width+2)), plain(fmt.Sprintf("%10d %8s %% %8s ms %8s ms", m.Requests,
			number(m.SuccessRatePercent), number(m.P50Milliseconds), number(m.P99Milliseconds)))}
		if m.ColdStartRequests > 0 {
			l = append(l, faint(fmt.Sprintf("  and %d of the cold start", m.ColdStartRequests)))
		}
		p = append(p, l)
	}
	if len(history) > 1 {
		p = append(p, line{plain(pad("p99", width+2)), plain(sparkline(history, sparkColumns))})
	}
	return p
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// eventsPage has the newest events, newest first.
func (v view) eventsPage(events []*corev1.Event) page {
	if len(events) == 0 {
		return nil
	}
	sorted := slices.SortedStableFunc(slices.Values(events), func(a, b *corev1.Event) int {
		return cmp.Or(eventTime(b).Compare(eventTime(a)), cmp.Compare(len(b.ResourceVersion), len(a.ResourceVersion)), cmp.Compare(b.ResourceVersion, a.ResourceVersion))
	})
	p := page{{}, {bold("Events")}}
	for _, e := range sorted[:min(len(sorted), eventsShown)] {
		mark := plainColor
		if e.Type == corev1.EventTypeWarning {
			mark = yellowColor
		}
		when := padLeft(howLong(v.now.Sub(eventTime(e))), 6) + "  "
		for _, text := range wrap(e.Message, max(v.columns-len(when), 0)) {
			p = append(p, line{faint(when), span{text, mark}})
			when = pad("", len(when))
		}
	}
	return p
}

// eventTime is when an event was last seen.
func eventTime(e *corev1.Event) time.Time {
	for _, t := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.FirstTimestamp.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return e.CreationTimestamp.Time
}
