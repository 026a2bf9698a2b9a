package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/page"
)

// rollingOut is a rollout of app-00002 at 20 percent, which the Route shows.
func rollingOut(edits ...func(*v1beta1.CanaryStatus)) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "app"}}
	c.Status = v1beta1.CanaryStatus{
		Phase: v1beta1.PhaseProgressing, LastPromotedSpec: "app-00001", LastAppliedSpec: "app-00002", Traffic: shown("app-00002 canary 20", "app-00001 primary 80"),
		Analysis: &v1beta1.AnalysisStatus{PrimaryRevision: "app-00001", CanaryRevision: "app-00002", Stage: v1beta1.StageMeasuring, Weight: 20},
	}
	for _, edit := range edits {
		edit(&c.Status)
	}
	return c
}

func in(phase v1beta1.Phase) func(*v1beta1.CanaryStatus) {
	return func(s *v1beta1.CanaryStatus) { s.Phase = phase }
}

func promotedTo(revision string) func(*v1beta1.CanaryStatus) {
	return func(s *v1beta1.CanaryStatus) { s.LastPromotedSpec = revision }
}

func routed(entries ...string) func(*v1beta1.CanaryStatus) {
	return func(s *v1beta1.CanaryStatus) { s.Traffic = shown(entries...) }
}

func keeping(s *v1beta1.CanaryStatus) { s.KeptShares = shown("app-00000  30", "app-00001  10") }

func words(shares []page.Share) string {
	var parts []string
	for _, s := range shares {
		parts = append(parts, fmt.Sprint(s.Percent, " ", s.Revision))
	}
	return strings.Join(parts, ", ")
}

// The page shows the Route's division, and the decided one where that is
// another.
func TestPageShowsWhatTheRouteShows(t *testing.T) {
	suspended, deleted := rollingOut(routed("app-00003  100")), rollingOut(routed("app-00003  100"))
	suspended.Spec.Suspend = true
	now := metav1.Now()
	deleted.DeletionTimestamp = &now
	for name, tc := range map[string]struct {
		canary          *v1beta1.Canary
		traffic, wanted string
		wantedWeight    int
	}{
		"as decided":                     {rollingOut(), "80 app-00001, 20 app-00002", "", 20},
		"the next step":                  {rollingOut(routed("app-00001 primary 90", "app-00002 canary 10")), "90 app-00001, 10 app-00002", "80 app-00001, 20 app-00002", 20},
		"a third revision, in two parts": {rollingOut(routed("app-00000 mine 10", "app-00003  5", "app-00000  5", "app-00002 canary 0", "app-00001 primary 80", "app-00004 preview 0")), "80 app-00001, 0 app-00002, 15 app-00000, 5 app-00003", "80 app-00001, 20 app-00002", 20},
		"the Route was not seen":         {rollingOut(routed()), "", "", 20},
		"finalising":                     {rollingOut(in(v1beta1.PhaseFinalising), promotedTo("app-00002"), routed("app-00001 primary 0", "app-00002 canary 100")), "100 app-00002, 0 app-00001", "", 0},
		"promoted, and changed":          {rollingOut(in(v1beta1.PhaseSucceeded), promotedTo("app-00002"), routed("app-00001  100")), "100 app-00001", "100 app-00002", 0},
		"failed, and changed":            {rollingOut(in(v1beta1.PhaseFailed)), "80 app-00001, 20 app-00002", "100 app-00001", 0},
		"others keep their shares":       {rollingOut(in(v1beta1.PhaseInitialized), keeping, routed("app-00001 primary 70", "app-00000  30")), "70 app-00001, 30 app-00000", "", 30},
		"others have lost their shares":  {rollingOut(in(v1beta1.PhaseInitialized), keeping, routed("app-00001 primary 100")), "100 app-00001", "70 app-00001, 30 app-00000", 30},
		"decided, and not yet pinned":    {rollingOut(in(v1beta1.PhaseInitializing)), "80 app-00001, 20 app-00002", "100 app-00001", 0},
		"nothing was pinned ever":        {rollingOut(in(v1beta1.PhaseInitialized), promotedTo("")), "20 app-00002, 80 app-00001", "", 0},
		"suspended":                      {suspended, "100 app-00003", "", 0},
		"deleted":                        {deleted, "100 app-00003", "", 0},
	} {
		r := row(tc.canary)
		if words(r.Traffic) != tc.traffic || words(r.Wanted) != tc.wanted || r.WantedWeight != tc.wantedWeight {
			t.Errorf("%s: the Route shows %q, wanted is %q with a weight of %d; want %q, %q, %d",
				name, words(r.Traffic), words(r.Wanted), r.WantedWeight, tc.traffic, tc.wanted, tc.wantedWeight)
		}
	}
}

func TestPageSaysWhyTheRouteIsNotAsDecided(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	for name, tc := range map[string]struct {
		conditions []v1beta1.Condition
		why        string
		since      time.Time
	}{
		"no condition": {nil, "", time.Time{}},
		"it is":        {[]v1beta1.Condition{{Type: v1beta1.ConditionTrafficApplied, Status: corev1.ConditionTrue, Message: "fine", LastTransitionTime: at}}, "", time.Time{}},
		"not known":    {[]v1beta1.Condition{{Type: v1beta1.ConditionTrafficApplied, Status: corev1.ConditionUnknown, LastTransitionTime: at}}, "", time.Time{}},
		"it is not":    {[]v1beta1.Condition{{Type: v1beta1.ConditionTrafficApplied, Status: corev1.ConditionFalse, Message: "by kubectl", LastTransitionTime: at}}, "by kubectl", at.Time},
		"no message":   {[]v1beta1.Condition{{Type: v1beta1.ConditionTrafficApplied, Status: corev1.ConditionFalse}}, "the Route does not show the division that Serin has decided on", time.Time{}},
	} {
		canary := rollingOut(func(s *v1beta1.CanaryStatus) { s.Conditions = tc.conditions })
		if a := trafficApplied(canary); a != nil && a.Since != nil && a.Since.IsZero() {
			t.Errorf("%s: the API says that it is so since the year 1", name)
		}
		r := row(canary)
		if r.NotApplied != tc.why || !r.NotAppliedSince.Equal(tc.since) {
			t.Errorf("%s: %q since %v, want %q since %v", name, r.NotApplied, r.NotAppliedSince, tc.why, tc.since)
		}
	}
}

// A button is about the revision of its command: where no rollout runs that is
// not the one that was analysed last.
func TestButtonsNameTheirRevisions(t *testing.T) {
	said := map[string]string{}
	for _, b := range append(buttons(changed()), buttons(rollingOut())...) {
		said[b.Label+" for "+b.For] = b.Confirm
	}
	for button, confirm := range map[string]string{
		"Retry for changed-00004":     "Rolls changed-00004 out again, from the beginning.",
		"Roll back for changed-00003": "Takes changed-00003 to 0 % now and gives all traffic to changed-00002, or if that is gone to changed-00001, until the next push.",
		"Promote for app-00002":       "Gives app-00002 all traffic now, without further checks.",
		"Abort for app-00002":         "Takes app-00002 back to 0 % now.",
		"Roll back for app-00002":     "Takes app-00002 to 0 % now and gives all traffic to app-00001, until the next push.",
		"Pause for ":                  "",
	} {
		if got, ok := said[button]; !ok || got != confirm {
			t.Errorf("the button %q asks %q, want %q", button, got, confirm)
		}
		delete(said, button)
	}
	if len(said) > 0 {
		t.Errorf("there are more buttons: %v", said)
	}
}
