package page

import (
	_ "embed" // the style sheet and the script

	"github.com/serin-dev/serin/report"
)

//go:embed serin.css
var pageCSS string

//go:embed serin.js
var script []byte

// Style is the style sheet of the pages.
func Style() []byte { return []byte(report.Style() + pageCSS) }

// Script makes the pages live. They are whole without it.
func Script() []byte { return append([]byte(nil), script...) }
