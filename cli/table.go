package cli

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/serin-dev/serin/api/v1beta1"
)

// tableOptions say which columns there are.
type tableOptions struct {
	namespaces bool // of several namespaces
	wide       bool
}

// column is one of the table.
type column struct {
	title string
	cell  func(*v1beta1.Canary, time.Time) string
}

func columnsFor(o tableOptions) []column {
	columns := []column{
		{"NAME", func(c *v1beta1.Canary, _ time.Time) string { return c.Name }},
		{"SERVICE", func(c *v1beta1.Canary, _ time.Time) string { return c.Spec.TargetRef.Name }},
		{"PHASE", func(c *v1beta1.Canary, _ time.Time) string { return string(phase(c)) }},
		{"WEIGHT", func(c *v1beta1.Canary, _ time.Time) string { return weight(c) }},
		{"STAGE", func(c *v1beta1.Canary, _ time.Time) string { return orDash(string(stage(c))) }},
		{"CHECKS", func(c *v1beta1.Canary, _ time.Time) string { return failedChecks(c) }},
		{"VERDICT", func(c *v1beta1.Canary, _ time.Time) string { return verdict(c) }},
		{"AGE", age},
	}
	if o.namespaces {
		columns = slices.Insert(columns, 0, column{"NAMESPACE", func(c *v1beta1.Canary, _ time.Time) string { return c.Namespace }})
	}
	if o.wide {
		columns = append(columns,
			column{"PRIMARY", func(c *v1beta1.Canary, _ time.Time) string { return orDash(c.Status.LastPromotedSpec) }},
			column{"CANARY", func(c *v1beta1.Canary, _ time.Time) string { return orDash(revision(c)) }},
			column{"HELD", func(c *v1beta1.Canary, _ time.Time) string { return orDash(held(c)) }})
	}
	return append(columns, column{"MESSAGE", func(c *v1beta1.Canary, _ time.Time) string { return remark(c) }})
}

// table is a line for each Canary. The message is last, and is what a narrow
// screen cuts.
func table(canaries []*v1beta1.Canary, o tableOptions, now time.Time) page {
	columns := columnsFor(o)
	rows := make([][]string, 0, len(canaries))
	for _, c := range canaries {
		row := make([]string, 0, len(columns))
		for _, col := range columns {
			row = append(row, clean(col.cell(c, now)))
		}
		rows = append(rows, row)
	}
	head := make(line, 0, len(columns))
	p := page{nil}
	for range rows {
		p = append(p, nil)
	}
	for i, col := range columns {
		width := utf8.RuneCountInString(col.title)
		for _, row := range rows {
			width = max(width, utf8.RuneCountInString(row[i]))
		}
		head = append(head, faint(pad(col.title, width+2)))
		for n, row := range rows {
			p[n+1] = append(p[n+1], span{pad(row[i], width+2), cellColor(col.title, canaries[n])})
		}
	}
	p[0] = head
	return p
}

func cellColor(title string, c *v1beta1.Canary) color {
	switch title {
	case "PHASE":
		return phaseColor(phase(c))
	case "WEIGHT":
		if message, _ := notApplied(c); message != "" {
			return yellowColor
		}
		return plainColor
	case "VERDICT":
		return verdictColor(verdict(c))
	default:
		return plainColor
	}
}

func verdictColor(verdict string) color {
	switch verdict {
	case "pass":
		return greenColor
	case "fail":
		return redColor
	default:
		return plainColor
	}
}

func verdict(c *v1beta1.Canary) string {
	if c.Status.Analysis == nil {
		return "-"
	}
	return orDash(c.Status.Analysis.Verdict)
}

// failedChecks counts against the threshold.
func failedChecks(c *v1beta1.Canary) string {
	return fmt.Sprintf("%d/%d", c.Status.FailedChecks, c.Spec.Analysis.ThresholdOrDefault())
}

// age is how long the phase has been what it is.
func age(c *v1beta1.Canary, now time.Time) string {
	since := c.Status.LastTransitionTime.Time
	if since.IsZero() {
		since = c.CreationTimestamp.Time
	}
	if since.IsZero() {
		return "-"
	}
	return howLong(now.Sub(since))
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
