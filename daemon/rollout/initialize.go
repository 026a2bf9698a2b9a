package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// initialize pins the revision that serves by name. Nobody's share of the live
// traffic changes by that.
func (d *decider) initialize() {
	old := &d.Canary.Status
	d.Status.Phase, d.Status.Analysis = v1beta1.PhaseInitializing, nil
	if old.Phase == "" {
		d.warnIgnored()
	}
	if d.Unpinnable != "" {
		d.problem = d.Unpinnable
		return
	}
	if !d.pinned() && !d.choosePrimary() {
		return
	}
	d.refuseAll()
	d.Status.FailedChecks, d.Status.Iterations = 0, 0
	if d.left(0) <= 0 {
		d.giveUpPrimary()
	}
	decided := old.Phase == v1beta1.PhaseInitializing && old.LastPromotedSpec == d.Status.LastPromotedSpec
	if d.awaitsRoute() || !decided {
		return
	}
	d.note, d.RequeueAfter = "", 0
	d.Status.Phase = v1beta1.PhaseInitialized
	d.event(normal("Initialization done! " + d.name()))
}

// pinned reports whether the primary revision that was decided on was written to the
// Service, in this Canary's life. Until then the decision is made again each time: who
// serves may change meanwhile.
func (d *decider) pinned() bool {
	left := d.Service.Left
	return left != nil && left.UID == d.Canary.UID && d.Canary.Status.Phase != "" && d.Service.exists(d.Status.LastPromotedSpec)
}

// choosePrimary decides which revision to pin first, and says what that means for
// the others. It reports false where there is none yet.
func (d *decider) choosePrimary() bool {
	primary := d.mostLive(d.Service.exists)
	if primary == "" {
		d.Status.LastPromotedSpec = ""
		d.unlessNew(d.nothingToPin())
		return false
	}
	again := d.Canary.Status.LastPromotedSpec == primary && d.Canary.Status.Phase == v1beta1.PhaseInitializing
	d.Status.LastPromotedSpec, d.Status.LastAppliedSpec = primary, primary
	d.keepShares(primary)
	latest := d.Service.LatestCreated
	staged := latest != "" && latest != primary && d.Service.live()[latest] == 0 && (d.staged(primary) || slices.Contains(d.Status.Failed, latest))
	if staged {
		d.Status.LastAppliedSpec = latest
	}
	if !again {
		d.warnTags(primary)
		d.explainChoice(primary, latest, staged)
	}
	return true
}

// explainChoice says what it means for a newer revision that another is pinned.
func (d *decider) explainChoice(primary, latest string, staged bool) {
	live := d.Service.live()
	switch {
	case latest == "" || latest == primary:
	case live[latest] > 0:
		d.event(normal(fmt.Sprintf("%s has %d %% of the live traffic and becomes the primary revision of %s; %s is newer, has %d %%, and is analysed like any new revision",
			primary, live[primary], d.name(), latest, live[latest])).loud(Info))
	case staged:
		d.event(normal(fmt.Sprintf("%s becomes the primary revision of %s; %s is newer, has no live traffic, and is left so: to roll it out run serin retry %s -n %s",
			primary, d.name(), latest, d.Canary.Name, d.Canary.Namespace)).loud(Info))
	}
}

// staged reports whether somebody has left the newest revision without traffic on
// purpose: neither does traffic follow the latest one, nor was it an earlier Canary,
// or Flagger, that has pinned the primary one.
func (d *decider) staged(primary string) bool {
	tagged, _ := d.Service.tag(PrimaryTag)
	return !d.Service.FollowsLatest() && tagged != primary && d.Service.AnnotatedPrimary != primary
}

func (d *decider) nothingToPin() string {
	problem := fmt.Sprintf("service %q has no ready revision yet", d.serviceName())
	if len(d.Status.Failed) > 0 {
		problem = fmt.Sprintf("service %q has no ready revision that has not failed: push one, or run serin retry", d.serviceName())
	}
	if latest := d.Service.Revisions[d.Service.LatestCreated]; latest.Failed {
		problem += fmt.Sprintf(": %s: %s", d.Service.LatestCreated, latest.Message)
	}
	return problem
}

// mostLive is, of the revisions that may serve, the one with the most live traffic; of
// several with as much the one that an earlier Canary, or Flagger, had as its primary,
// or else the older one. Where nothing has traffic it is the newest ready one. What was
// rolled back is none of them.
func (d *decider) mostLive(may func(revision string) bool) string {
	live := d.Service.live()
	candidates := slices.DeleteFunc(slices.Sorted(maps.Keys(live)), func(revision string) bool {
		return !may(revision) || slices.Contains(d.Status.Failed, revision)
	})
	slices.SortStableFunc(candidates, func(a, b string) int {
		switch {
		case live[a] != live[b]:
			return int(live[b] - live[a])
		case a == d.Service.AnnotatedPrimary:
			return -1
		case b == d.Service.AnnotatedPrimary:
			return 1
		default:
			return 0 // names of revisions end in their number
		}
	})
	if len(candidates) > 0 {
		return candidates[0]
	}
	if latest := d.Service.LatestReady; d.Service.ready(latest) && !slices.Contains(d.Status.Failed, latest) {
		return latest
	}
	return ""
}

// giveUpPrimary decides anew where the revision that was to be pinned has not been
// ready for as long as the progress deadline: for what serves now, or else for the
// newest ready one.
func (d *decider) giveUpPrimary() {
	old := d.Status.LastPromotedSpec
	if d.Service.ready(old) {
		return
	}
	next := d.mostLive(d.Service.ready)
	if next == "" {
		return
	}
	d.event(warning(fmt.Sprintf("%s, which was to be the primary revision of %s, has not been ready for %s (%s): %s is pinned instead, without being analysed",
		old, d.name(), d.spec.ProgressDeadline(), orUnknown(d.Service.Revisions[old].Message), next)).loud(Error))
	d.Status.LastPromotedSpec, d.Status.LastAppliedSpec, d.Status.KeptShares = next, next, nil
}

// keepShares notes what other revisions have of the live traffic, but for those that
// were rolled back.
func (d *decider) keepShares(primary string) {
	d.Status.KeptShares = nil
	live := d.Service.live()
	for _, revision := range slices.Sorted(maps.Keys(live)) {
		if revision != primary && d.Service.exists(revision) && !slices.Contains(d.Status.Failed, revision) {
			d.Status.KeptShares = append(d.Status.KeptShares, v1beta1.TrafficShare{Revision: revision, Percent: live[revision]})
		}
	}
}

// warnTags names the tags of the user's that Serin needs.
func (d *decider) warnTags(primary string) {
	if d.Service.Left != nil {
		return // Serin's own
	}
	var taken []string
	for _, tag := range []string{PrimaryTag, CanaryTag} {
		revision, ok := d.Service.tag(tag)
		if !ok || (tag == PrimaryTag && revision == primary) {
			continue
		}
		taken = append(taken, fmt.Sprintf("%s (of %s)", tag, cmp.Or(revision, "the latest revision")))
	}
	if len(taken) > 0 {
		d.event(warning(fmt.Sprintf("spec.traffic of service %s has tags that Serin needs: %s; they are given back when canary %s is deleted",
			d.serviceName(), strings.Join(taken, ", "), d.name())).loud(Warn))
	}
}

// replacePrimary finds another primary revision where the one that was promoted
// last is gone: the newest one before it that is ready, or else what serves.
func (d *decider) replacePrimary() {
	gone := d.Status.LastPromotedSpec
	d.Status.Phase, d.Status.Analysis = v1beta1.PhaseInitializing, nil
	d.Status.LastPromotedSpec, d.Status.KeptShares = "", nil
	for _, r := range d.Status.Retired {
		if d.Service.ready(r.Revision) && !slices.Contains(d.Status.Failed, r.Revision) {
			d.Status.LastPromotedSpec = r.Revision
			break
		}
	}
	if successor := d.Status.LastPromotedSpec; successor != "" {
		d.event(warning(fmt.Sprintf("Primary revision %s of %s does not exist any more: %s, which was promoted before, takes over", gone, d.name(), successor)).loud(Error))
	} else {
		d.event(warning(fmt.Sprintf("Primary revision %s of %s does not exist any more, and none that was promoted before is ready", gone, d.name())).loud(Error))
	}
}
