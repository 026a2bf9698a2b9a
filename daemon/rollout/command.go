package rollout

import (
	"fmt"
	"maps"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// commands are the annotations that are commands, with what they command.
var commands = []string{v1beta1.RollbackAnnotation, v1beta1.AbortAnnotation, v1beta1.PromoteAnnotation, v1beta1.ApproveAnnotation, v1beta1.RetryAnnotation}

// take reports whether somebody gives a command that was not carried out yet,
// and makes a note of it, with which it is written in one go. A command that
// names another revision than the one it would be about is dropped.
func (d *decider) take(annotation string) bool {
	value := d.Canary.Command(annotation)
	if value == "" || d.Status.Commands[annotation] == value {
		return false
	}
	d.Status.Commands = maps.Clone(d.Status.Commands)
	if d.Status.Commands == nil {
		d.Status.Commands = make(map[string]string)
	}
	d.Status.Commands[annotation] = value
	subject := d.Canary.Subject(strings.TrimPrefix(annotation, v1beta1.CommandPrefix))
	if target, _, _ := strings.Cut(value, "/"); d.Service.exists(target) && target != subject {
		d.event(warning(fmt.Sprintf("Ignoring annotation %s: it is about %s, and %s is at %s", annotation, target, d.name(), subject)))
		return false
	}
	return true
}

// refuse drops commands that make no sense now, and says so: they shall not
// take effect on a later rollout.
func (d *decider) refuse(annotations ...string) {
	for _, annotation := range annotations {
		if d.take(annotation) {
			d.event(warning(fmt.Sprintf("Ignoring annotation %s: %s is %s", annotation, d.name(), phaseOrNone(d.Status.Phase))))
		}
	}
}

func (d *decider) refuseAll() { d.refuse(commands...) }

func phaseOrNone(phase v1beta1.Phase) v1beta1.Phase {
	if phase == "" {
		return v1beta1.PhaseInitializing
	}
	return phase
}

// commanded carries out a command about the rollout that runs.
func (d *decider) commanded() bool {
	a := d.Status.Analysis
	back := a.Stage == v1beta1.StageRollingBack
	switch {
	case !back && d.take(v1beta1.RollbackAnnotation):
		d.rollBack("by annotation " + v1beta1.RollbackAnnotation)
		return true
	case !back && d.take(v1beta1.AbortAnnotation):
		d.rollBack("aborted by annotation")
		return true
	case !d.Service.ready(a.CanaryRevision):
		// A promotion waits until there is something to promote.
	case d.Status.Phase == v1beta1.PhasePromoting:
		d.refuse(v1beta1.PromoteAnnotation)
	case d.take(v1beta1.PromoteAnnotation):
		d.event(normal(fmt.Sprintf("Promoting %s without further checks, by annotation", d.name())))
		d.forgive(a.CanaryRevision)
		d.promoteNow()
		return true
	}
	if back {
		d.refuse(v1beta1.RollbackAnnotation, v1beta1.AbortAnnotation)
	}
	d.refuse(v1beta1.RetryAnnotation)
	switch a.Stage {
	case v1beta1.StageConfirmRollout, v1beta1.StageConfirmTrafficIncrease, v1beta1.StageConfirmPromotion:
	default:
		d.refuse(v1beta1.ApproveAnnotation)
	}
	return false
}

const pausedMessage = "paused by annotation " + v1beta1.PauseAnnotation

// paused holds the rollout at its weight. The load stops; commands and rollback
// hooks still count.
func (d *decider) paused() bool {
	a := d.Status.Analysis
	if !d.Canary.Paused() {
		if a.Message == pausedMessage {
			a.Message = ""
			d.progressed()
		}
		return false
	}
	if a.Message != pausedMessage {
		a.Message = pausedMessage
		d.event(normal(fmt.Sprintf("Pausing %s at %d percent", d.name(), a.Weight)))
	}
	return true
}
