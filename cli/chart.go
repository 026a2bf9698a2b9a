package cli

import (
	"math"
	"strings"
)

var eighths = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values as bars from 0 to the highest of them, the last so
// many if there are more.
func sparkline(values []float64, columns int) string {
	values = values[max(0, len(values)-columns):]
	top := 0.0
	for _, v := range values {
		if isValue(v) {
			top = max(top, v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		switch {
		case !isValue(v):
			b.WriteRune(' ')
		case top == 0:
			b.WriteRune(eighths[0])
		default:
			b.WriteRune(eighths[int(math.Round(max(v, 0)/top*float64(len(eighths)-1)))])
		}
	}
	return b.String()
}

func isValue(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// bar draws a percent of so many columns. Any percent but 0 is seen.
func bar(percent int64, columns int) string {
	percent = min(max(percent, 0), 100)
	full := int(percent) * columns / 100
	if percent > 0 {
		full = max(full, 1)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", columns-full)
}
