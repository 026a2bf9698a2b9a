package rollout

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// idle keeps the primary revision pinned and looks for a new one.
func (d *decider) idle() {
	if !d.Service.exists(d.Status.LastPromotedSpec) {
		d.replacePrimary()
		return
	}
	if !d.postRollout() || d.commandedBack() {
		return
	}
	if d.Held != "" {
		d.problem = d.Held
		return
	}
	latest := d.Service.LatestCreated
	if latest == d.Status.LastAppliedSpec && d.Canary.Retriable() && d.take(v1beta1.RetryAnnotation) {
		d.forgive(latest)
		d.event(normal(fmt.Sprintf("Trying %s again: %s", latest, d.name())).loud(Info))
		d.begin(latest)
		return
	}
	d.refuseAll()
	if latest == "" || latest == d.Status.LastPromotedSpec || latest == d.Status.LastAppliedSpec {
		return
	}
	d.forgive(latest) // its name was another revision's
	text := fmt.Sprintf("New revision detected! %s gets no live traffic before its first verdict: %s", latest, d.name())
	if percent := d.Service.live()[latest]; percent > 0 {
		text = fmt.Sprintf("New revision detected! %s has %d %% of the live traffic, and gets none before its first verdict: %s", latest, percent, d.name())
	}
	d.event(normal(text).loud(Info))
	d.begin(latest)
}

// failedKept is how many revisions that were rolled back are remembered.
const failedKept = 50

// condemn notes that a revision was rolled back: it gets no traffic any more.
func (d *decider) condemn(revision string) {
	d.forgive(revision)
	d.Status.Failed = slices.Insert(d.Status.Failed, 0, revision)
	d.Status.Failed = d.Status.Failed[:min(len(d.Status.Failed), failedKept)]
	d.Status.KeptShares = slices.DeleteFunc(d.Status.KeptShares, func(s v1beta1.TrafficShare) bool { return s.Revision == revision })
}

// forgive forgets that a revision was rolled back, at a person's command.
func (d *decider) forgive(revision string) {
	d.Status.Failed = slices.DeleteFunc(d.Status.Failed, func(name string) bool { return name == revision })
}

// commandedBack puts the revision that was promoted before back at a person's
// command, where no rollout runs that could be rolled back. It is done as the
// rollback of a rollout is, and seen to its end by the same rules.
func (d *decider) commandedBack() bool {
	if !d.take(v1beta1.RollbackAnnotation) {
		return false
	}
	previous := d.Canary.Previous()
	i := slices.IndexFunc(previous, d.Service.ready)
	if i < 0 {
		d.event(warning(fmt.Sprintf("Ignoring annotation %s: no revision that was promoted earlier is ready, %s stays", v1beta1.RollbackAnnotation, d.Status.LastPromotedSpec)))
		return false
	}
	from, now := d.Status.LastPromotedSpec, metav1.NewMicroTime(d.Now)
	d.Status.LastPromotedSpec, d.Status.LastAppliedSpec = previous[i], d.Service.LatestCreated
	d.Status.Analysis = &v1beta1.AnalysisStatus{PrimaryRevision: previous[i], CanaryRevision: from, Check: 1, StartTime: now}
	d.rollBack(fmt.Sprintf("by annotation: %s serves again until the next push", previous[i]))
	return true
}
