package report

import (
	"fmt"
	"io"
	"strings"
)

// The size of the picture, in pixels.
const (
	pictureWidth = 960
	border       = 32
	between      = 28 // two sections
)

// SVG writes one self-contained picture: what was done, the figures that matter
// most, the notes and the charts. It is light whatever surrounds it.
func SVG(w io.Writer, r *Run) error {
	const width = pictureWidth - 2*border
	c, y := new(canvas), 0.0
	for _, draw := range append([]func(*canvas, float64) float64{r.drawTitle, r.drawFigures, r.drawNotes}, r.charts()...) {
		height := 0.0
		c.moved(y, func(c *canvas) { height = draw(c, width) })
		if height > 0 {
			y += height + between
		}
	}
	height := y - between + 2*border
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%s" viewBox="%d %d %d %s" role="img" aria-label="%s">
<style>%s</style>
<rect x="%d" y="%d" width="%d" height="%s" fill="%s"/>
%s</svg>
`, pictureWidth, px(height), -border, -border, pictureWidth, px(height), escape(r.title()),
		lightStyle(), -border, -border, pictureWidth, px(height), surfaceColours[0].light, c.b.String())
	return err
}

// charts are all of them, from the top. Each draws in the width that it is
// given and returns the height that it took.
func (r *Run) charts() []func(*canvas, float64) float64 {
	if r.empty() {
		return nil
	}
	if r.timeless() {
		return []func(*canvas, float64) float64{r.drawSpectrum}
	}
	return []func(*canvas, float64) float64{r.drawSpectrum, r.drawLatency, r.drawRate, r.drawFailures}
}

// timeless reports whether no target has a series.
func (r *Run) timeless() bool {
	return len(r.those(func(t *Target) bool { return len(t.series().points) > 0 })) == 0
}

// title says what the report is about.
func (r *Run) title() string {
	var names []string
	for i := range r.Targets {
		names = append(names, printable(r.Targets[i].Name))
	}
	return "Load on " + strings.Join(names, " and ")
}

// subtitle says how and when the load was made.
func (r *Run) subtitle() string {
	if r.Started.IsZero() {
		return r.method()
	}
	return r.method() + ", from " + r.Started.Format("2 January 2006 15:04:05 MST")
}

func (r *Run) drawTitle(c *canvas, width float64) float64 {
	c.text("heading", 0, 18, "Load report")
	for i, line := range strings.Split(strings.TrimSpace(wrap(r.subtitle(), lineOf(width), "")), "\n") {
		c.text("muted", 0, 42+18*float64(i), line)
	}
	return 46
}

// lineOf is how many characters are sure to fit in width pixels.
func lineOf(width float64) int { return int(width / 6.8) }

// figure is one that matters most.
type figure struct{ label, value string }

func (r *Run) figures(t *Target) []figure {
	h := &t.total().Response
	return []figure{
		{"Requests", count(t.total().Requests())},
		{"Succeeded", success(t.total())},
		{"Rate", rate(r.rateAchieved(t))},
		{"p50", latencyOf(h, 0.5)},
		{"p99", latencyOf(h, 0.99)},
		{"p99.9", latencyOf(h, 0.999)},
		{"Max", latencyOf(h, 1)},
	}
}

// drawFigures draws a line of figures below the name of each target, which is
// the legend of the picture too.
func (r *Run) drawFigures(c *canvas, width float64) float64 {
	y := 0.0
	for i := range r.Targets {
		left := 0.0
		if len(r.Targets) > 1 {
			c.rect(filled(i), 0, y+2, 14, 10)
			c.text("title", 22, y+12, letter(i))
			left = 40
		}
		c.text("name", left, y+12, shorten(printable(r.Targets[i].Name), 0.9*(width-left)))
		figures := r.figures(&r.Targets[i])
		for j, f := range figures {
			x := width / float64(len(figures)) * float64(j)
			c.text("small", x, y+38, f.label)
			c.text("figure", x, y+62, f.value)
		}
		y += 84
	}
	return max(y-20, 0)
}

func (r *Run) drawNotes(c *canvas, width float64) float64 {
	y := 0.0
	for _, n := range r.notes() {
		class, title := "rule", n.title
		if n.warning {
			class, title = "warn", "Warning: "+n.title
		}
		lines := strings.Split(strings.TrimSpace(wrap(n.text, lineOf(width-16), "")), "\n")
		c.rect(class, 0, y, 3, 24+18*float64(len(lines)))
		c.text("strong", 16, y+13, title)
		for i, line := range lines {
			c.text("muted", 16, y+33+18*float64(i), line)
		}
		y += 42 + 18*float64(len(lines))
	}
	return max(y-18, 0)
}
