package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// narrator tells people what happens.
type narrator struct{ out io.Writer }

func (n narrator) say(format string, args ...any) { _, _ = fmt.Fprintf(n.out, format+"\n", args...) }

func (n narrator) act(format string, args ...any) { n.say("\n==> "+format, args...) }

func (n narrator) step(begin time.Time, format string, args ...any) {
	n.say("%7.1fs  %s", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
}

// narrate returns what tells of a Canary each time it has changed.
func (n narrator) narrate(begin time.Time) func(*v1beta1.Canary) {
	var last v1beta1.CanaryStatus
	var told string // the last line, not to be repeated
	first := true
	return func(c *v1beta1.Canary) {
		s := c.Status
		if !first {
			for _, line := range difference(&last, &s) {
				if line != told {
					n.step(begin, "%s", line)
				}
				told = line
			}
		}
		first, last = false, *s.DeepCopy()
	}
}

// difference puts what has changed between two statuses into words.
func difference(before, now *v1beta1.CanaryStatus) []string {
	var lines []string
	a, b := now.Analysis, before.Analysis
	newRollout := a != nil && (b == nil || a.CanaryRevision != b.CanaryRevision)
	if a != nil && !newRollout && a.Check != b.Check {
		lines = append(lines, checkLine(a, b.Check))
	}
	if a != nil && (newRollout || a.Stage != b.Stage) {
		switch a.Stage {
		case v1beta1.StageWaitingForRevision:
			lines = append(lines, fmt.Sprintf("%s is new: %s, waiting until it is ready", a.CanaryRevision, live(now, a.CanaryRevision)))
		case v1beta1.StageRollingBack:
			lines = append(lines, fmt.Sprintf("rolling back: %s", a.Message))
		case v1beta1.StageMeasuring:
			lines = append(lines, fmt.Sprintf("measuring %s against %s, %d %% of the live traffic", a.CanaryRevision, a.PrimaryRevision, a.Weight))
		default: // is over soon, or not in the guide
		}
	}
	if now.Phase != before.Phase {
		line := fmt.Sprintf("phase %s", now.Phase)
		if now.LastPromotedSpec != "" {
			line += ", primary " + now.LastPromotedSpec
		}
		lines = append(lines, line)
	}
	return lines
}

// live is the part of the live traffic that a revision was seen to get.
func live(status *v1beta1.CanaryStatus, revision string) string {
	percent := int64(0)
	for _, t := range status.Traffic {
		if t.Revision == revision {
			percent += t.Percent
		}
	}
	if percent == 0 {
		return "no live traffic"
	}
	return fmt.Sprintf("%d %% of the live traffic", percent)
}

func checkLine(a *v1beta1.AnalysisStatus, check int64) string {
	messages := make([]string, len(a.Metrics))
	for i, m := range a.Metrics {
		messages[i] = m.Message
	}
	return fmt.Sprintf("check %d: %s; %s", check, strings.ToUpper(a.Verdict), strings.Join(messages, ", "))
}

// table sums the rollouts up.
func (n narrator) table(results []result) {
	n.say("")
	w := tabwriter.NewWriter(n.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ROLLOUT\tVERDICT\tREQUESTS\tSUCCESS\tP50\tP99\tREVISION TO DECISION")
	for _, r := range results {
		a := r.status.Analysis
		if a == nil || a.Canary == nil || a.DecisionTime == nil {
			_, _ = fmt.Fprintf(w, "%s\t%s\t-\t-\t-\t-\t-\n", r.title, r.status.Phase)
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%.2f %%\t%.1f ms\t%.1f ms\t%.1f s\n", r.title, verdictOf(r.status.Phase),
			a.Canary.Requests, a.Canary.SuccessRatePercent, a.Canary.P50Milliseconds, a.Canary.P99Milliseconds,
			a.DecisionTime.Sub(a.StartTime.Time).Seconds())
	}
	_ = w.Flush()
}

func verdictOf(phase v1beta1.Phase) string {
	if phase == v1beta1.PhaseSucceeded {
		return "promoted"
	}
	return "rolled back"
}

// judge is the demo's own verdict.
func judge(results []result) error {
	var errs []error
	for _, r := range results {
		if r.status.Phase != r.want {
			errs = append(errs, fmt.Errorf("%s ended as %s, not as %s", r.title, r.status.Phase, r.want))
		}
		if r.because == "" {
			continue
		}
		if reason := failure(r.status.Analysis); !strings.Contains(reason, r.because) {
			errs = append(errs, fmt.Errorf("%s was rolled back because of %q, not of the %s", r.title, reason, r.because))
		}
	}
	return errors.Join(errs...)
}

// failure joins what the last check had against the revision.
func failure(a *v1beta1.AnalysisStatus) string {
	var messages []string
	if a != nil {
		for _, m := range a.Metrics {
			if m.Verdict == "fail" {
				messages = append(messages, m.Message)
			}
		}
	}
	return strings.Join(messages, ", ")
}
