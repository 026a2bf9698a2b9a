package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// String says what the fault does, in a sentence without the Canary.
func (f *Fault) String() string {
	var does []string
	if f.Delay != nil {
		does = append(does, "delay of "+f.Delay.String())
	}
	if f.BandwidthBytesPerSecond > 0 {
		does = append(does, fmt.Sprintf("%d bytes/s", f.BandwidthBytesPerSecond))
	}
	if f.Status != 0 {
		does = append(does, fmt.Sprintf("status %d", f.Status))
	}
	if f.Request != nil {
		does = append(does, strings.TrimSpace(f.Request.Method+" "+f.Request.Path)+" is sent instead")
	}
	for _, e := range []struct {
		is   bool
		text string
	}{{f.Reset, "reset"}, {f.Timeout, "no answer"}, {f.Truncate, "truncated answer"}} {
		if e.is {
			does = append(does, e.text)
		}
	}
	text := fmt.Sprintf("%s for %s %% of the requests to %s", strings.Join(does, " and "), number(f.Percent), f.revisions())
	if f.PathPrefix != "" {
		text += " at " + f.PathPrefix
	}
	return text
}

func (f *Fault) revisions() string {
	if f.Target == "both" {
		return "both revisions"
	}
	return "the " + f.Target + " revision"
}

// String is the delay's distribution.
func (d *Delay) String() string {
	switch d.Kind {
	case "uniform":
		return fmt.Sprintf("%s to %s ms", number(d.MinMS), number(d.MaxMS))
	case "normal":
		return fmt.Sprintf("%s ± %s ms", number(d.MeanMS), number(d.StddevMS))
	case "pareto":
		return fmt.Sprintf("%s ms and more (Pareto, shape %s)", number(d.ScaleMS), number(d.Shape))
	default:
		return fmt.Sprintf("%s ms", number(d.MS))
	}
}

// faultTable is a line for each fault.
func faultTable(faults []Fault, now time.Time) page {
	rows := [][]string{{"ID", "CANARY", "HITS", "LEFT", "FAULT"}}
	for i := range faults {
		f := &faults[i]
		left := "-"
		if f.Expires != nil {
			left = howLong(f.Expires.Sub(now))
		}
		rows = append(rows, []string{f.ID, f.Namespace + "/" + f.Name, fmt.Sprint(f.Hits), left, f.String()})
	}
	p := make(page, len(rows))
	for column := range rows[0] {
		width := 0
		for _, row := range rows {
			width = max(width, utf8.RuneCountInString(clean(row[column])))
		}
		for i, row := range rows {
			s := plain(pad(clean(row[column]), width+2))
			if i == 0 {
				s.color = faintColor
			}
			p[i] = append(p[i], s)
		}
	}
	return p
}
