package page

import "io"

// reportPolicy goes with the report, wherever it is opened: it asks for nothing,
// runs nothing and sends nothing.
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"

// ReportPolicy is the Content-Security-Policy of a report that is served. Its
// origin is none, so that whatever is in it is not Serin's page.
const ReportPolicy = reportPolicy + "; frame-ancestors 'none'; sandbox"

// WriteReport writes the report of a rollout: one file that needs nothing else,
// with neither scripts nor buttons. It is all of what the daemon knew, with no
// check or event folded away.
func WriteReport(w io.Writer, c *Canary) error {
	whole := *c
	whole.whole = true
	c = &whole
	m := new(markup)
	m.head("Rollout of " + name(c.CanaryRevision) + ", " + name(c.Name) + "." + name(c.Namespace))
	m.add(`<meta http-equiv="Content-Security-Policy" content="%s">`+"\n", reportPolicy)
	m.add("<style>\n%s</style>\n</head>\n<body class=\"report\">\n<main id=\"main\" class=\"canary\">\n", trusted(Style()))
	m.add("<div class=\"intro\"><p class=\"sub crumb\">%s</p>\n<h1>%s</h1>\n", c.where(), name(c.Name))
	m.add("<div class=\"says\">%s</div></div>\n", part(func(m *markup) { m.says(c) }))
	m.add("<section id=\"facts\" aria-label=\"Rollout\">%s</section>\n", part(func(m *markup) { m.facts(c) }))
	for _, section := range []struct {
		class trusted
		write func(*markup, *Canary)
	}{
		{"measured", (*markup).measured},
		{"checked", (*markup).checks},
		{"", (*markup).charts},
		{"", (*markup).faults},
		{"", (*markup).events},
	} {
		if inner := part(func(m *markup) { section.write(m, c) }); inner != "" {
			m.add("<section class=\"%s\">%s</section>\n", section.class, inner)
		}
	}
	m.add("<footer class=\"sub\">Measured by Serin %s. Times are in UTC; this page is of %s.</footer>\n",
		name(c.Version), c.Now.UTC().Format("2 January 2006 15:04:05"))
	m.close()
	return m.to(w)
}
