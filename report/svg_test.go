package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/measure"
)

// decodeSVG reads the document to its end and returns its elements' attributes
// and texts.
func decodeSVG(t *testing.T, doc string) []element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	var out []element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			out = append(out, e)
		case xml.CharData:
			if len(out) > 0 {
				out[len(out)-1].text += strings.TrimSpace(string(token))
			}
		}
	}
}

type element struct {
	name, text string
	attr       map[string]string
}

func (e element) number(name string) float64 {
	v, _ := strconv.ParseFloat(e.attr[name], 64)
	return v
}

// extremes are runs at the ends of what charts have to hold.
func extremes() map[string]*Run {
	out := runs()
	single := func(took ...time.Duration) *Run {
		var total measure.Snapshot
		for _, d := range took {
			total.Add(measure.Result{Intended: started, Sent: started, Done: started.Add(d), Outcome: measure.Unknown})
		}
		s := new(Series)
		s.Add(0, time.Second, &total)
		return &Run{Elapsed: time.Second, Targets: []Target{{Name: "x", Total: &total, Series: s}}}
	}
	out["one request"] = single(time.Millisecond)
	out["10 µs to over 60 s"] = single(10*time.Microsecond, 61*time.Second)
	out["nothing at all"] = &Run{}
	out["no series"] = &Run{Targets: []Target{{Total: out["one"].Targets[0].Total}}}
	out["no length"] = &Run{Targets: []Target{{Total: out["one"].Targets[0].Total, Series: new(Series)}}}
	out["no length"].Targets[0].Series.Add(0, 0, out["one"].Targets[0].Total)
	late := *out["two"]
	late.Targets = []Target{out["limited"].Targets[0], out["limited"].Targets[0], out["one"].Targets[0]}
	out["two of three late"] = &late
	many := *out["one"]
	for range 8 {
		many.Targets = append(many.Targets, out["one"].Targets[0])
	}
	out["nine targets"] = &many
	return out
}

func TestPictureIsWellFormedAndSelfContained(t *testing.T) {
	for name, r := range extremes() {
		var b bytes.Buffer
		if err := SVG(&b, r); err != nil {
			t.Fatal(err)
		}
		for _, e := range decodeSVG(t, b.String()) {
			switch e.name {
			case "svg", "style", "rect", "g", "line", "text", "path":
			default:
				t.Errorf("%s: an element <%s>", name, e.name)
			}
			for attr, v := range e.attr {
				if strings.HasPrefix(attr, "on") || attr == "href" || strings.Contains(v, "NaN") || strings.Contains(v, "Inf") {
					t.Errorf("%s: <%s %s=%q>", name, e.name, attr, v)
				}
			}
			if e.name == "style" && (strings.Contains(e.text, "var(") || strings.Contains(e.text, "url(")) {
				t.Errorf("%s: the style sheet refers to something: %s", name, e.text)
			}
		}
	}
}

// Labels must neither be cut off nor cover each other, as far as that can be
// told without the font.
func TestLabelsHaveRoom(t *testing.T) {
	for name, r := range extremes() {
		for _, width := range []float64{wideChart, narrowChart} {
			for _, draw := range r.charts() {
				c := new(canvas)
				height := draw(c, width)
				checkLabels(t, name, decodeSVG(t, "<svg>"+c.b.String()+"</svg>"), width, height)
			}
		}
	}
}

func checkLabels(t *testing.T, name string, elements []element, width, height float64) {
	t.Helper()
	ends := map[float64]float64{} // of the last label on a line
	for _, e := range elements {
		if e.name != "text" {
			continue
		}
		left, y, wide := e.number("x"), e.number("y"), textWidth(e.text)
		switch {
		case strings.Contains(e.attr["class"], "end"):
			left -= wide
		case strings.Contains(e.attr["class"], "mid"):
			left -= wide / 2
		}
		if left < 0 || left+wide > width || y < 8 || y > height {
			t.Errorf("%s: %q at %g, %g of %g x %g is cut off", name, e.text, left, y, width, height)
		}
		if end, ok := ends[y]; ok && left < end && left+wide > end-wide {
			t.Errorf("%s: %q covers the label before it", name, e.text)
		}
		ends[y] = math.Max(ends[y], left+wide)
	}
}

func TestNothingIsDrawnOutsideOfItsChart(t *testing.T) {
	for name, r := range extremes() {
		for _, draw := range r.charts() {
			c := new(canvas)
			height := draw(c, wideChart)
			for _, e := range decodeSVG(t, "<svg>"+c.b.String()+"</svg>") {
				x, y := e.number("x"), e.number("y")
				if x < 0 || x+e.number("width") > wideChart || y < 0 || y+e.number("height") > height {
					t.Errorf("%s: %v is outside of %d x %g", name, e, wideChart, height)
				}
			}
		}
	}
}
