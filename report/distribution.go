package report

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/serin-dev/serin/measure"
)

// distribution counts response times between round latencies that are the same
// for all targets, and shows the counts as bars.
func (r *Run) distribution() table {
	bounds := r.bounds()
	if len(bounds) < 2 {
		return nil
	}
	out := table{{"Response times"}}
	for _, name := range r.letters() {
		out[0] = append(out[0], name, "")
	}
	for _, b := range bounds[1:] {
		out = append(out, []string{"up to " + roundLatency(b)})
	}
	width := max(40/len(r.Targets), 8)
	for i := range r.Targets {
		counts := countBetween(&r.Targets[i].total().Response, bounds)
		most := slices.Max(counts)
		for j, n := range counts {
			out[j+1] = append(out[j+1], count(n), drawBar(n, most, width))
		}
	}
	return out
}

// bounds are about ten round latencies that enclose all response times.
func (r *Run) bounds() []time.Duration {
	shortest, longest := time.Duration(math.MaxInt64), time.Duration(0)
	for i := range r.Targets {
		if h := &r.Targets[i].total().Response; h.Count() > 0 {
			shortest, longest = min(shortest, h.Min()), max(longest, h.Max())
		}
	}
	if longest == 0 {
		return nil
	}
	lo, hi := shortest.Seconds(), longest.Seconds()
	ticks := linearTicks(lo, hi, 10)
	switch {
	case longest > 1000*shortest:
		ticks = logTicks(lo, hi, 1)
	case longest > 5*shortest:
		ticks = logTicks(lo, hi, 1, 2, 5)
	}
	out := make([]time.Duration, len(ticks))
	for i, t := range ticks {
		out[i] = seconds(t)
	}
	return out
}

// countBetween counts the latencies over each bound and up to the next one; the
// first count includes its lower bound, and the last one what saturated.
func countBetween(h *measure.Histogram, bounds []time.Duration) []int64 {
	out := make([]int64, len(bounds)-1)
	last := len(out) - 1
	above := h.Count()
	for i, b := range bounds[1 : last+1] {
		next := h.CountAbove(b)
		out[i] = above - next
		above = next
	}
	out[last] = above
	return out
}

// eighths are bars of an eighth to seven eighths of a column, and a whole one.
var eighths = []rune("▏▎▍▌▋▊▉█")

// drawBar draws n where most takes the whole width. What is more than nothing
// is seen.
func drawBar(n, most int64, width int) string {
	if n <= 0 {
		return ""
	}
	length := max(int(math.Round(8*float64(width)*float64(n)/float64(most))), 1)
	out := strings.Repeat(string(eighths[7]), length/8)
	if rest := length % 8; rest > 0 {
		out += string(eighths[rest-1])
	}
	return out
}

func isBar(cell string) bool { return strings.ContainsAny(cell, string(eighths)) }
