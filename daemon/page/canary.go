package page

import (
	"io"
	"time"
)

// WriteCanary writes the page of one Canary.
func WriteCanary(w io.Writer, c *Canary) error {
	regions := CanaryRegions(c)
	m := new(markup)
	m.open(&frame{title: c.title(), version: c.Version, live: LivePath(c.Namespace, c.Name), now: c.Now, said: c.Said, class: "canary"})
	m.add(`<div class="intro"><p class="sub crumb"><a href="%s">Canaries</a> / %s</p>`+"\n<h1>%s</h1>\n", OverviewPath, c.where(), name(c.Name))
	m.region("div", "says", ` class="says" role="status"`, regions)
	m.add("</div>\n")
	m.region("section", "commands", ` aria-label="Commands"`, regions)
	m.region("section", "facts", ` aria-label="Rollout"`, regions)
	for _, id := range []trusted{"measured", "checks", "charts", "faults", "events", "reports"} {
		m.region("section", string(id), ` aria-labelledby="h-`+id+`"`, regions)
	}
	m.close()
	return m.to(w)
}

// CanaryRegions are the parts of a Canary's page that change.
func CanaryRegions(c *Canary) Regions {
	out := Regions{}
	out.set("title", func(m *markup) { m.add("%s", c.title()) })
	out.set("says", func(m *markup) { m.says(c) })
	out.set("commands", func(m *markup) { m.commands(c) })
	out.set("facts", func(m *markup) { m.facts(c) })
	out.set("measured", func(m *markup) { m.measured(c) })
	out.set("charts", func(m *markup) { m.charts(c) })
	out.set("checks", func(m *markup) { m.checks(c) })
	out.set("faults", func(m *markup) { m.faults(c) })
	out.set("events", func(m *markup) { m.events(c) })
	out.set("reports", func(m *markup) { m.reports(c) })
	return out
}

// title says how it goes, for those who look at the tab alone.
func (c *Canary) title() string {
	return c.phase() + ": " + name(c.Name) + "." + name(c.Namespace)
}

// says is where the rollout is, and why, in a sentence. It is read out when it
// changes, and so has no time in it.
func (m *markup) says(c *Canary) {
	m.add(`<p>%s</p>`, c.state())
	if said := c.sentence(); said != "" {
		m.add(`<p class="why">%s</p>`, said)
	}
	m.warning(&c.Row, c.Now, maxText)
	switch {
	case c.Refused:
		m.add(`<p class="sub">Nothing is done until the Canary is corrected. Traffic stays as it is.</p>`)
	case c.Suspended:
		m.add(`<p class="sub">Suspended by the Canary's spec: Serin leaves the Service alone.</p>`)
	case c.Paused && !c.resting():
		m.add(`<p class="sub">Paused at %d%%: no load is sent and no step is made.</p>`, c.WantedWeight)
	case c.Began.IsZero():
		m.add(`<p class="sub">There was no rollout yet. It begins with the next revision of the Service.</p>`)
	}
}

// facts are where the rollout stands, in figures.
func (m *markup) facts(c *Canary) {
	m.add("<dl class=\"facts\">")
	m.fact("Live traffic", c.division())
	m.fact("Wanted", shares(c.Wanted))
	m.fact("Primary", mono(c.PrimaryRevision))
	if c.CanaryRevision != c.PrimaryRevision {
		m.fact("Canary", mono(c.CanaryRevision))
	}
	if c.FailedChecks > 0 || !c.Began.IsZero() && c.Threshold > 0 {
		m.fact("Failed checks", part(func(m *markup) { m.add("%d of %d", c.FailedChecks, max(c.Threshold, c.FailedChecks)) }))
	}
	m.fact("Strategy", part(func(m *markup) { m.add("%s", name(c.Strategy)) }))
	m.fact("Began (UTC)", c.start())
	if !c.Ended.IsZero() {
		m.fact("Took", part(func(m *markup) { m.add("%s", lasted(c.Ended.Sub(c.Began))) }))
	}
	m.fact("Goes on at (UTC)", when(c.NextTime, c.Now))
	m.add("</dl>")
	if c.Plan != "" {
		m.add(`<p class="sub plan">Plan: %s.</p>`, text(c.Plan))
	}
}

// start is when the rollout began; with its day, where that is to be kept.
func (c *Canary) start() trusted {
	if c.whole {
		return when(c.Began, time.Time{})
	}
	return when(c.Began, c.Now)
}

// fact adds one, unless there is nothing to say.
func (m *markup) fact(label string, value trusted) {
	if value != "" {
		m.add("<div><dt>%s</dt><dd>%s</dd></div>", label, value)
	}
}

// mono is the name of a revision.
func mono(s string) trusted {
	if s == "" {
		return ""
	}
	return part(func(m *markup) { m.add(`<span class="rev">%s</span>`, name(s)) })
}

// commands are forms: they work without JavaScript. What cannot be undone is
// asked first.
func (m *markup) commands(c *Canary) {
	for _, command := range c.Commands {
		if command.Confirm == "" {
			m.command(c, &command, command.Label)
			continue
		}
		m.add(`<details class="ask" id="%s"><summary id="%s">%s</summary><div><p>%s</p>`,
			"ask-"+command.Name, "sum-"+command.Name, name(command.Label), text(command.Confirm))
		m.command(c, &command, "Yes: "+command.Label)
		m.add("</div></details>\n")
	}
}

func (m *markup) command(c *Canary, command *Command, label string) {
	m.add(`<form method="post" action="%s">`, CommandPath(c.Namespace, c.Name, command.Name))
	if command.For != "" {
		m.add(`<input type="hidden" name="for" value="%s">`, command.For)
	}
	m.add(`<button id="%s">%s</button></form>`+"\n", "do-"+command.Name, name(label))
}

// heading names the section that it begins.
func (m *markup) heading(id trusted, label string) { m.add("<h2 id=\"h-%s\">%s</h2>\n", id, label) }

// since says from when on the figures are, where that is not the beginning.
func (m *markup) since(c *Canary) {
	if !c.MeasuredSince.After(c.Began) || c.MeasuredSince.Sub(c.Began) < time.Second {
		return
	}
	m.add(`<p class="note">The daemon was started anew during this rollout. Figures and charts begin at %s UTC, `+
		"and say nothing of the time before.</p>\n", when(c.MeasuredSince, c.Now))
}
