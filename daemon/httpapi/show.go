package httpapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/history"
	"github.com/serin-dev/serin/daemon/page"
	"github.com/serin-dev/serin/report"
)

// overview is what the page of all Canaries shows.
func (s *Server) overview(ctx context.Context) (*page.Overview, error) {
	canaries, err := s.all(ctx)
	if err != nil {
		return nil, err
	}
	o := &page.Overview{Version: s.Version, Namespaces: s.served(), Now: time.Now()}
	for i := range canaries {
		o.Canaries = append(o.Canaries, row(&canaries[i]))
	}
	return o, nil
}

// served says which namespaces are.
func (s *Server) served() string {
	switch len(s.Namespaces) {
	case 0:
		return "all namespaces"
	case 1:
		return "namespace " + s.Namespaces[0]
	default:
		return "namespaces " + strings.Join(s.Namespaces, ", ")
	}
}

func row(c *v1beta1.Canary) page.Row {
	s := summarize(c)
	r := page.Row{
		Namespace: s.Namespace, Name: s.Name,
		Phase: string(s.Phase), Stage: string(s.Stage), Strategy: strategy(&c.Spec.Analysis),
		Weight: int(s.WeightPercent), FailedChecks: int(s.FailedChecks), Threshold: int(s.Threshold),
		Paused: s.Paused, Suspended: s.Suspended,
		PrimaryRevision: s.PrimaryRevision, CanaryRevision: s.CanaryRevision,
		Verdict: s.Verdict, Message: s.Message, WaitingFor: s.WaitingFor,
	}
	showTraffic(&r, c)
	if s.Service != s.Name {
		r.Service = s.Service
	}
	if s.Since != nil {
		r.Since = *s.Since
	}
	if err := c.Validate(); err != nil {
		r.Refused, r.Message = true, err.Error()
	}
	if c.Spec.Analysis.Sequential() {
		r.Threshold = 0 // a failed check ends the rollout
	}
	return r
}

// strategy says in words how the traffic is moved.
func strategy(a *v1beta1.Analysis) string {
	switch {
	case a.Iterations != nil && len(a.Match) > 0:
		return fmt.Sprintf("A/B, %d checks", *a.Iterations)
	case a.Iterations != nil:
		return fmt.Sprintf("blue/green, %d checks", *a.Iterations)
	}
	weights := a.Weights()
	if a.StepWeight != nil && len(weights) > 1 {
		return fmt.Sprintf("steps of %d%% to %d%%", *a.StepWeight, weights[len(weights)-1])
	}
	var steps []string
	for _, w := range weights {
		steps = append(steps, fmt.Sprintf("%d%%", w))
	}
	if len(steps) > 6 {
		steps = append(steps[:3], "…", steps[len(steps)-1])
	}
	return strings.Join(steps, ", ")
}

// show calls f with all that is known of a Canary, which f must not keep. It
// reports whether this daemon has seen the rollout.
func (s *Server) show(canary *v1beta1.Canary, f func(*page.Canary)) (seen bool) {
	c := &page.Canary{Row: row(canary), Version: s.Version, Now: time.Now(), Commands: buttons(canary)}
	if a := canary.Status.Analysis; a != nil {
		c.Began = a.StartTime.Time
		if a.Plan != nil {
			c.Plan = a.Plan.Message
		}
		if a.NextTime != nil {
			c.NextTime = a.NextTime.Time
		}
	}
	for _, rule := range s.Faults.List(keyOf(canary)) {
		c.Faults = append(c.Faults, page.Fault{ID: rule.ID, Text: rule.String(), Expires: *rule.Expires, Hits: rule.Hits})
	}
	seen = s.History.Look(keyOf(canary), func(r *history.Rollout) {
		if a := canary.Status.Analysis; a == nil || a.CanaryRevision != r.Canary {
			return // the cache is behind
		}
		remember(c, r)
		f(c)
	})
	if !seen || len(c.Load.Targets) == 0 {
		f(c)
		return false
	}
	return true
}

// remember adds what is remembered of the rollout.
func remember(c *page.Canary, r *history.Rollout) {
	c.Ended = r.Ended
	if late := r.Since.Sub(r.Began); late > 5*time.Second { // as the status is written a moment later anyway
		c.MeasuredSince = r.Since
	}
	c.Load = r.Run
	for _, l := range r.Weights {
		c.Load.Weights = append(c.Load.Weights, report.Level{At: l.Time.Sub(r.Since), Percent: int(l.Percent)})
	}
	for i, check := range r.Checks {
		shown := page.Check{Time: check.Time, Number: int64(i + 1), Weight: int(check.Weight), Verdict: check.Verdict}
		for _, m := range check.Metrics {
			shown.Metrics = append(shown.Metrics, page.Metric{Name: m.Name, Verdict: m.Verdict, Message: m.Message, Explanation: m.Explanation})
		}
		c.Checks = append(c.Checks, shown)
	}
	for _, e := range r.Events {
		if n := len(c.Events); n > 0 && c.Events[n-1].Message == e.Message {
			c.Events[n-1].Count++
			c.Events[n-1].Time = e.Time
			continue
		}
		c.Events = append(c.Events, page.Event{Time: e.Time, Type: e.Type, Message: e.Message, Count: 1})
	}
}

// buttons are the commands that make sense now.
func buttons(canary *v1beta1.Canary) []page.Command {
	var out []page.Command
	for _, name := range possible(canary) {
		b := page.Command{Name: name, Label: strings.ToUpper(name[:1]) + name[1:]}
		revision := canary.Subject(name)
		switch name {
		case v1beta1.CommandPromote:
			b.Confirm, b.For = fmt.Sprintf("Gives %s all traffic now, without further checks.", revision), revision
		case v1beta1.CommandAbort:
			b.Confirm, b.For = fmt.Sprintf("Takes %s back to 0 %% now.", revision), revision
		case v1beta1.CommandRetry:
			b.Confirm, b.For = fmt.Sprintf("Rolls %s out again, from the beginning.", revision), revision
		case v1beta1.CommandRollback:
			b.Label, b.For = "Roll back", revision
			b.Confirm = fmt.Sprintf("Takes %s to 0 %% now and gives all traffic to %s, until the next push.",
				revision, strings.Join(canary.Previous(), ", or if that is gone to "))
		case v1beta1.CommandApprove:
			b.For = revision
		}
		out = append(out, b)
	}
	return out
}
