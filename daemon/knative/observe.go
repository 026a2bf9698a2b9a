package knative

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/daemon/rollout"
)

// The annotations that Serin keeps on a Service.
const (
	// PrimaryRevisionAnnotation names the primary revision. It is Flagger's.
	PrimaryRevisionAnnotation = "flagger.app/primary-revision"
	// InitialTrafficAnnotation holds spec.traffic as it was found at
	// initialization, in JSON, for revertOnDeletion.
	InitialTrafficAnnotation = "serin.dev/initial-traffic"
	// CanaryAnnotation names the Canary and says what is to be undone when it is
	// gone: a rollout.Left, in JSON.
	CanaryAnnotation = "serin.dev/canary"
)

// Observe sums up a Service and its revisions.
func Observe(service *servingv1.Service, revisions []servingv1.Revision) *rollout.Service {
	o := &rollout.Service{
		UID: service.UID, Generation: service.Generation,
		Current:          service.Status.ObservedGeneration == service.Generation,
		RouteReady:       service.Status.GetCondition(servingv1.ServiceConditionRoutesReady).IsTrue(),
		Message:          explain(service.Status.GetCondition(servingv1.ServiceConditionReady)),
		LatestCreated:    service.Status.LatestCreatedRevisionName,
		LatestReady:      service.Status.LatestReadyRevisionName,
		AnnotatedPrimary: service.Annotations[PrimaryRevisionAnnotation],
		Spec:             targets(service.Spec.Traffic),
		Revisions:        make(map[string]rollout.Revision, len(revisions)),
	}
	o.Traffic = targets(service.Status.Traffic)
	o.SpecWriter, o.SpecTime = specWriter(service)
	if left, err := readLeft(service); err == nil && left != nil { // a note that somebody has broken is none
		o.Left = left
		initial, err := readInitial(service)
		if err != nil {
			o.Left.Problem = err.Error()
		}
		o.Left.Initial = targets(initial)
	}
	for i := range revisions {
		o.Revisions[revisions[i].Name] = observeRevision(&revisions[i])
	}
	return o
}

func targets(from []servingv1.TrafficTarget) []rollout.Target {
	var to []rollout.Target
	for _, t := range from {
		to = append(to, rollout.Target{Revision: t.RevisionName, Tag: t.Tag, Percent: percent(t)})
	}
	return to
}

func observeRevision(revision *servingv1.Revision) rollout.Revision {
	status := &revision.Status
	ready := status.GetCondition(servingv1.RevisionConditionReady)
	return rollout.Revision{
		UID:      revision.UID,
		Ready:    revision.IsReady(),
		Failed:   ready.IsFalse(),
		Template: template(revision),
		Message: explain(ready,
			status.GetCondition(servingv1.RevisionConditionContainerHealthy),
			status.GetCondition(servingv1.RevisionConditionResourcesAvailable),
			// Says why no pod comes up while the others still hope.
			status.GetCondition(servingv1.RevisionConditionActive)),
	}
}

// templateAnnotations begin the annotations of a revision that change how it
// runs; the others say who made it and when.
var templateAnnotations = []string{"autoscaling.knative.dev/", "features.knative.dev/", "queue.sidecar.serving.knative.dev/"}

// template is a hash of what a revision runs: its specification, with the
// digests that its images had, as a tag may have been moved since. Empty where
// it cannot be told.
func template(revision *servingv1.Revision) string {
	runs := struct {
		Spec        servingv1.RevisionSpec
		Annotations map[string]string
		Images      []servingv1.ContainerStatus
	}{Spec: revision.Spec, Annotations: map[string]string{}, Images: revision.Status.ContainerStatuses}
	for key, value := range revision.Annotations {
		for _, prefix := range templateAnnotations {
			if strings.HasPrefix(key, prefix) {
				runs.Annotations[key] = value
			}
		}
	}
	content, err := json.Marshal(runs)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// explain takes the first condition that has a message, or else a reason.
func explain(conditions ...*apis.Condition) string {
	reason := ""
	for _, c := range conditions {
		switch {
		case c == nil || c.Status == corev1.ConditionTrue:
		case c.Message != "" && c.Reason != "":
			return fmt.Sprintf("%s: %s", c.Reason, c.Message)
		case c.Message != "":
			return c.Message
		case reason == "":
			reason = c.Reason
		}
	}
	return reason
}

// percent of a target; Knative leaves it out where it is 0.
func percent(t servingv1.TrafficTarget) int64 {
	if t.Percent == nil {
		return 0
	}
	return *t.Percent
}

// Noted is what a Canary noted on a Service to be undone when it is gone; nil where
// none did, or the note cannot be read.
func Noted(service *servingv1.Service) *rollout.Left {
	left, err := readLeft(service)
	if err != nil {
		return nil
	}
	return left
}
