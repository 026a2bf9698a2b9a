package rollout

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// opinion is what the hooks of a type say.
type opinion struct {
	passed  []string // the names of those that passed
	pending []string // of those without an answer
	refused []refusal
}

// refusal is an answer that did not pass.
type refusal struct{ hook, reason string }

// ask wants the hooks of a type to be called for an occasion, and returns what
// they have said so far.
func (d *decider) ask(hookType, occasion string, every time.Duration) opinion {
	var o opinion
	for _, hook := range d.spec.Analysis.HooksOf(hookType) {
		key := Key{Hook: hook.Name, Type: hookType, Occasion: occasion}
		d.Calls = append(d.Calls, Call{Key: key, Webhook: hook, Phase: d.Status.Phase, Every: every})
		switch answer, ok := d.Answers[key]; {
		case !ok:
			o.pending = append(o.pending, hook.Name)
		case answer.Passed:
			o.passed = append(o.passed, hook.Name)
		default:
			o.refused = append(o.refused, refusal{hook.Name, answer.Message})
		}
	}
	return o
}

// The texts of the gates.
var (
	gateNames = map[string]string{
		v1beta1.ConfirmRolloutHook:         "Confirm-rollout",
		v1beta1.ConfirmTrafficIncreaseHook: "Confirm-traffic-increase",
		v1beta1.ConfirmPromotionHook:       "Confirm-promotion",
	}
	waitingTexts = map[string]string{
		v1beta1.ConfirmRolloutHook:         "waiting for approval",
		v1beta1.ConfirmTrafficIncreaseHook: "waiting for traffic increase approval",
		v1beta1.ConfirmPromotionHook:       "waiting for promotion approval",
	}
)

// gated reports whether anybody has a say at a gate.
func (d *decider) gated(hookType string) bool {
	return d.Canary.Halted(hookType) || len(d.spec.Analysis.HooksOf(hookType)) > 0
}

// gate reports whether the rollout may pass: every hook of the type says so and
// nobody halts it, or somebody approves. It says once whom it waits for.
func (d *decider) gate(hookType, occasion string) bool {
	if d.take(v1beta1.ApproveAnnotation) {
		d.event(normal(fmt.Sprintf("%s of %s approved by annotation", gateNames[hookType], d.name())))
		d.Status.Analysis.WaitingFor = ""
		return true
	}
	o := d.ask(hookType, occasion, d.spec.Analysis.IntervalOrDefault())
	switch {
	case len(o.refused) > 0:
		d.waitFor(hookType, o.refused[0].hook, o.refused[0].reason)
	case d.Canary.Halted(hookType):
		d.waitFor(hookType, "annotation "+v1beta1.HaltAnnotation, "halted")
	case len(o.pending) > 0:
		d.pending(hookType, o.pending[0])
	default:
		for _, name := range o.passed {
			d.event(normal(fmt.Sprintf("%s check %s passed", gateNames[hookType], name)))
		}
		d.Status.Analysis.WaitingFor = ""
		return true
	}
	return false
}

// waitFor says whom a closed gate waits for, and publishes it once.
func (d *decider) waitFor(hookType, whom, reason string) {
	a := d.Status.Analysis
	a.Message = fmt.Sprintf("%s %s: %s", waitingTexts[hookType], whom, reason)
	if a.WaitingFor == whom {
		return
	}
	a.WaitingFor = whom
	told := warning(fmt.Sprintf("Halt %s advancement %s %s", d.name(), waitingTexts[hookType], whom))
	if !d.muted(hookType, whom) {
		told = told.loud(Warn)
	}
	d.event(told)
}

func (d *decider) muted(hookType, hook string) bool {
	return slices.ContainsFunc(d.spec.Analysis.HooksOf(hookType), func(h v1beta1.Webhook) bool { return h.Name == hook && h.MuteAlert })
}

// pending says in the status which hook has not answered yet.
func (d *decider) pending(hookType, hook string) {
	a := d.Status.Analysis
	a.Message = fmt.Sprintf("%s hook %s has not answered yet", hookType, hook)
	if a.WaitingFor == "" {
		a.WaitingFor = "answer of hook " + hook
	}
}

// confirmRollout waits at the gate before a rollout.
func (d *decider) confirmRollout() {
	a := d.Status.Analysis
	if !d.gate(v1beta1.ConfirmRolloutHook, a.CanaryRevision) {
		return
	}
	d.Status.Phase = v1beta1.PhaseProgressing
	a.Stage, a.Message = v1beta1.StageWaitingForRevision, ""
	d.progressed()
	d.RequeueAfter = d.spec.ProgressDeadline()
}

// preRollout waits until all pre-rollout hooks have passed. One that does not
// is a failed check, and is called again after an interval.
func (d *decider) preRollout() {
	a := d.Status.Analysis
	if a.NextTime != nil {
		// Never longer than an interval: else the clock was put back meanwhile.
		if left := a.NextTime.Sub(d.Now); left > 0 && left <= d.spec.Analysis.IntervalOrDefault() {
			d.RequeueAfter = left
			return
		}
	}
	o := d.ask(v1beta1.PreRolloutHook, d.checkOccasion(), 0)
	switch {
	case len(o.refused) > 0:
		d.Calls = nil
		d.failedCheck(fmt.Sprintf("pre-rollout check %s failed %s", o.refused[0].hook, o.refused[0].reason))
		if a.Stage == v1beta1.StagePreRollout {
			next := metav1.NewMicroTime(d.Now.Add(d.spec.Analysis.IntervalOrDefault()))
			a.NextTime = &next
			d.RequeueAfter = d.spec.Analysis.IntervalOrDefault()
		}
	case len(o.pending) > 0:
		d.pending(v1beta1.PreRolloutHook, o.pending[0])
		d.expire(a.Message)
	default:
		for _, name := range o.passed {
			d.event(normal(fmt.Sprintf("Pre-rollout check %s passed", name)))
		}
		a.NextTime, a.WaitingFor = nil, ""
		d.enter(v1beta1.StageMeasuring)
		d.startMeasuring()
	}
}

// checkOccasion is that of a hook which is called for every check.
func (d *decider) checkOccasion() string {
	return fmt.Sprintf("%s/check-%d", d.Status.Analysis.CanaryRevision, d.Status.Analysis.Check)
}

// calledBack rolls back when a rollback hook says so.
func (d *decider) calledBack() bool {
	a := d.Status.Analysis
	o := d.ask(v1beta1.RollbackHook, a.CanaryRevision, d.spec.Analysis.IntervalOrDefault())
	if len(o.passed) == 0 {
		return false
	}
	d.event(warning(fmt.Sprintf("Rollback check %s passed", o.passed[0])))
	d.Calls = nil
	d.rollBack("manual webhook invoked")
	return true
}

// postRollout calls the hooks that are told how it ended. It reports false until
// all have answered; what they answer changes nothing.
func (d *decider) postRollout() bool {
	a := d.Status.Analysis
	if a == nil || a.Stage != v1beta1.StagePostRollout {
		return true
	}
	o := d.ask(v1beta1.PostRolloutHook, fmt.Sprintf("%s/%s", a.CanaryRevision, d.Status.Phase), 0)
	if len(o.pending) > 0 {
		d.pending(v1beta1.PostRolloutHook, o.pending[0])
		return false
	}
	for _, name := range o.passed {
		d.event(normal(fmt.Sprintf("Post-rollout check %s passed", name)))
	}
	for _, r := range o.refused {
		d.event(warning(fmt.Sprintf("Post-rollout hook %s failed %s", r.hook, r.reason)))
	}
	d.Calls = nil
	a.Stage, a.WaitingFor, a.Message = "", "", ""
	return true
}
