package report

import (
	"io"
	"slices"
	"strings"

	"github.com/serin-dev/serin/measure"
)

// Text writes a summary for people, at most 80 columns wide for one target or
// two.
func Text(w io.Writer, r *Run) error {
	var b strings.Builder
	writeHead(&b, r)
	writeTable(&b, r.totals())
	writeTable(&b, r.latencies())
	writeTable(&b, r.distribution())
	writeTable(&b, r.answers())
	for _, n := range r.notes() {
		b.WriteString("\n" + n.heading() + "\n" + wrap(n.text, 76, "  "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeHead(b *strings.Builder, r *Run) {
	for i := range r.Targets {
		if len(r.Targets) > 1 {
			b.WriteString(letter(i) + "  ")
		}
		b.WriteString(printable(r.Targets[i].Name) + "\n")
	}
	b.WriteString(r.method() + "\n")
}

func (n note) heading() string {
	if n.warning {
		return "WARNING: " + n.title
	}
	return "Note: " + n.title
}

// totals has a column for each target.
func (r *Run) totals() table {
	out := table{append([]string{"Totals"}, r.letters()...), {"requests"}, {"succeeded"}, {"failed"}, {"rate"}, {"rate intended"}, {"redirects"}, {"waited"}}
	for i := range r.Targets {
		t := &r.Targets[i]
		total, intended := t.total(), none
		if t.RateIntended > 0 {
			intended = rate(t.RateIntended)
		}
		for j, cell := range []string{
			count(total.Requests()), success(total), count(total.Failures), rate(r.rateAchieved(t)), intended,
			count(total.Redirects), count(total.Waited),
		} {
			out[j+1] = append(out[j+1], cell)
		}
	}
	for i := 1; i < len(r.Targets); i++ {
		out[0] = append(out[0], versus(i))
		points := none
		if diff := compare(&r.Targets[0], &r.Targets[i]).successPoints(); diff != nil {
			points = signed(*diff, " points")
		}
		out[2] = append(out[2], points)
	}
	return out
}

// latencies are response, service and lag of a single target, or the response
// times of several, side by side.
func (r *Run) latencies() table {
	switch {
	case r.empty():
		return nil
	case len(r.Targets) > 1:
		return r.responses()
	}
	total := r.Targets[0].total()
	return latencyTable([]string{"Latency", "response", "service", "lag"}, &total.Response, &total.Service, &total.Lag)
}

// responses are those of all targets, with what each further one differs from
// the first by.
func (r *Run) responses() table {
	head, histograms := []string{"Response time"}, []*measure.Histogram{}
	for i := range r.Targets {
		head = append(head, letter(i))
		histograms = append(histograms, &r.Targets[i].total().Response)
	}
	out := latencyTable(head, histograms...)
	for i := 1; i < len(r.Targets); i++ {
		out[0] = append(out[0], versus(i))
		relation := compare(&r.Targets[0], &r.Targets[i])
		for j, q := range tableQuantiles() {
			out[j+1] = append(out[j+1], change(relation.ratio(q.q)))
		}
	}
	return out
}

// versus heads the column that relates the target i to the first.
func versus(i int) string { return letter(i) + " vs " + letter(0) }

// tableQuantiles are all that a table shows.
func tableQuantiles() []quantile {
	return slices.Concat([]quantile{{0, "min"}}, quantiles, []quantile{{1, "max"}})
}

func latencyTable(head []string, histograms ...*measure.Histogram) table {
	out := table{head}
	for _, q := range tableQuantiles() {
		row := []string{q.label}
		for _, h := range histograms {
			row = append(row, latencyOf(h, q.q))
		}
		out = append(out, row)
	}
	mean := []string{"mean"}
	for _, h := range histograms {
		mean = append(mean, meanOf(h))
	}
	return append(out, mean)
}

func meanOf(h *measure.Histogram) string {
	if h.Count() == 0 {
		return none
	}
	return latency(h.Mean())
}

// answers are the status codes and errors, with a column for each target.
func (r *Run) answers() table {
	out := table{append([]string{"Answers"}, r.letters()...)}
	for _, o := range r.outcomes() {
		row := []string{o.String()}
		for i := range r.Targets {
			row = append(row, count(r.Targets[i].total().Outcomes[o]))
		}
		out = append(out, row)
	}
	if len(out) == 1 {
		return nil
	}
	return out
}

// outcomes are all that occurred: status codes, and then errors.
func (r *Run) outcomes() []measure.Outcome {
	var out []measure.Outcome
	for i := range r.Targets {
		for o := range r.Targets[i].total().Outcomes {
			if !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	slices.SortFunc(out, func(a, b measure.Outcome) int {
		if (a.Code() > 0) != (b.Code() > 0) {
			return b.Code() - a.Code()
		}
		return max(int(a), -int(a)) - max(int(b), -int(b))
	})
	return out
}

// letters are the targets' short names, where there are several.
func (r *Run) letters() []string {
	if len(r.Targets) < 2 {
		return []string{""}
	}
	var out []string
	for i := range r.Targets {
		out = append(out, letter(i))
	}
	return out
}
