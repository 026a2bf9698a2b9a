package report

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// canvas collects the elements of an SVG. Coordinates are pixels from the upper
// left corner; how an element looks is a matter of its class.
type canvas struct{ b strings.Builder }

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&c.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`+"\n", class, px(x1), px(y1), px(x2), px(y2))
}

func (c *canvas) rect(class string, x, y, width, height float64) {
	fmt.Fprintf(&c.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n", class, px(x), px(y), px(width), px(height))
}

// text draws s with its base line at y. What s has of markup is escaped.
func (c *canvas) text(class string, x, y float64, s string) {
	fmt.Fprintf(&c.b, `<text class="%s" x="%s" y="%s">%s</text>`+"\n", class, px(x), px(y), escape(s))
}

// path draws a way, if there is one.
func (c *canvas) path(class string, way *way) {
	if way.b.Len() > 0 {
		fmt.Fprintf(&c.b, `<path class="%s" d="%s"/>`+"\n", class, way.b.String())
	}
}

// moved draws what is drawn by draw further down.
func (c *canvas) moved(y float64, draw func(*canvas)) {
	fmt.Fprintf(&c.b, `<g transform="translate(0 %s)">`+"\n", px(y))
	draw(c)
	c.b.WriteString("</g>\n")
}

// way is a line through points.
type way struct {
	b   strings.Builder
	pen bool // is down
}

// to goes on to a point, or begins there after lift.
func (w *way) to(x, y float64) {
	command := "M"
	if w.pen {
		command = "L"
	}
	w.b.WriteString(command + px(x) + " " + px(y))
	w.pen = true
}

// lift leaves a gap.
func (w *way) lift() { w.pen = false }

// dot is a line of no length: with round ends, a dot.
func (w *way) dot(x, y float64) { w.b.WriteString("M" + px(x) + " " + px(y) + "h0") }

// px is a coordinate to a tenth of a pixel.
func px(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(finite(v), 'f', 1, 64), ".0")
}

// escape makes s safe in the text and the attributes of XML and HTML.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(printable(s))) // a Builder returns no error
	return b.String()
}

// textWidth is about as wide as s is in the font of the charts: there is no
// font to measure it with.
func textWidth(s string) float64 { return 6.8 * float64(utf8.RuneCountInString(s)) }

// shorten cuts s to about width pixels.
func shorten(s string, width float64) string {
	n := int(width / 6.8)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:max(n-1, 0)]) + "…"
}
