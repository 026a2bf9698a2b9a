package report

import (
	_ "embed" // the style sheet
	"fmt"
	"slices"
	"strings"
)

// chartCSS refers to colours as var(--name).
//
//go:embed chart.css
var chartCSS string

// colour is one for light and one for dark surroundings.
type colour struct{ name, light, dark string }

// seriesColours are those of the targets: blue and orange first, which people
// who see red and green alike tell apart (Okabe and Ito, "Color Universal
// Design", 2008), darker on white and lighter on black.
var seriesColours = []colour{
	{"s0", "#0072b2", "#56b4e9"},
	{"s1", "#d55e00", "#f0a030"},
	{"s2", "#008f68", "#2fc79a"},
	{"s3", "#b0508a", "#e39bc6"},
	{"s4", "#6b5b00", "#e5d84a"},
	{"s5", "#555555", "#c0c0c0"},
}

var surfaceColours = []colour{
	{"bg", "#ffffff", "#14171b"},
	{"fg", "#1b1f24", "#e4e7eb"},
	{"muted", "#5c6570", "#9aa4af"},
	{"grid", "#e6e9ec", "#2a2f36"},
	{"axis", "#aab2bb", "#525b66"},
	{"panel", "#f5f7f8", "#1c2026"},
	{"limited", "#fdf2dc", "#2f2817"},
	{"warn", "#b35900", "#f0a030"},
}

// colours are all of them.
func colours() []colour { return slices.Concat(surfaceColours, seriesColours) }

// chartStyle is the style sheet of the charts.
func chartStyle() string {
	var b strings.Builder
	b.WriteString(chartCSS)
	for _, c := range seriesColours {
		fmt.Fprintf(&b, ".%s{stroke:var(--%s)}\n.f%s{fill:var(--%s)}\n", c.name, c.name, c.name[1:], c.name)
	}
	return b.String()
}

// lightStyle has the light colours in place, for viewers that know no
// variables.
func lightStyle() string {
	var pairs []string
	for _, c := range colours() {
		pairs = append(pairs, "var(--"+c.name+")", c.light)
	}
	return strings.NewReplacer(pairs...).Replace(chartStyle())
}

// variables declare the colours for a page.
func variables(dark bool) string {
	var b strings.Builder
	for _, c := range colours() {
		value := c.light
		if dark {
			value = c.dark
		}
		fmt.Fprintf(&b, "--%s:%s;", c.name, value)
	}
	return b.String()
}
