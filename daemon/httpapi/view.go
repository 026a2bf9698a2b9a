package httpapi

import (
	"slices"
	"strings"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/fault"
	"github.com/serin-dev/serin/daemon/history"
)

// summary is a Canary in a list. Its form is part of the API: openapi.yaml.
type summary struct {
	Namespace string        `json:"namespace"`
	Name      string        `json:"name"`
	Service   string        `json:"service"`
	Phase     v1beta1.Phase `json:"phase"`
	Stage     v1beta1.Stage `json:"stage,omitempty"`
	// WeightPercent and Traffic are what the Route was seen to show.
	WeightPercent int32                  `json:"weightPercent"`
	Traffic       []v1beta1.TrafficShare `json:"traffic"`
	// WantedWeightPercent is what is wanted for CanaryRevision while a rollout
	// runs.
	WantedWeightPercent *int32            `json:"wantedWeightPercent,omitempty"`
	TrafficApplied      *applied          `json:"trafficApplied,omitempty"`
	FailedChecks        int32             `json:"failedChecks"`
	Threshold           int32             `json:"threshold"`
	Iterations          int32             `json:"iterations,omitempty"`
	PrimaryRevision     string            `json:"primaryRevision,omitempty"`
	CanaryRevision      string            `json:"canaryRevision,omitempty"`
	Verdict             string            `json:"verdict,omitempty"`
	Message             string            `json:"message,omitempty"`
	WaitingFor          string            `json:"waitingFor,omitempty"`
	Paused              bool              `json:"paused,omitempty"`
	Suspended           bool              `json:"suspended,omitempty"`
	Since               *time.Time        `json:"since,omitempty"` // the phase
	Next                *time.Time        `json:"next,omitempty"`
	Primary             *v1beta1.Measured `json:"primary,omitempty"`
	Canary              *v1beta1.Measured `json:"canary,omitempty"`
	Commands            []string          `json:"commands"` // that make sense now
}

// details are all that is known of a Canary.
type details struct {
	summary
	Started *time.Time             `json:"started,omitempty"`
	Plan    *v1beta1.PlanStatus    `json:"plan,omitempty"`
	Metrics []v1beta1.MetricStatus `json:"metrics,omitempty"`
	Weights []level                `json:"weights,omitempty"`
	Checks  []check                `json:"checks,omitempty"`
	Events  []event                `json:"events,omitempty"`
	Faults  []fault.Rule           `json:"faults,omitempty"`
}

type level struct {
	Time    time.Time `json:"time"`
	Percent int32     `json:"percent"`
}

type check struct {
	Time          time.Time              `json:"time"`
	WeightPercent int32                  `json:"weightPercent"`
	Verdict       string                 `json:"verdict"`
	Metrics       []v1beta1.MetricStatus `json:"metrics,omitempty"`
}

type event struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Message string    `json:"message"`
}

func summarize(c *v1beta1.Canary) summary {
	s := summary{
		Namespace: c.Namespace, Name: c.Name, Service: c.Spec.TargetRef.Name,
		Phase: c.Status.Phase, WeightPercent: c.Status.CanaryWeight,
		Traffic: append([]v1beta1.TrafficShare{}, c.Status.Traffic...), TrafficApplied: trafficApplied(c),
		FailedChecks: c.Status.FailedChecks, Threshold: max(c.Spec.Analysis.Threshold, 1), Iterations: c.Status.Iterations,
		PrimaryRevision: c.Status.LastPromotedSpec,
		Paused:          c.Paused(), Suspended: c.Spec.Suspend,
		Commands: possible(c),
	}
	if at := c.Status.LastTransitionTime; !at.IsZero() {
		s.Since = &at.Time
	}
	if condition := c.Status.Condition(v1beta1.ConditionPromoted); condition != nil {
		s.Message = condition.Message
	}
	a := c.Status.Analysis
	if a == nil {
		return s
	}
	s.Stage, s.Verdict, s.WaitingFor = a.Stage, a.Verdict, a.WaitingFor
	s.PrimaryRevision, s.CanaryRevision = a.PrimaryRevision, a.CanaryRevision
	s.Primary, s.Canary = a.Primary, a.Canary
	if c.Running() {
		s.WantedWeightPercent = &a.Weight
	}
	if a.Message != "" || c.Running() { // else the condition says all there is
		s.Message = a.Message
	}
	if a.NextTime != nil {
		s.Next = &a.NextTime.Time
	}
	return s
}

// possible are the commands that make sense now.
func possible(c *v1beta1.Canary) []string {
	commands := []string{}
	for _, command := range v1beta1.Commands {
		if command == v1beta1.CommandPause && (c.Paused() || !c.Running()) {
			continue
		}
		if _, _, err := c.Give(command, time.Time{}); err == nil {
			commands = append(commands, command)
		}
	}
	return commands
}

// detail adds what only this daemon knows.
func (s *Server) detail(c *v1beta1.Canary) details {
	d := details{summary: summarize(c)}
	if a := c.Status.Analysis; a != nil {
		d.Plan, d.Metrics = a.Plan, a.Metrics
		d.Started = &a.StartTime.Time
	}
	key := keyOf(c)
	s.History.Look(key, func(r *history.Rollout) {
		for _, l := range r.Weights {
			d.Weights = append(d.Weights, level(l))
		}
		for _, c := range r.Checks {
			d.Checks = append(d.Checks, check{c.Time, c.Weight, c.Verdict, c.Metrics})
		}
		for _, e := range r.Events {
			d.Events = append(d.Events, event(e))
		}
	})
	d.Faults = s.Faults.List(key)
	return d
}

// byName orders Canaries.
func byName(canaries []v1beta1.Canary) {
	slices.SortFunc(canaries, func(a, b v1beta1.Canary) int {
		if order := strings.Compare(a.Namespace, b.Namespace); order != 0 {
			return order
		}
		return strings.Compare(a.Name, b.Name)
	})
}
