package cli

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestWantedIsToldWhereTheRouteShowsSomethingElse(t *testing.T) {
	kept := func(c *v1beta1.Canary) {
		c.Status.KeptShares = []v1beta1.TrafficShare{{Revision: "podinfo-00000", Percent: 30}, {Revision: "podinfo-00001", Percent: 10}}
	}
	deleted := func(c *v1beta1.Canary) { now := metav1.Now(); c.DeletionTimestamp = &now }
	suspended := func(c *v1beta1.Canary) { c.Spec.Suspend = true }
	initialized := at(v1beta1.PhaseInitialized, "")
	wrong := routed(50, "podinfo-00001  50", "podinfo-00003  50")
	for name, tc := range map[string]struct {
		canary *v1beta1.Canary
		want   string
	}{
		"it shows the step":               {podinfo(), ""},
		"the next step is not there yet":  {podinfo(routed(10, "podinfo-00001 primary 90", "podinfo-00002 canary 10")), "80 podinfo-00001, 20 podinfo-00002"},
		"the canary has what it should":   {podinfo(routed(50, "podinfo-00001 primary 50", "podinfo-00002 canary 20", "podinfo-00003  30")), "80 podinfo-00001, 20 podinfo-00002"},
		"it goes back":                    {podinfo(func(c *v1beta1.Canary) { c.Status.Analysis.Weight = 0 }), "100 podinfo-00001"},
		"promoted, and shown":             {podinfo(promotedOver), ""},
		"promoted, and changed":           {podinfo(promotedOver, wrong), "100 podinfo-00002"},
		"finalising":                      {podinfo(promotedOver, at(v1beta1.PhaseFinalising, ""), wrong), "100 podinfo-00002"},
		"finalising, not yet pinned":      {podinfo(promotedOver, at(v1beta1.PhaseFinalising, ""), routed(100, "podinfo-00001 primary 0", "podinfo-00002 canary 100")), ""},
		"failed, and changed":             {podinfo(at(v1beta1.PhaseFailed, ""), wrong), "100 podinfo-00001"},
		"others keep their shares":        {podinfo(kept, initialized, routed(30, "podinfo-00001 primary 70", "podinfo-00000  30")), ""},
		"others have lost what they kept": {podinfo(kept, initialized, routed(0, "podinfo-00001 primary 100")), "70 podinfo-00001, 30 podinfo-00000"},
		"the Route was not seen":          {podinfo(routed(10)), ""},
		"nothing is wanted: suspended":    {podinfo(suspended, wrong), ""},
		"nothing is wanted: deleted":      {podinfo(deleted, wrong), ""},
		"nothing is wanted: new":          {podinfo(fresh, wrong), ""},
		"decided, and not yet pinned":     {podinfo(at(v1beta1.PhaseInitializing, ""), wrong), "100 podinfo-00001"},
	} {
		var parts []string
		for _, s := range missed(tc.canary) {
			parts = append(parts, fmt.Sprint(s.Percent, " ", s.Revision))
		}
		if got := strings.Join(parts, ", "); got != tc.want {
			t.Errorf("%s: wanted is %q, want %q", name, got, tc.want)
		}
	}
}

func TestLineSaysWhatIsAndWhatIsWanted(t *testing.T) {
	applied := func(status corev1.ConditionStatus) func(*v1beta1.Canary) {
		return func(c *v1beta1.Canary) {
			c.Status.Conditions = []v1beta1.Condition{{Type: v1beta1.ConditionTrafficApplied, Status: status}}
		}
	}
	next := routed(10, "podinfo-00001 primary 90", "podinfo-00002 canary 10")
	for want, canary := range map[string]*v1beta1.Canary{
		"podinfo-00002 at 20 %, check 3":                                                                  podinfo(applied(corev1.ConditionTrue)),
		"podinfo-00002 at 10 % (20 % wanted), check 3":                                                    podinfo(next),
		"podinfo-00002 at 20 % (wanted), check 3":                                                         podinfo(routed(0)),
		"1/5: spec.traffic of service test/podinfo was changed by kubectl-edit; success rate 99.2 %":      podinfo(overwritten),
		"failed 1/5: the Route does not show the division that Serin has decided on; success rate 99.2 %": podinfo(applied(corev1.ConditionFalse)),
		"failed 1/5: success rate 99.2 %":                                                                 podinfo(applied(corev1.ConditionUnknown)),
	} {
		if got := changeLine(canary); !strings.Contains(got, want) {
			t.Errorf("the line is %q, want %q in it", got, want)
		}
	}
}

// A pause is about the step at which Serin stops, whatever the Route shows.
func TestPauseSpeaksOfTheStep(t *testing.T) {
	c := podinfo(routed(10, "podinfo-00001 primary 90", "podinfo-00002 canary 10"))
	if got, want := pauseText(c, true), "podinfo-00002 is held at 20 % (Measuring)"; got != want {
		t.Errorf("the pause says %q, want %q", got, want)
	}
}

func TestFailedRevisionThatIsNewestCanBeTriedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		canary        *v1beta1.Canary
		what, command string
	}{
		"failed":                     {podinfo(at(v1beta1.PhaseFailed, "")), "a new revision, or another try of podinfo-00002", "serin retry podinfo -n test"},
		"rolled back after it":       {podinfo(promotedOver, laterFailed, goBack, at(v1beta1.PhaseFailed, "")), "a new revision, or another try of podinfo-00003", "serin retry podinfo -n test"},
		"never rolled out":           {podinfo(at(v1beta1.PhaseInitialized, "")), "a new revision, or another try of podinfo-00002", "serin retry podinfo -n test"},
		"promoted":                   {podinfo(promotedOver), "a new revision", ""},
		"failed, and then reverted ": {podinfo(at(v1beta1.PhaseFailed, ""), func(c *v1beta1.Canary) { c.Status.LastAppliedSpec = "podinfo-00001" }), "a new revision", ""},
	} {
		if what, command := awaited(tc.canary, "serin", noon); what != tc.what || command != tc.command {
			t.Errorf("%s: waits for %q, %q; want %q, %q", name, what, command, tc.what, tc.command)
		}
	}
}
