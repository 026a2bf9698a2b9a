package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fakeKnative imitates Knative's controllers for one Service, a write at a time, so that
// whatever may be seen in between is seen.
type fakeKnative struct{ client client.Client }

// step makes the first write that is due, and reports whether there was one.
func (k fakeKnative) step(ctx context.Context, service *servingv1.Service, revisions []*servingv1.Revision) (bool, error) {
	service = service.DeepCopy()
	status := &service.Status
	before := status.DeepCopy()
	image := service.Spec.Template.Spec.Containers[0].Image
	newest := len(revisions) - 1
	if newest < 0 || revisions[newest].Spec.Containers[0].Image != image {
		return true, k.client.Create(ctx, newRevision(service, len(revisions)+1))
	}
	name := revisions[newest].Name
	unready := slices.IndexFunc(revisions, func(r *servingv1.Revision) bool { return !r.IsReady() })
	switch {
	case status.LatestCreatedRevisionName != name:
		status.LatestCreatedRevisionName = name
	case unready >= 0:
		revision := revisions[unready].DeepCopy()
		setCondition(&revision.Status.Status, servingv1.RevisionConditionReady, corev1.ConditionTrue, "")
		revision.Status.ObservedGeneration = revision.Generation
		return true, k.client.Status().Update(ctx, revision)
	case status.LatestReadyRevisionName != name:
		status.LatestReadyRevisionName = name
	case status.ObservedGeneration != service.Generation:
		status.ObservedGeneration = service.Generation
		setCondition(&status.Status, servingv1.ServiceConditionRoutesReady, corev1.ConditionUnknown, "Ingress has not yet been reconciled.")
	default:
		route(service, revisions)
		if equality.Semantic.DeepEqual(before, status) {
			return false, nil
		}
	}
	return true, k.client.Status().Update(ctx, service)
}

// newRevision is one of the Service's template, which is not ready yet.
func newRevision(service *servingv1.Service, number int) *servingv1.Revision {
	return &servingv1.Revision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, Name: fmt.Sprintf("%s-%05d", service.Name, number),
			Labels: map[string]string{serving.ServiceLabelKey: service.Name},
		},
		Spec: *service.Spec.Template.Spec.DeepCopy(),
	}
}

// route lets the Route follow spec.traffic, unless a revision in it is not ready.
func route(service *servingv1.Service, revisions []*servingv1.Revision) {
	status := &service.Status
	targets := service.Spec.Traffic
	if len(targets) == 0 {
		targets = []servingv1.TrafficTarget{{LatestRevision: new(true), Percent: new(int64(100))}}
	}
	shown := make([]servingv1.TrafficTarget, len(targets))
	for i, t := range targets {
		if t.RevisionName == "" {
			t.RevisionName = status.LatestReadyRevisionName
		}
		if t.Percent != nil && *t.Percent == 0 {
			t.Percent = nil // Knative leaves it out
		}
		shown[i] = t
		if !slices.ContainsFunc(revisions, func(r *servingv1.Revision) bool { return r.Name == t.RevisionName && r.IsReady() }) {
			setCondition(&status.Status, servingv1.ServiceConditionRoutesReady, corev1.ConditionFalse, "Revision "+t.RevisionName+" is not ready.")
			return
		}
	}
	status.Traffic = shown
	setCondition(&status.Status, servingv1.ServiceConditionRoutesReady, corev1.ConditionTrue, "")
}

func setCondition(status *duckv1.Status, kind apis.ConditionType, value corev1.ConditionStatus, message string) {
	condition := apis.Condition{Type: kind, Status: value, Message: message}
	for i := range status.Conditions {
		if status.Conditions[i].Type == kind {
			status.Conditions[i] = condition
			return
		}
	}
	status.Conditions = append(status.Conditions, condition)
}

// shares are a block's percentages by revision, without those of 0.
func shares(targets []servingv1.TrafficTarget) map[string]int64 {
	shares := make(map[string]int64)
	for _, t := range targets {
		if t.Percent != nil && *t.Percent != 0 {
			shares[t.RevisionName] += *t.Percent
		}
	}
	return shares
}

// tags are a block's tags, with their revisions.
func tags(targets []servingv1.TrafficTarget) map[string]string {
	tags := make(map[string]string)
	for _, t := range targets {
		if t.Tag != "" {
			tags[t.Tag] = t.RevisionName
		}
	}
	return tags
}

// block names a block's targets, for a failure.
func block(targets []servingv1.TrafficTarget) string {
	var parts []string
	for _, t := range targets {
		percent := int64(0)
		if t.Percent != nil {
			percent = *t.Percent
		}
		parts = append(parts, fmt.Sprintf("%s=%s:%d", t.Tag, t.RevisionName, percent))
	}
	return strings.Join(parts, " ")
}
