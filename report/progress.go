package report

import (
	"strings"
	"unicode/utf8"

	"github.com/serin-dev/serin/measure"
)

// Progress is the run so far in a line of at most width columns, for a terminal
// that is written over again and again. Where the line is too short, it leaves
// out what matters least. Several targets are summed up.
func Progress(r *Run, width int) string {
	var sum measure.Snapshot
	achieved, intended := 0.0, 0.0
	for i := range r.Targets {
		t := &r.Targets[i]
		sum.Merge(t.total())
		achieved += r.rateAchieved(t)
		intended += t.RateIntended
	}
	line := fit(progressFields(r, &sum, achieved, intended), width)
	return string([]rune(line)[:min(max(width, 0), utf8.RuneCountInString(line))])
}

// progressFields are what there is to say, the most important first.
func progressFields(r *Run, sum *measure.Snapshot, achieved, intended float64) []string {
	sent := rate(achieved)
	if intended > 0 {
		sent += " of " + rate(intended)
	}
	fields := []string{span(r.Elapsed), sent}
	if sum.Requests() == 0 {
		return append(fields, "no answers yet")
	}
	return append(fields,
		success(sum)+" ok",
		"p99 "+latencyOf(&sum.Response, 0.99),
		"p50 "+latencyOf(&sum.Response, 0.5),
		plural(sum.Failures, "failure", "failures"),
		count(sum.Requests())+" requests",
	)
}

// fit joins as many fields as there is room for.
func fit(fields []string, width int) string {
	const between = "  "
	for n := len(fields); n > 1; n-- {
		if line := strings.Join(fields[:n], between); utf8.RuneCountInString(line) <= width {
			return line
		}
	}
	return fields[0]
}
