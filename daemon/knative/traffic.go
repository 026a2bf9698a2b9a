package knative

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/daemon/rollout"
)

// divide returns the traffic block that divides the live traffic as wanted and
// keeps the user's tagged targets of the current one.
func divide(current []servingv1.TrafficTarget, want rollout.Traffic) []servingv1.TrafficTarget {
	targets := []servingv1.TrafficTarget{pin(want.Primary, rollout.PrimaryTag, 100-int64(want.Weight))}
	if want.Canary != "" {
		targets = append(targets, pin(want.Canary, rollout.CanaryTag, int64(want.Weight)))
	}
	for _, t := range current {
		if t.Tag == "" || t.Tag == rollout.PrimaryTag || t.Tag == rollout.CanaryTag {
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

// Divide returns a copy of the Service with the wanted division, or nil where
// that is in place already.
func Divide(service *servingv1.Service, want rollout.Traffic) (*servingv1.Service, error) {
	next := service.DeepCopy()
	if next.Annotations == nil {
		next.Annotations = make(map[string]string)
	}
	if _, ok := next.Annotations[InitialTrafficAnnotation]; !ok {
		found, err := json.Marshal(service.Spec.Traffic)
		if err != nil {
			return nil, fmt.Errorf("keep the traffic of service %s/%s: %w", service.Namespace, service.Name, err)
		}
		next.Annotations[InitialTrafficAnnotation] = string(found)
	}
	next.Annotations[PrimaryRevisionAnnotation] = want.Primary
	next.Spec.Traffic = divide(service.Spec.Traffic, want)
	if equality.Semantic.DeepEqual(service.Annotations, next.Annotations) &&
		equality.Semantic.DeepEqual(service.Spec.Traffic, next.Spec.Traffic) {
		return nil, nil //nolint:nilnil // the documented answer
	}
	return next, nil
}

// Restore returns a copy of the Service with the traffic block found at
// initialization and without Serin's annotations, or nil for a Service that
// Serin does not manage. Where that block is lost or was empty, the latest
// revision gets everything, Knative's own default.
func Restore(service *servingv1.Service) (*servingv1.Service, error) {
	if service.Annotations[PrimaryRevisionAnnotation] == "" {
		return nil, nil //nolint:nilnil // the documented answer
	}
	next := service.DeepCopy()
	next.Spec.Traffic = nil
	if found := service.Annotations[InitialTrafficAnnotation]; found != "" {
		if err := json.Unmarshal([]byte(found), &next.Spec.Traffic); err != nil {
			return nil, fmt.Errorf("annotation %s of service %s/%s: %w", InitialTrafficAnnotation, service.Namespace, service.Name, err)
		}
	}
	if len(next.Spec.Traffic) == 0 {
		next.Spec.Traffic = []servingv1.TrafficTarget{{LatestRevision: new(true), Percent: new(int64(100))}}
	}
	delete(next.Annotations, InitialTrafficAnnotation)
	delete(next.Annotations, PrimaryRevisionAnnotation)
	return next, nil
}
