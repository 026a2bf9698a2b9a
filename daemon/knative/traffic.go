package knative

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/daemon/rollout"
)

// divide returns the traffic block that divides the live traffic as wanted and
// keeps the user's tagged targets of the current one, but for those to drop.
func divide(current []servingv1.TrafficTarget, want rollout.Traffic, drop ...string) []servingv1.TrafficTarget {
	targets := []servingv1.TrafficTarget{pin(want.Primary, rollout.PrimaryTag, want.PrimaryPercent())}
	if want.Canary != "" {
		targets = append(targets, pin(want.Canary, rollout.CanaryTag, int64(want.Weight)))
	}
	for _, kept := range want.Kept {
		targets = append(targets, pin(kept.Revision, "", kept.Percent))
	}
	for _, t := range current {
		if t.Tag == "" || t.Tag == rollout.PrimaryTag || t.Tag == rollout.CanaryTag || slices.Contains(drop, t.Tag) {
			continue
		}
		if percent(t) != 0 {
			t.Percent = new(int64(0))
		}
		targets = append(targets, t)
	}
	return targets
}

func pin(revision, tag string, percent int64) servingv1.TrafficTarget {
	return servingv1.TrafficTarget{RevisionName: revision, Tag: tag, Percent: &percent, LatestRevision: new(false)}
}

// Divide returns a copy of the Service with the wanted division, and with a note of
// what is to be undone when the Canary is gone; or nil where both are in place
// already. The traffic that is found by the first division of a Canary's life is
// kept in an annotation. The user's targets with a tag to drop go.
func Divide(service *servingv1.Service, want rollout.Traffic, left rollout.Left, drop ...string) (*servingv1.Service, error) {
	next := service.DeepCopy()
	if next.Annotations == nil {
		next.Annotations = make(map[string]string)
	}
	if before, err := readLeft(service); err == nil && (before == nil || before.UID != left.UID) {
		found, err := json.Marshal(service.Spec.Traffic)
		if err != nil {
			return nil, fmt.Errorf("keep the traffic of service %s/%s: %w", service.Namespace, service.Name, err)
		}
		next.Annotations[InitialTrafficAnnotation] = string(found)
	}
	note, err := json.Marshal(left)
	if err != nil {
		return nil, fmt.Errorf("note canary %s on service %s/%s: %w", left.Canary, service.Namespace, service.Name, err)
	}
	next.Annotations[CanaryAnnotation] = string(note)
	next.Annotations[PrimaryRevisionAnnotation] = want.Primary
	next.Spec.Traffic = divide(service.Spec.Traffic, want, drop...)
	return changed(service, next), nil
}

// Depart returns a copy of the Service as a Canary that is gone leaves it, without
// Serin's annotations; or nil for a Service that has none.
func Depart(service *servingv1.Service, observed *rollout.Service, d rollout.Departure) (*servingv1.Service, error) {
	next := service.DeepCopy()
	initial, err := readInitial(service)
	if err != nil && d.Restore {
		return nil, err
	}
	switch {
	case d.Restore && len(initial) == 0: // Knative's default
		next.Spec.Traffic = []servingv1.TrafficTarget{{LatestRevision: new(true), Percent: new(int64(100))}}
	case d.Restore:
		next.Spec.Traffic = initial
	case d.Primary != "":
		next.Spec.Traffic = divide(service.Spec.Traffic, rollout.Traffic{Primary: d.Primary})
		fallthrough
	default:
		next.Spec.Traffic = giveBack(next.Spec.Traffic, initial, observed)
	}
	for _, annotation := range []string{InitialTrafficAnnotation, PrimaryRevisionAnnotation, CanaryAnnotation} {
		delete(next.Annotations, annotation)
	}
	return changed(service, next), nil
}

// giveBack gives the user the tags back that Serin used, at 0 percent, where their
// revisions still exist.
func giveBack(current, initial []servingv1.TrafficTarget, observed *rollout.Service) []servingv1.TrafficTarget {
	for _, t := range initial {
		_, exists := observed.Revisions[t.RevisionName]
		if (t.Tag != rollout.PrimaryTag && t.Tag != rollout.CanaryTag) || (t.RevisionName != "" && !exists) {
			continue
		}
		for i := range current {
			if current[i].Tag == t.Tag {
				current[i].Tag = ""
			}
		}
		t.Percent = new(int64(0))
		current = append(current, t)
	}
	return current
}

// changed is next, or nil where that is as the Service is.
func changed(service, next *servingv1.Service) *servingv1.Service {
	if equality.Semantic.DeepEqual(service.Annotations, next.Annotations) &&
		equality.Semantic.DeepEqual(service.Spec.Traffic, next.Spec.Traffic) {
		return nil
	}
	return next
}

// readLeft reads what a Canary noted on a Service; nil where none did.
func readLeft(service *servingv1.Service) (*rollout.Left, error) {
	note := service.Annotations[CanaryAnnotation]
	if note == "" {
		return nil, nil //nolint:nilnil // the documented answer
	}
	left := new(rollout.Left)
	if err := json.Unmarshal([]byte(note), left); err != nil {
		return nil, fmt.Errorf("annotation %s of service %s/%s: %w", CanaryAnnotation, service.Namespace, service.Name, err)
	}
	return left, nil
}

// readInitial reads the traffic found at initialization.
func readInitial(service *servingv1.Service) (targets []servingv1.TrafficTarget, err error) {
	found := service.Annotations[InitialTrafficAnnotation]
	if found == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(found), &targets); err != nil {
		return nil, fmt.Errorf("annotation %s of service %s/%s: %w", InitialTrafficAnnotation, service.Namespace, service.Name, err)
	}
	return targets, nil
}
