package page

import (
	"io"
	"time"
)

// icon is the page's own: nothing is asked for.
const icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E" +
	"%3Cpath d='M8 0a8 8 0 0 0 0 16z' fill='%230072b2'/%3E%3Cpath d='M8 0a8 8 0 0 1 0 16z' fill='%23f0a030'/%3E%3C/svg%3E"

// frame is what is around a live page.
type frame struct {
	title, version string
	live           string // the address of the stream
	now            time.Time
	home           bool // this is the overview
	said           string
	class          trusted // of the main part
}

// open begins the page, up to its main part. What the script replaces has an
// id.
func (m *markup) open(f *frame) {
	m.head(f.title)
	m.add(`<link rel="stylesheet" href="%s">`+"\n", StylePath)
	m.add(`<script src="%s" defer></script>`+"\n</head>\n", ScriptPath)
	m.add(`<body data-live="%s">`+"\n", f.live)
	m.add(`<a class="skip" href="#main">Skip to the content</a>` + "\n")
	m.add(`<header class="top"><nav aria-label="Serin"><a class="home" href="%s"%s>Serin</a> <span class="version">%s</span></nav>`,
		OverviewPath, current(f.home), name(f.version))
	m.add(`<p id="link" role="status">As of <time datetime="%s">%s UTC</time>. Reload for news.</p></header>`+"\n",
		f.now.UTC().Format(time.RFC3339), clock(f.now, f.now))
	m.add(`<main id="main" tabindex="-1" class="%s">`+"\n", f.class)
	m.add(`<p id="said" role="status">%s</p>`+"\n", text(f.said))
}

// head begins any page, within its <head>.
func (m *markup) head(title string) {
	m.add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	m.add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
	m.add("<title id=\"title\">%s</title>\n<link rel=\"icon\" href=\"%s\">\n", title, icon)
}

func current(is bool) trusted {
	if is {
		return ` aria-current="page"`
	}
	return ""
}

// close ends the page.
func (m *markup) close() { m.add("</main>\n</body>\n</html>\n") }

// to writes what was added.
func (m *markup) to(w io.Writer) error {
	_, err := io.WriteString(w, m.b.String())
	return err
}

// region adds an element whose content the script replaces.
func (m *markup) region(tag trusted, id string, attributes trusted, regions Regions) {
	m.add("<%s id=\"%s\"%s>%s</%s>\n", tag, id, attributes, trusted(regions[id]), tag)
}
