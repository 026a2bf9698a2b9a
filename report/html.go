package report

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
)

//go:embed page.tmpl
var pageText string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"flags": markFlags}).Parse(pageText))

var (
	flagPattern     = regexp.MustCompile(`(^| )(-[a-z]+)`)
	quantityPattern = regexp.MustCompile(`(\d) (µs|ms|s|min|h|cores?)\b`)
)

// markFlags sets the flags of a command line apart from the text, and keeps
// them and quantities from being broken across lines.
func markFlags(text string) template.HTML {
	text = quantityPattern.ReplaceAllString(template.HTMLEscapeString(text), "$1\u00a0$2")
	return template.HTML(flagPattern.ReplaceAllString(text, "$1<code>$2</code>"))
}

// HTML writes one self-contained page, without scripts: what SVG shows, and the
// tables of Text. It is light or dark as the reader likes.
func HTML(w io.Writer, r *Run) error { return pageTemplate.Execute(w, newPage(r)) }

// page is what page.tmpl shows.
type page struct {
	Title, Subtitle    string
	Light, Dark, Style template.CSS
	Targets            []pageTarget
	Notes              []pageNote
	Charts             []pageChart
	Tables             []pageTable
}

type pageTarget struct {
	Letter, Colour, Name string
	Figures              []pageFigure
}

type pageFigure struct{ Label, Value string }

type pageNote struct {
	Title, Text string
	Warning     bool
}

// pageChart is a chart twice, so that its text is as large on a narrow screen.
type pageChart struct{ Wide, Narrow template.HTML }

type pageTable struct {
	Head []string
	Rows [][]string
}

// The widths that charts are drawn in, in pixels.
const (
	wideChart   = 960
	narrowChart = 500
)

func newPage(r *Run) page {
	p := page{
		Title:    r.title(),
		Subtitle: r.subtitle(),
		// Colours and style sheets are the package's own.
		Light: template.CSS(variables(false)),
		Dark:  template.CSS(variables(true)),
		Style: template.CSS(pageCSS + chartStyle()),
	}
	for i := range r.Targets {
		p.Targets = append(p.Targets, newPageTarget(r, i))
	}
	for _, n := range r.notes() {
		p.Notes = append(p.Notes, pageNote{n.title, n.text, n.warning})
	}
	for _, draw := range r.charts() {
		p.Charts = append(p.Charts, pageChart{inline("wide", wideChart, draw), inline("narrow", narrowChart, draw)})
	}
	p.Tables = pageTables(r)
	return p
}

func newPageTarget(r *Run, i int) pageTarget {
	t := pageTarget{Name: printable(r.Targets[i].Name)}
	if len(r.Targets) > 1 {
		t.Letter, t.Colour = letter(i), stroked(i)
	}
	for _, f := range r.figures(&r.Targets[i]) {
		t.Figures = append(t.Figures, pageFigure{f.label, f.value})
	}
	return t
}

func pageTables(r *Run) []pageTable {
	var out []pageTable
	for _, t := range []table{r.latencies(), r.totals(), r.answers()} {
		if len(t) > 0 {
			out = append(out, pageTable{t[0], padded(t[1:], len(t[0]))})
		}
	}
	return out
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
func inline(class string, width float64, draw func(*canvas, float64) float64) template.HTML {
	c := new(canvas)
	height := draw(c, width)
	return template.HTML(fmt.Sprintf(`<svg class="%s" viewBox="0 0 %s %s" role="img">%s</svg>`,
		class, px(width), px(height), "\n"+c.b.String()))
}
