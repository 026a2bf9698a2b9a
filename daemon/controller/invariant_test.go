package controller

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/knative"
)

// check holds the invariants at every write, by whomever.
func (w *world) check(old, next client.Object) {
	switch next := next.(type) {
	case *servingv1.Service:
		before, _ := old.(*servingv1.Service)
		if w.writing {
			w.checkDivision(before, next)
		}
		w.checkUsers(next)
	case *v1beta1.Canary:
		before, _ := old.(*v1beta1.Canary)
		if w.writing {
			w.checkClaim(before, next)
		}
	}
}

// checkLock: each patch carries the resourceVersion it was computed from.
func (w *world) checkLock(o client.Object, patch client.Patch) {
	data, err := patch.Data(o)
	if err != nil {
		w.Fatal(err)
	}
	var sent struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(data, &sent); err != nil {
		w.Fatal(err)
	}
	if sent.Metadata.ResourceVersion == "" {
		w.Fatalf("a patch of %s without the resourceVersion it was computed from: %s", nameOf(o), data)
	}
}

// checkDivision holds for what Serin writes to a Service: percentages sum to 100, a
// new revision gets nothing by itself, the user's tags are kept, the division is the
// one that the Canary's status stands for, which has been written before, and only who
// may gains.
func (w *world) checkDivision(before, next *servingv1.Service) {
	sum := int64(0)
	for _, percent := range shares(next.Spec.Traffic) {
		sum += percent
	}
	if sum != 100 {
		w.Fatalf("percentages sum to %d: %s", sum, block(next.Spec.Traffic))
	}
	for tag, revision := range tags(w.initial) {
		if tags(next.Spec.Traffic)[tag] != revision {
			w.Fatalf("the user's tag %s is lost: %s", tag, block(next.Spec.Traffic))
		}
	}
	if knative.Noted(next) == nil {
		w.checkDeparture(before, next)
		return
	}
	canary := w.canaryNamed(knative.Noted(next).Canary)
	if canary == nil {
		w.Fatalf("a Service of a Canary that is gone is divided: %s", block(next.Spec.Traffic))
	}
	want, _ := canary.Status.Division()
	wanted := map[string]int64{want.Primary: want.PrimaryPercent()}
	for _, kept := range want.Kept {
		wanted[kept.Revision] += kept.Percent
	}
	if want.Weight > 0 {
		wanted[want.Canary] += int64(want.Weight)
	}
	maps.DeleteFunc(wanted, func(_ string, percent int64) bool { return percent == 0 })
	got, tagged := shares(next.Spec.Traffic), tags(next.Spec.Traffic)
	if !maps.Equal(got, wanted) || tagged["primary"] != want.Primary || tagged["canary"] != want.Canary {
		w.Fatalf("written is %s, the status stands for %s\n%s", block(next.Spec.Traffic), want, w.story())
	}
	live := shares(before.Status.Traffic)
	for revision, percent := range got {
		if percent > live[revision] && revision != want.Primary && revision != want.Canary {
			w.Fatalf("%s gains traffic and is neither analysed nor the primary revision: %s", revision, block(next.Spec.Traffic))
		}
	}
	w.checkNote(canary, next)
}

// checkNote: what is to be undone is noted in the write that makes it necessary.
func (w *world) checkNote(canary *v1beta1.Canary, next *servingv1.Service) {
	note := knative.Noted(next)
	found, _ := json.Marshal(w.initial)
	if note.UID != canary.UID || note.Canary != canary.Name || note.Revert != canary.Spec.RevertOnDeletion ||
		!slices.Equal(note.Failed, canary.Status.Failed) || next.Annotations[knative.InitialTrafficAnnotation] != string(found) {
		w.Fatalf("noted is %v, for canary %s with %v", next.Annotations, canary.UID, canary.Status.Failed)
	}
}

// checkDeparture: what a Canary leaves is the traffic found at initialization, or
// the primary revision alone, or what is there.
func (w *world) checkDeparture(before, next *servingv1.Service) {
	if c := w.canary(); c != nil && c.UID == knative.Noted(before).UID && !w.left {
		w.Fatalf("the Service of a Canary that is there is left\n%s", w.story())
	}
	live := shares(before.Status.Traffic)
	for revision, percent := range shares(next.Spec.Traffic) {
		if percent > live[revision] && revision != before.Annotations[knative.PrimaryRevisionAnnotation] && w.given[revision] < percent {
			w.Fatalf("%s gains traffic as its Canary leaves: %s", revision, block(next.Spec.Traffic))
		}
	}
}

// allowed is how much of the live traffic a revision may have: the first one serves
// anyhow, others have what people gave them, or what their passed checks allow.
func (w *world) allowed(revision string) int64 {
	n := len(w.sessions.passed[revision])
	switch {
	case revision == w.first || n > len(w.weights):
		return 100
	case n == 0:
		return w.given[revision]
	default:
		return max(w.given[revision], w.weights[n-1])
	}
}

// checkUsers: no revision has more users than it may, nor will it.
func (w *world) checkUsers(service *servingv1.Service) {
	if w.first == "" {
		return
	}
	for _, targets := range [][]servingv1.TrafficTarget{service.Spec.Traffic, service.Status.Traffic} {
		for revision, percent := range shares(targets) {
			if revision != "" && percent > w.allowed(revision) {
				w.Fatalf("%s has %d %% after %d passed checks: %s\n%s", revision, percent, len(w.sessions.passed[revision]), block(targets), w.story())
			}
		}
	}
}

// checkClaim: what is claimed of the world is so.
func (w *world) checkClaim(before, next *v1beta1.Canary) {
	switch next.Status.Phase {
	case before.Status.Phase:
		return
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
	default:
		return
	}
	wanted, s := map[string]int64{next.Status.LastPromotedSpec: 100}, w.service()
	for _, kept := range next.Status.KeptShares {
		wanted[kept.Revision] = kept.Percent
		wanted[next.Status.LastPromotedSpec] -= kept.Percent
	}
	tagged := tags(s.Status.Traffic)
	shown := maps.Equal(shares(s.Status.Traffic), wanted) && tagged["primary"] == next.Status.LastPromotedSpec && tagged["canary"] == ""
	follows := s.Status.ObservedGeneration == s.Generation && s.Status.GetCondition(servingv1.ServiceConditionRoutesReady).IsTrue()
	if !shown || !follows {
		w.Fatalf("%s is reported, and the Route shows %s (it follows: %v)\n%s", next.Status.Phase, block(s.Status.Traffic), follows, w.story())
	}
}

// outcome is how a story ends, without dates and numbers of checks.
type outcome struct {
	Phase               v1beta1.Phase
	Primary, Applied    string
	Failed, Retired     []string
	Kept, Observed      []v1beta1.TrafficShare
	CanaryWeight        int32
	FailedChecks        int32
	Conditions          []string
	PrimaryOf, CanaryOf string
	Stage               v1beta1.Stage
	Weight              int32
	ServiceUID, Daemon  string
	Spec, Route         string
	Annotations         map[string]string
	RouteFollows        bool
	Measured            bool
}

func (w *world) outcome() outcome {
	s := w.service()
	o := outcome{
		Spec: block(s.Spec.Traffic), Route: block(s.Status.Traffic), Annotations: s.Annotations,
		RouteFollows: s.Status.ObservedGeneration == s.Generation && s.Status.GetCondition(servingv1.ServiceConditionRoutesReady).IsTrue(),
		Measured:     w.sessions.running[podinfo] != nil,
	}
	c := w.canary()
	if c == nil {
		return o
	}
	st := &c.Status
	o.Phase, o.Primary, o.Applied, o.Failed, o.Kept = st.Phase, st.LastPromotedSpec, st.LastAppliedSpec, st.Failed, st.KeptShares
	o.Observed, o.CanaryWeight, o.FailedChecks, o.ServiceUID = st.Traffic, st.CanaryWeight, st.FailedChecks, string(st.ServiceUID)
	for _, r := range st.Retired {
		o.Retired = append(o.Retired, r.Revision)
	}
	for _, c := range st.Conditions {
		o.Conditions = append(o.Conditions, fmt.Sprintf("%s %s %s", c.Type, c.Status, c.Reason))
	}
	if a := st.Analysis; a != nil {
		o.PrimaryOf, o.CanaryOf, o.Stage, o.Weight = a.PrimaryRevision, a.CanaryRevision, a.Stage, a.Weight
	}
	if st.Daemon != nil {
		o.Daemon = st.Daemon.Identity
	}
	return o
}

// story is what has happened, for a failure.
func (w *world) story() string {
	var b strings.Builder
	for _, e := range w.events {
		if e.kind == corev1.EventTypeWarning || true {
			fmt.Fprintln(&b, e.about, e.message)
		}
	}
	if c := w.canary(); c != nil {
		fmt.Fprintf(&b, "status: %+v\nanalysis: %+v\n", c.Status, c.Status.Analysis)
	}
	if s := w.service(); s != nil {
		fmt.Fprintf(&b, "spec: %s\nroute: %s\nannotations: %v\n", block(s.Spec.Traffic), block(s.Status.Traffic), s.Annotations)
	}
	return b.String()
}
