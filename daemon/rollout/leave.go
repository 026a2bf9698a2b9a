package rollout

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// Left is what a Canary notes on its Service, so that what it did can be undone
// when it is gone, by whichever daemon sees that first. No Canary waits for it.
type Left struct {
	// Canary and UID are those of the Canary.
	Canary string    `json:"canary"`
	UID    types.UID `json:"uid"`
	// Revert says that the traffic found at initialization is given back.
	Revert bool `json:"revertOnDeletion,omitempty"`
	// Failed are the revisions that were rolled back.
	Failed []string `json:"failed,omitempty"`
	// Initial is the division that was found at initialization. Problem says why it
	// cannot be read; empty where it can.
	Initial []Target `json:"-"`
	Problem string   `json:"-"`
}

// Departure is what to do about a Service whose Canary is gone. In any case
// Serin's annotations go, and the user's tags come back, in the same write.
type Departure struct {
	// Restore gives the Service back the traffic found at initialization.
	Restore bool
	// Primary is pinned alone, which ends a rollout that ran. Where it is empty,
	// the division stays as it is.
	Primary string
	Events  []Event
}

// Leave says how Serin leaves a Service whose Canary is gone. Users stay with the
// primary revision, unless the traffic found at initialization is to be given back
// and can be: its revisions exist and are ready, and none that gets users was
// rolled back.
func Leave(s *Service, name string) Departure {
	var d Departure
	primary, _ := s.tag(PrimaryTag)
	if _, runs := s.tag(CanaryTag); runs && primary == s.AnnotatedPrimary && s.ready(primary) {
		d.Primary = primary
	}
	d.Events = append(d.Events, normal("Terminating canary "+name))
	if s.Left.Revert {
		if why := s.unrestorable(); why != "" {
			d.Events = append(d.Events, warning(fmt.Sprintf("The traffic found at the initialization of %s is not given back: %s; %s stays pinned", name, why, orNobody(s.AnnotatedPrimary))).loud(Warn))
		} else {
			d.Restore = true
			d.Events = append(d.Events, normal(fmt.Sprintf("The traffic found at the initialization of %s is given back", name)))
		}
	}
	d.Events = append(d.Events, normal("Terminated canary "+name))
	return d
}

// unrestorable says why the traffic found at initialization cannot be given back.
func (s *Service) unrestorable() string {
	if s.Left.Problem != "" {
		return s.Left.Problem
	}
	initial := s.Left.Initial
	if len(initial) == 0 { // Knative's default
		initial = []Target{{Percent: 100}}
	}
	for _, t := range initial {
		revision := t.Revision
		if revision == "" {
			revision = s.LatestReady
		}
		switch {
		case !s.exists(revision):
			return fmt.Sprintf("revision %s does not exist any more", orNobody(revision))
		case !s.ready(revision):
			return fmt.Sprintf("revision %s is not ready", revision)
		case t.Percent > 0 && slices.Contains(s.Left.Failed, revision):
			return fmt.Sprintf("it would give users to %s, which was rolled back", revision)
		}
		if latest := s.LatestCreated; t.Revision == "" && t.Percent > 0 && slices.Contains(s.Left.Failed, latest) {
			return fmt.Sprintf("it would give users to %s, which was rolled back", latest)
		}
	}
	return ""
}

func orNobody(revision string) string {
	if revision == "" {
		return "no revision"
	}
	return revision
}
