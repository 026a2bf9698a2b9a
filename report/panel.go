package report

import "time"

// The space around a chart, in pixels: on the left for labels up to 100,000/s.
const (
	marginLeft  = 68
	marginRight = 24
	axisHeight  = 26
	titleHeight = 22
	keyHeight   = 22
)

// panel is the area of a chart within its axes.
type panel struct {
	c                        *canvas
	left, top, width, height float64
	x, y                     axis
}

func (p *panel) px(v float64) float64        { return p.left + p.width*p.x.at(v) }
func (p *panel) py(v float64) float64        { return p.top + p.height*(1-p.y.at(v)) }
func (p *panel) at(t time.Duration) float64  { return p.px(t.Seconds()) }
func (p *panel) lat(d time.Duration) float64 { return p.py(d.Seconds()) }

func (p *panel) bottom() float64 { return p.top + p.height }

// drawAxes draws the lines of both axes and their labels.
func (p *panel) drawAxes() {
	right := p.left + p.width
	for _, t := range p.y.ticks {
		y := p.py(t.at)
		if t.label == "" {
			p.c.line("minor", p.left, y, right, y)
			continue
		}
		p.c.line("grid", p.left, y, right, y)
		p.c.text("small end", p.left-8, y+4, t.label)
	}
	for _, t := range p.x.ticks {
		x := p.px(t.at)
		p.c.line("base", x, p.bottom(), x, p.bottom()+4)
		p.c.text("small mid", x, p.bottom()+18, t.label)
	}
	p.c.line("base", p.left, p.bottom(), right, p.bottom())
}

// key is an entry of a legend.
type key struct {
	label string
	class string
	box   bool // an area, not a line
	dots  bool // not joined
}

// drawHead draws a title and below it the keys, and returns where the chart may
// begin.
func drawHead(c *canvas, width float64, title string, keys []key) float64 {
	c.text("title", 0, 14, title)
	x, y := 0.0, titleHeight+12.0
	for _, k := range keys {
		need := 26 + textWidth(k.label)
		if x > 0 && x+need > width {
			x, y = 0, y+keyHeight
		}
		if k.box {
			c.rect(k.class, x+3, y-9, 14, 10)
		} else {
			c.path(k.class, k.sample(x, y-4))
		}
		c.text("small", x+26, y, k.label)
		x += need + 16
	}
	return y + 20
}

// sample is a piece of the line that the key is about.
func (k key) sample(x, y float64) *way {
	w := new(way)
	if k.dots {
		w.dot(x+3, y-2)
		w.dot(x+10, y+2)
		w.dot(x+17, y)
		return w
	}
	w.to(x+1, y)
	w.to(x+19, y)
	return w
}

// drawNothing fills a chart that has nothing to show.
func drawNothing(c *canvas, title, text string) float64 {
	top := drawHead(c, 0, title, nil) - keyHeight
	c.text("muted", 0, top+18, text)
	return top + 26
}
