package report

import (
	"fmt"
	"strings"

	"github.com/serin-dev/serin/measure"
)

// note is what a reader has to know in order not to be misled by the figures.
type note struct {
	title, text string
	warning     bool // the figures are not about the target
}

// notes are what the outputs for people say besides figures: at most one of
// each kind, for all the targets that it is about.
func (r *Run) notes() []note {
	var out []note
	if r.empty() {
		return append(out, note{"No answer and no error was recorded", "There is nothing to say about latency or success.", true})
	}
	if r.Closed {
		out = append(out, r.closedNote())
	}
	if late := r.those((*Target).limited); len(late) > 0 {
		out = append(out, r.limitedNote(late))
	}
	if n := r.tally(func(t *Target) int64 { return t.total().Waited }); n != "" {
		out = append(out, r.waitedNote(n))
	}
	if n := r.tally(func(t *Target) int64 { return t.total().Response.Saturated() }); n != "" {
		limit := span(measure.MaxLatency)
		text := "Counted as " + limit + " each: the mean and the highest percentiles are too low."
		out = append(out, note{title: n + " took longer than " + limit, text: text})
	}
	return out
}

// closedNote says what a closed loop cannot see.
func (r *Run) closedNote() note {
	who := "workers, each of which"
	if r.Workers > 0 {
		who = plural(int64(r.Workers), "worker, which", who)
	}
	return note{
		title: "Closed loop: response time is service time here",
		text: "The load came from " + who + " waited for its answer before it sent again. " +
			"So a server that stalls delays the very requests that would have shown the stall: " +
			"users who would arrive meanwhile are not in these figures, and the high percentiles come out too low. " +
			"Use -rate for an open loop.",
	}
}

// limitedNote is about the targets that got their requests late.
func (r *Run) limitedNote(late []*Target) note {
	var cases []string
	for _, t := range late {
		lag := "lag p99 " + latencyOf(&t.total().Lag, 0.99) + r.of(t)
		if t.Limited > 0 && t.Intervals > 0 {
			lag = fmt.Sprintf("in %s of %s, %s", count(int64(t.Limited)), plural(int64(t.Intervals), "interval", "intervals"), lag)
		}
		cases = append(cases, lag)
	}
	text := "It sent requests later than intended though a connection was free: " + strings.Join(cases, "; ") + ". "
	if cpu := r.cpu(); cpu != "" {
		text += "It used " + cpu + ". "
	}
	return note{
		title: "The generator could not keep up",
		text: text + "Response times say more about this machine than about the target. " +
			"Lower -rate, give more -cpus, or run less on this machine.",
		warning: true,
	}
}

func (r *Run) waitedNote(requests string) note {
	text := "All connections were busy when they were due"
	if r.Workers > 0 {
		text = fmt.Sprintf("All %d connections were busy when they were due", r.Workers)
	}
	return note{
		title: requests + " waited for a free connection",
		text:  text + ". Their wait is part of the response time. If the target is meant to take more at once, raise -c.",
	}
}

// those are the targets of which is is true.
func (r *Run) those(is func(*Target) bool) []*Target {
	var out []*Target
	for i := range r.Targets {
		if is(&r.Targets[i]) {
			out = append(out, &r.Targets[i])
		}
	}
	return out
}

// tally says how many requests of which targets something is true of: 3
// requests (A), 1 request (B). It is empty for none.
func (r *Run) tally(of func(*Target) int64) string {
	var out []string
	for _, t := range r.those(func(t *Target) bool { return of(t) > 0 }) {
		out = append(out, plural(of(t), "request", "requests")+r.of(t))
	}
	return strings.Join(out, ", ")
}

// of names the target where there are several.
func (r *Run) of(t *Target) string {
	if len(r.Targets) < 2 {
		return ""
	}
	for i := range r.Targets {
		if t == &r.Targets[i] {
			return " (" + letter(i) + ")"
		}
	}
	return ""
}

// letter is the short name of the target i: A to Z, and then T27.
func letter(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return fmt.Sprintf("T%d", i+1)
}

// cpu is what the generator used, and empty if that is not known.
func (r *Run) cpu() string {
	if r.CPUs <= 0 {
		return ""
	}
	return fmt.Sprintf("%.2f of %s", finite(r.CPU), plural(int64(r.CPUs), "core", "cores"))
}

// method says in a sentence how the load was made.
func (r *Run) method() string {
	bound := ""
	switch {
	case r.Workers <= 0:
	case r.Closed:
		bound = ", " + plural(int64(r.Workers), "worker", "workers")
	default:
		bound = ", at most " + plural(int64(r.Workers), "connection", "connections")
	}
	how := "Open loop"
	if r.Closed {
		how = "Closed loop"
	}
	how += bound + ", " + span(r.Elapsed)
	if cpu := r.cpu(); cpu != "" {
		how += ", generator used " + cpu
	}
	return how
}
