package page

import "slices"

// Of checks and events, the newest are in sight and the others on demand.
const (
	checksInSight = 4
	eventsInSight = 8
)

// checks lists them with what each metric said, the newest first.
func (m *markup) checks(c *Canary) {
	m.heading("checks", "Checks")
	if len(c.Checks) == 0 {
		m.add(`<p class="sub">None was decided yet.</p>`)
		return
	}
	checks := slices.Clone(c.Checks)
	slices.Reverse(checks)
	m.folded("older-checks", "earlier check", "earlier checks", len(checks), c.inSight(checksInSight, len(checks)), func(from, to int) {
		m.add("<ol class=\"checks\">\n")
		for i := from; i < to; i++ {
			m.check(c, &checks[i])
		}
		m.add("</ol>\n")
	})
}

// inSight is how many of all are not folded away.
func (c *Canary) inSight(n, all int) int {
	if c.whole {
		return all
	}
	return n
}

// folded writes the first of n, and the others within a fold.
func (m *markup) folded(id, one, many string, n, inSight int, list func(from, to int)) {
	list(0, min(n, inSight))
	if n <= inSight {
		return
	}
	m.add(`<details class="more" id="%s"><summary id="%s">%s</summary>`+"\n", id, id+"-summary", plural(n-inSight, one, many))
	list(inSight, n)
	m.add("</details>\n")
}

func (m *markup) check(c *Canary, check *Check) {
	k := verdictMark(check.Verdict)
	m.add(`<li><div class="verdict %s">%s<span>%s</span></div><div class="told"><h3>Check %d at %d%% <span class="sub">%s</span></h3>`,
		trusted(k.class), k.html(), verdictWord(check.Verdict), check.Number, check.Weight, when(check.Time, c.Now))
	for _, metric := range check.Metrics {
		m.metric(&metric, check.Verdict)
	}
	m.add("</div></li>\n")
}

// metric is a sentence, and what would have changed it. Its verdict is there
// where it differs from the check's.
func (m *markup) metric(metric *Metric, verdict string) {
	m.add("<p>")
	if metric.Verdict != verdict {
		m.add(`<span class="state %s">%s</span> `, trusted(verdictMark(metric.Verdict).class), verdictWord(metric.Verdict))
	}
	said := text(metric.Message)
	if said == "" {
		said = name(metric.Name)
	}
	m.add("%s", said)
	if metric.Explanation != "" {
		m.add(` <span class="sub">%s</span>`, text(metric.Explanation))
	}
	m.add("</p>")
}

// faults are those that are put on the measured traffic, where there are any.
func (m *markup) faults(c *Canary) {
	if len(c.Faults) == 0 {
		return
	}
	m.heading("faults", "Faults")
	m.add("<p class=\"note\">Faults are put on the measured traffic. What is measured is not the revisions alone.</p>\n")
	m.add("<table class=\"list\" role=\"table\"><caption class=\"hidden\">Faults on the measured traffic</caption>\n" +
		`<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Fault</th><th role="columnheader" scope="col">Until</th><th role="columnheader" scope="col">Hits</th></tr></thead>` +
		"<tbody role=\"rowgroup\">\n")
	for _, f := range c.Faults {
		until := when(f.Expires, c.Now)
		if until == "" {
			until = "taken away"
		}
		m.add(`<tr role="row"><th role="rowheader" scope="row">%s <span class="sub rev">%s</span></th><td role="cell">%s</td><td role="cell">%d</td></tr>`+"\n",
			text(f.Text), name(f.ID), until, f.Hits)
	}
	m.add("</tbody></table>\n")
}

// events are Kubernetes', the newest first.
func (m *markup) events(c *Canary) {
	m.heading("events", "Events")
	if len(c.Events) == 0 {
		m.add(`<p class="sub">None is known.</p>`)
		return
	}
	events := slices.Clone(c.Events)
	slices.Reverse(events)
	m.folded("older-events", "earlier event", "earlier events", len(events), c.inSight(eventsInSight, len(events)), func(from, to int) {
		m.add("<ol class=\"events\">\n")
		for _, e := range events[from:to] {
			m.event(c, &e)
		}
		m.add("</ol>\n")
	})
}

func (m *markup) event(c *Canary, e *Event) {
	m.add(`<li><span class="sub">%s</span><p>`, when(e.Time, c.Now))
	if e.Type == "Warning" {
		m.add(`<strong class="state wait">Warning</strong> `)
	}
	m.add("%s", text(e.Message))
	if e.Count > 1 {
		m.add(` <span class="sub">%d times</span>`, e.Count)
	}
	m.add("</p></li>\n")
}

// reports link to pages on this host alone.
func (m *markup) reports(c *Canary) {
	var links []Link
	for _, l := range c.Reports {
		if len(l.Href) > 0 && l.Href[0] == '/' && (len(l.Href) < 2 || l.Href[1] != '/' && l.Href[1] != '\\') {
			links = append(links, l)
		}
	}
	if len(links) == 0 {
		return
	}
	m.heading("reports", "Reports")
	m.add("<ul class=\"reports\">\n")
	for _, l := range links {
		m.add(`<li><a href="%s">%s</a></li>`+"\n", l.Href, name(l.Text))
	}
	m.add("</ul>\n")
}
