package report

import (
	"bytes"
	_ "embed" // the style sheet
	"fmt"
	"io"
	"regexp"
	"slices"
)

//go:embed page.css
var pageCSS string

// The widths that charts are drawn in, in pixels.
const (
	wideChart   = 960
	narrowChart = 500
)

// HTML writes one self-contained page, without scripts: what SVG shows, and the
// tables of Text. It is light or dark as the reader likes.
//
// It is written without html/template, which looks methods up by their names:
// where that is linked in, the linker keeps every method of every type, and a
// program with Kubernetes' types in it has a third more code in memory.
func HTML(w io.Writer, r *Run) error {
	p := new(page)
	p.head(r)
	p.add("<main>\n<header>\n<h1>Load report</h1>\n<p class=\"sub\">%s</p>\n</header>\n", escape(r.subtitle()))
	for i := range r.Targets {
		p.target(r, i)
	}
	for _, n := range r.notes() {
		p.note(n)
	}
	// Each chart is there twice, so that its text is as large on a narrow screen.
	for _, draw := range r.charts() {
		p.add("<figure>%s%s</figure>\n", inline("wide", wideChart, draw), inline("narrow", narrowChart, draw))
	}
	p.add("<div class=\"tables\">\n")
	for _, t := range []table{r.latencies(), r.totals(), r.answers()} {
		p.table(t)
	}
	p.add("</div>\n</main>\n</body>\n</html>\n")
	_, err := w.Write(p.b.Bytes())
	return err
}

// page is HTML in the making.
type page struct{ b bytes.Buffer }

// add adds markup. Arguments that come from outside are escaped before.
func (p *page) add(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

func (p *page) head(r *Run) {
	p.add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	p.add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
	p.add("<title>%s</title>\n", escape(r.title()))
	p.add("<style>\n:root{%s}\n@media (prefers-color-scheme:dark){:root{%s}}\n%s%s\n</style>\n</head>\n<body>\n",
		variables(false), variables(true), pageCSS, chartStyle())
}

func (p *page) target(r *Run, i int) {
	p.add("<section class=\"target\">\n<h2>")
	if len(r.Targets) > 1 {
		p.add(`<span class="swatch" style="background:var(--%s)"></span>%s `, stroked(i), letter(i))
	}
	p.add("<span class=\"url\">%s</span></h2>\n<dl>\n", escape(printable(r.Targets[i].Name)))
	for _, f := range r.figures(&r.Targets[i]) {
		p.add("<div><dt>%s</dt><dd>%s</dd></div>\n", escape(f.label), escape(f.value))
	}
	p.add("</dl>\n</section>\n")
}

func (p *page) note(n note) {
	class, title := "", n.title
	if n.warning {
		class, title = ` class="warning"`, "Warning: "+title
	}
	p.add("<aside%s><strong>%s</strong><p>%s</p></aside>\n", class, escape(title), markFlags(n.text))
}

var (
	flagPattern     = regexp.MustCompile(`(^| )(-[a-z]+)`)
	quantityPattern = regexp.MustCompile(`(\d) (µs|ms|s|min|h|cores?)\b`)
)

// markFlags sets the flags of a command line apart from the text, and keeps
// them and quantities from being broken across lines.
func markFlags(text string) string {
	text = quantityPattern.ReplaceAllString(escape(text), "$1\u00a0$2")
	return flagPattern.ReplaceAllString(text, "$1<code>$2</code>")
}

// table adds a table, whose first row and first column name the others.
func (p *page) table(t table) {
	if len(t) == 0 {
		return
	}
	p.add("<div><table>\n<thead><tr>")
	for i, cell := range t[0] {
		scope := ` scope="col"`
		if i == 0 {
			scope = ""
		}
		p.add("<th%s>%s</th>", scope, escape(cell))
	}
	p.add("</tr></thead>\n<tbody>\n")
	for _, row := range padded(t[1:], len(t[0])) {
		p.add(`<tr><th scope="row">%s</th>`, escape(row[0]))
		for _, cell := range row[1:] {
			p.add("<td>%s</td>", escape(cell))
		}
		p.add("</tr>\n")
	}
	p.add("</tbody>\n</table></div>\n")
}

// padded are rows of n cells.
func padded(rows [][]string, n int) [][]string {
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = append(slices.Clone(row), make([]string, n-len(row))...)
	}
	return out
}

// inline is a chart as a part of a page. What comes from outside was escaped by
// the canvas.
func inline(class string, width float64, draw func(*canvas, float64) float64) string {
	c := new(canvas)
	height := draw(c, width)
	return fmt.Sprintf(`<svg class="%s" viewBox="0 0 %s %s" role="img">%s</svg>`, class, px(width), px(height), "\n"+c.b.String())
}
