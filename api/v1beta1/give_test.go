package v1beta1

import (
	"strings"
	"testing"
	"time"
)

func TestCommandsMakeSenseOrSayWhyNot(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	const stamp = "podinfo-00002/2026-01-02T03:04:05.000006Z"
	for name, tc := range map[string]struct {
		phase      Phase
		stage      Stage
		paused     bool
		command    string
		annotation string
		value      string // empty: taken away
		problem    string
	}{
		"promote":                {PhaseProgressing, StageMeasuring, false, "promote", PromoteAnnotation, stamp, ""},
		"promote when over":      {PhaseSucceeded, "", false, "promote", "", "", "no rollout is under way: the phase is Succeeded"},
		"promote while it fails": {PhaseProgressing, StageRollingBack, false, "promote", PromoteAnnotation, stamp, ""},
		"abort while it fails":   {PhaseProgressing, StageRollingBack, false, "abort", "", "", "podinfo-00002 is being rolled back already"},
		"abort":                  {PhaseWaitingPromotion, StageConfirmPromotion, false, "abort", AbortAnnotation, stamp, ""},
		"abort when over":        {PhaseFailed, "", false, "abort", "", "", "no rollout is under way: the phase is Failed"},
		"approve":                {PhaseWaiting, StageConfirmRollout, false, "approve", ApproveAnnotation, stamp, ""},
		"approve without a gate": {PhaseProgressing, StageMeasuring, false, "approve", "", "", "it waits at no gate: the stage is Measuring"},
		"retry":                  {PhaseFailed, "", false, "retry", RetryAnnotation, stamp, ""},
		"retry too early":        {PhaseProgressing, StageMeasuring, false, "retry", "", "", "there is no failed revision to try again"},
		"pause":                  {PhaseProgressing, StageMeasuring, false, "pause", PauseAnnotation, "true", ""},
		"resume":                 {PhaseProgressing, StageMeasuring, true, "resume", PauseAnnotation, "", ""},
		"resume what runs":       {PhaseProgressing, StageMeasuring, false, "resume", "", "", "it is not paused"},
		"abort too late":         {PhaseFinalising, "", false, "abort", "", "", "podinfo-00002 is promoted already"},
		"promote twice":          {PhasePromoting, StageWaitingForRoute, false, "promote", "", "", "is being promoted already"},
		"approve while paused":   {PhaseWaiting, StageConfirmRollout, true, "approve", "", "", "resume it first"},
		"rollback":               {PhaseProgressing, StageMeasuring, false, "rollback", RollbackAnnotation, stamp, ""},
		"rollback twice":         {PhaseProgressing, StageRollingBack, false, "rollback", "", "", "podinfo-00002 is being rolled back already"},
		"rollback to nothing":    {PhaseFailed, "", false, "rollback", "", "", "no revision that was promoted earlier is left"},
		"nonsense":               {PhaseProgressing, StageMeasuring, false, "explode", "", "", `there is no such command`},
	} {
		c := &Canary{}
		c.Name, c.Status.Phase = "podinfo", tc.phase
		c.Status.LastPromotedSpec, c.Status.LastAppliedSpec = "podinfo-00001", "podinfo-00002"
		c.Status.Analysis = &AnalysisStatus{PrimaryRevision: "podinfo-00001", CanaryRevision: "podinfo-00002", Stage: tc.stage}
		if tc.paused {
			c.Annotations = map[string]string{PauseAnnotation: "true"}
		}
		annotation, value, err := c.Give(tc.command, now)
		got := ""
		if value != nil {
			got = *value
		}
		if tc.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tc.problem) {
				t.Errorf("%s: %v, want %q", name, err, tc.problem)
			}
			continue
		}
		if err != nil || annotation != tc.annotation || got != tc.value || (value == nil) != (tc.value == "") {
			t.Errorf("%s: %s=%q, %v", name, annotation, got, err)
		}
	}
	rollback := &Canary{Status: CanaryStatus{Phase: PhaseSucceeded, LastPromotedSpec: "podinfo-00003", Failed: []string{"podinfo-00002"}, Retired: []RetiredRevision{
		{Revision: "podinfo-00003"}, {Revision: "podinfo-00002"}, {Revision: "podinfo-00001"},
	}}}
	if _, value, err := rollback.Give("rollback", now); err != nil || !strings.HasPrefix(*value, "podinfo-00003/") {
		t.Errorf("rollback is about %v, %v; want the primary revision", value, err)
	}
	if got := rollback.Previous(); len(got) != 1 || got[0] != "podinfo-00001" {
		t.Errorf("a rollback goes back to %v, want the one that neither serves nor failed", got)
	}
	if _, _, err := new(Canary).Give("promote", now); err == nil {
		t.Error("a Canary without a rollout is promoted")
	}
}
