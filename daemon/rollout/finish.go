package rollout

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// finish adds to a decision what follows from its status: the traffic, the
// observed division, dates and conditions.
func (d *decider) finish() {
	if d.standing {
		return
	}
	if d.transits() {
		d.Status.LastTransitionTime = metav1.NewTime(d.Now)
	}
	want, decided := d.Status.Division()
	if decided && !d.passive && d.Service != nil {
		d.Traffic = &want
	}
	if d.waits {
		d.within(unblockAfter)
	}
	d.observe()
	d.explainPhase()
	if decided && d.Service != nil {
		d.explainTraffic(want)
	}
}

// within asks for another decision no later than after a wait.
func (d *decider) within(wait time.Duration) {
	if d.RequeueAfter == 0 || wait < d.RequeueAfter {
		d.RequeueAfter = wait
	}
}

// observe notes the division that the Route shows.
func (d *decider) observe() {
	d.Status.Traffic, d.Status.CanaryWeight = nil, 0
	if d.Service == nil {
		return
	}
	d.Status.Traffic = observed(d.Service.Traffic)
	primary := d.Status.LastPromotedSpec
	if primary == "" {
		return
	}
	for revision, percent := range d.Service.live() {
		if revision != primary {
			d.Status.CanaryWeight += int32(percent) //nolint:gosec // at most 100
		}
	}
}

// explainPhase explains the phase in Flagger's condition.
func (d *decider) explainPhase() {
	condition := conditionFor(d.Status.Phase)
	switch {
	case d.problem != "":
		condition.Message = d.problem
	case d.note != "":
		condition.Message = d.note
	}
	before := d.Canary.Status.Condition(v1beta1.ConditionPromoted)
	if d.problem != "" && (before == nil || before.Message != d.problem) {
		d.event(warning(d.problem).loud(Warn))
	}
	d.setCondition(condition)
}

// Reasons of the condition TrafficApplied.
const (
	reasonApplied     = "Applied"
	reasonPutBack     = "PutBack"
	reasonOverwritten = "Overwritten"
	reasonNotShown    = "NotShown"
)

// quiet is how long nobody has to interfere for the next time to be raised again.
const quiet = 10 * time.Minute

// notShownFor is how long the Route may show something else, without anybody's doing,
// before that is raised. It takes seconds to follow.
const notShownFor = 30 * time.Second

// explainTraffic says whether the wanted division is in force, and if not, since
// when and by whom. Nothing is said while a division is on its way: the stage that
// waits for the Route says that.
func (d *decider) explainTraffic(want Traffic) {
	before := d.Canary.Status.Condition(v1beta1.ConditionTrafficApplied)
	switch {
	case before != nil && !d.moves(want) && d.overwritten(want):
		d.explainOverwritten(before, want)
	case d.Service.Shows(want):
		d.applied(before)
	case d.Service.Divides(want) && before != nil && before.Status == corev1.ConditionFalse:
		// It was put back, and the Route is not ready: it may still follow what was
		// there in between, or be in trouble over something else.
		if left := before.LastTransitionTime.Add(notShownFor).Sub(d.Now); left > 0 {
			d.within(left)
			return
		}
		d.applied(before)
	case d.Service.Divides(want) || d.moves(want) || d.awaiting() || !d.Service.Current || !d.Service.Asks(want):
	case before == nil || before.Status == corev1.ConditionTrue:
		d.notApplied(reasonNotShown, d.shownInstead(want))
		d.within(notShownFor)
	case before.Reason == reasonNotShown && d.Now.Sub(before.LastTransitionTime.Time) >= notShownFor:
		text := fmt.Sprintf("Traffic of %s has not been divided as decided for %s: %s", d.name(), notShownFor, d.shownInstead(want))
		if before.Message != text {
			d.event(warning(text).loud(Error))
		}
		if !d.passive {
			d.dropTags()
		}
		d.notApplied(reasonNotShown, text)
	}
}

func (d *decider) shownInstead(want Traffic) string {
	return fmt.Sprintf("the Route shows %s instead of %s: %s", v1beta1.FormatShares(d.Service.live()), want, orUnknown(d.Service.Message))
}

// applied says that the wanted division is in force.
func (d *decider) applied(before *v1beta1.Condition) {
	c := v1beta1.Condition{Type: v1beta1.ConditionTrafficApplied, Status: corev1.ConditionTrue, Reason: reasonApplied, Message: "The Route shows the division that was decided on."}
	if before != nil && before.Status == corev1.ConditionTrue {
		return
	}
	if before != nil && before.Reason == reasonOverwritten {
		c.Reason, c.Message = reasonPutBack, "The Route shows the division that was decided on again. Before: "+before.Message
	}
	d.setCondition(c)
}

func (d *decider) notApplied(reason, message string) {
	d.setCondition(v1beta1.Condition{Type: v1beta1.ConditionTrafficApplied, Status: corev1.ConditionFalse, Reason: reason, Message: message})
}

// moves reports whether this decision asks for another division than the one
// before.
func (d *decider) moves(want Traffic) bool {
	before, decided := d.Canary.Status.Division()
	return !decided || !equality.Semantic.DeepEqual(before, want)
}

// awaiting reports whether the rollout waits for the Route anyway.
func (d *decider) awaiting() bool {
	switch d.Status.Phase {
	case v1beta1.PhaseInitializing, v1beta1.PhaseFinalising:
		return true
	default:
	}
	a := d.Status.Analysis
	return a != nil && (a.Stage == v1beta1.StageWaitingForRoute || a.Stage == v1beta1.StageRollingBack)
}

// overwritten reports whether somebody else has changed spec.traffic since the
// wanted division was decided on. Before that it would be what is still to be
// replaced.
func (d *decider) overwritten(want Traffic) bool {
	if d.Service.SpecWriter == "" || d.Service.Asks(want) {
		return false
	}
	decided := d.Status.LastTransitionTime.Time
	if a := d.Status.Analysis; a != nil && a.ProgressTime.After(decided) {
		decided = a.ProgressTime.Time
	}
	return !d.Service.SpecTime.Before(decided.Truncate(time.Second)) // which is as exact as it is known
}

func (d *decider) explainOverwritten(before *v1beta1.Condition, want Traffic) {
	d.notApplied(reasonOverwritten, fmt.Sprintf("spec.traffic was changed by %s at %s to something else than %s",
		d.Service.SpecWriter, d.Service.SpecTime.UTC().Format(time.RFC3339), want))
	again := before.Reason == reasonPutBack && d.Now.Sub(before.LastTransitionTime.Time) < quiet
	if before.Status == corev1.ConditionFalse || again {
		return
	}
	text := fmt.Sprintf("spec.traffic of service %s was changed by %s ", d.serviceName(), d.Service.SpecWriter)
	if d.passive {
		text += "and is left so while spec.suspend is true"
	} else {
		text += fmt.Sprintf("and is put back: take traffic out of its manifest, as the rollout sets it; "+
			"to go back to the revision that was promoted before, run serin rollback %s -n %s or annotate the canary with %s",
			d.Canary.Name, d.Canary.Namespace, v1beta1.RollbackAnnotation)
	}
	d.event(warning(text).loud(Error))
}

// setCondition writes a condition, with the dates that follow from the one before.
func (d *decider) setCondition(condition v1beta1.Condition) {
	now := metav1.NewTime(d.Now)
	condition.LastUpdateTime, condition.LastTransitionTime = now, now
	if before := d.Canary.Status.Condition(condition.Type); before != nil {
		if before.Status == condition.Status {
			condition.LastTransitionTime = before.LastTransitionTime
		}
		if before.Status == condition.Status && before.Reason == condition.Reason && before.Message == condition.Message {
			condition.LastUpdateTime = before.LastUpdateTime
		}
	}
	if c := d.Status.Condition(condition.Type); c != nil {
		*c = condition
		return
	}
	d.Status.Conditions = append(d.Status.Conditions, condition)
}
