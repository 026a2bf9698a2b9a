package session

import (
	"fmt"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// CheckReachable is an error where the load cannot send as many requests as a check
// needs before the progress deadline: each rollout would end in a rollback that says
// nothing of the revision.
func CheckReachable(canary *v1beta1.Canary, load Load) error {
	a := &canary.Spec.Analysis
	needs := a.MinSamplesOrDefault()
	longest := a.IntervalOrDefault()
	if a.Sequential() {
		longest = a.MaxDurationOrDefault()
	}
	within := canary.Spec.ProgressDeadline() + a.IntervalOrDefault() + longest
	if canary.Spec.SkipAnalysis || load.Rate <= 0 || float64(needs) <= load.Rate*within.Seconds() {
		return nil
	}
	return fmt.Errorf("spec.analysis: %d requests are needed for a verdict (minSamples), and at %g requests/s only %.0f are sent before the progress deadline ends the rollout (%s with the check's own time): lower minSamples, or raise the load's rate or progressDeadlineSeconds",
		needs, load.Rate, load.Rate*within.Seconds(), within.Round(time.Second))
}
