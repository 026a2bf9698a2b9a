package page

import (
	"fmt"
	"strconv"
	"time"
)

// stages say in words what a rollout does or waits for.
var stages = map[string]string{
	"ConfirmRollout":         "Waits for approval to begin",
	"WaitingForRevision":     "Waits until the revision is ready",
	"WaitingForRoute":        "Waits until the Route follows",
	"PreRollout":             "Calls the pre-rollout hooks",
	"Measuring":              "Measures both revisions",
	"ConfirmTrafficIncrease": "Waits for approval of the next step",
	"ConfirmPromotion":       "Waits for approval of the promotion",
	"Watching":               "Compares the new revision with the old for a while longer",
	"RollingBack":            "Gives all traffic back",
	"PostRollout":            "Calls the post-rollout hooks",
}

// stage is in words; one that is not known is as it is.
func (r *Row) stage() string {
	if words, ok := stages[r.Stage]; ok {
		return words
	}
	return name(r.Stage)
}

// phases are written as people do.
var phases = map[string]string{
	"":                 "New",
	"WaitingPromotion": "Waiting for promotion",
	"Waiting":          "Waiting for approval",
	"Finalising":       "Finishing",
}

// phase is in words.
func (r *Row) phase() string {
	switch words, ok := phases[r.Phase]; {
	case r.Refused:
		return "Refused"
	case r.Suspended:
		return "Suspended"
	case r.Paused && !r.resting():
		return "Paused"
	case ok:
		return words
	}
	return name(r.Phase)
}

// verdictWord is a verdict as a heading.
func verdictWord(verdict string) string {
	switch verdict {
	case "pass":
		return "Pass"
	case "fail":
		return "Fail"
	case "inconclusive":
		return "Inconclusive"
	}
	return name(verdict)
}

// ago is the time from then to now, in one unit: what changes every second
// would be sent every second.
func ago(then, now time.Time) string {
	d := now.Sub(then)
	switch {
	case then.IsZero():
		return ""
	case d < time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// clock is the time of day, with the day where it is not now's, and with the
// year where there is no now.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if now.IsZero() {
		return t.Format("2 Jan 2006 15:04:05")
	}
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("2 Jan 15:04:05")
}

// when is a <time> element.
func when(t, now time.Time) trusted {
	if t.IsZero() {
		return ""
	}
	return part(func(m *markup) {
		m.add(`<time datetime="%s">%s</time>`, t.UTC().Format(time.RFC3339), clock(t, now))
	})
}

// lasted is a duration in its two largest units.
func lasted(d time.Duration) string {
	s := int64(max(d, 0).Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
}

// plural is n of something.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
