package metrics

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/serin-dev/serin/api/v1beta1"
)

// The results of rollouts; see the package's documentation.
const (
	promoted   = "promoted"
	rolledBack = "rolled_back"
	superseded = "superseded"
	aborted    = "aborted"
)

// ended is the result of the rollout that ended between two statuses, or empty
// when none did.
func ended(before, after *v1beta1.CanaryStatus) string {
	same := start(before) == start(after)
	switch {
	case !running(before) || (running(after) && same):
		return ""
	case before.Phase == v1beta1.PhaseFinalising: // there is no way back
		return promoted
	case same && after.Phase == v1beta1.PhaseSucceeded:
		return superseded // the Service was set back to the primary revision
	case after.Phase == v1beta1.PhaseFailed || before.Analysis.Stage == v1beta1.StageRollingBack:
		return rolledBack
	case running(after):
		return superseded
	}
	return aborted
}

// abortedBetween reports whether an annotation made the traffic go back: that of
// the rollout that runs, or of the revision that was promoted before.
func abortedBetween(before, after *v1beta1.CanaryStatus) bool {
	if !rollingBack(after) || (rollingBack(before) && start(before) == start(after)) {
		return false
	}
	return before.Commands[v1beta1.AbortAnnotation] != after.Commands[v1beta1.AbortAnnotation] ||
		before.Commands[v1beta1.RollbackAnnotation] != after.Commands[v1beta1.RollbackAnnotation]
}

func rollingBack(status *v1beta1.CanaryStatus) bool {
	return running(status) && status.Analysis.Stage == v1beta1.StageRollingBack
}

// duration is how long the rollout took that ended between two statuses, to the
// second, as that is how a status has its end. ok is false when it was not
// carried through to a promotion or a rollback.
func duration(before, after *v1beta1.CanaryStatus) (took time.Duration, ok bool) {
	if start(before) != start(after) || (after.Phase != v1beta1.PhaseSucceeded && after.Phase != v1beta1.PhaseFailed) {
		return 0, false
	}
	return max(after.LastTransitionTime.Sub(after.Analysis.StartTime.Time), 0), true
}

// verdict is the result of the verdict that came in between two statuses, or
// empty when none did.
func verdict(before, after *v1beta1.AnalysisStatus) string {
	if after == nil {
		return ""
	}
	if before != nil && before.Verdict == after.Verdict &&
		equality.Semantic.DeepEqual(before.Metrics, after.Metrics) &&
		equality.Semantic.DeepEqual(before.Primary, after.Primary) &&
		equality.Semantic.DeepEqual(before.Canary, after.Canary) {
		return ""
	}
	return after.Verdict
}

// running reports whether a rollout runs.
func running(status *v1beta1.CanaryStatus) bool {
	switch status.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaiting, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting, v1beta1.PhaseFinalising:
		return status.Analysis != nil
	default:
		return false
	}
}

// start tells the rollouts of a Canary apart, also those of one revision that is
// tried again: the microsecond in which it began. It is 0 without a rollout. A
// status that comes back from the API server has no more digits than that.
func start(status *v1beta1.CanaryStatus) int64 {
	if status.Analysis == nil {
		return 0
	}
	return status.Analysis.StartTime.UnixMicro()
}
