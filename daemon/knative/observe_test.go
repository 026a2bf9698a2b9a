package knative

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/daemon/rollout"
)

func conditions(c ...apis.Condition) duckv1.Status { return duckv1.Status{Conditions: c} }

func condition(kind apis.ConditionType, status corev1.ConditionStatus, reason, message string) apis.Condition {
	return apis.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

func TestObserveBelievesTheStatusNotTheSpec(t *testing.T) {
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{UID: "uid", Generation: 3, Annotations: map[string]string{PrimaryRevisionAnnotation: "a"}}}
	service.Spec.Traffic = []servingv1.TrafficTarget{{RevisionName: "b", Percent: new(int64(100))}}
	service.Status.Traffic = []servingv1.TrafficTarget{
		{RevisionName: "a", Tag: "primary", Percent: new(int64(90))},
		{RevisionName: "b", Percent: new(int64(10))},
		{RevisionName: "b", Tag: "canary"}, // Knative leaves 0 percent out
	}
	service.Status.Status = conditions(
		condition(servingv1.ServiceConditionReady, corev1.ConditionFalse, "RevisionMissing", "no b"),
		condition(servingv1.ServiceConditionRoutesReady, corev1.ConditionTrue, "", ""),
	)
	service.Status.ObservedGeneration = 2
	service.Status.LatestCreatedRevisionName, service.Status.LatestReadyRevisionName = "b", "a"
	got := Observe(service, nil)
	want := &rollout.Service{
		RouteReady: true, Message: "RevisionMissing: no b",
		LatestCreated: "b", LatestReady: "a", AnnotatedPrimary: "a",
		UID: "uid", Generation: 3, Spec: []rollout.Target{{Revision: "b", Percent: 100}},
		Traffic:   []rollout.Target{{Revision: "a", Tag: "primary", Percent: 90}, {Revision: "b", Percent: 10}, {Revision: "b", Tag: "canary"}},
		Revisions: map[string]rollout.Revision{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
	service.Status.ObservedGeneration = 3
	if !Observe(service, nil).Current {
		t.Error("a status of the current generation is not current")
	}
	if o := Observe(&servingv1.Service{}, nil); o.RouteReady || o.Left != nil || o.Message != "" {
		t.Errorf("a Service without status is observed as %+v", o)
	}
}

func TestRevisionsSayWhyTheyAreNotReady(t *testing.T) {
	const (
		ready   = servingv1.RevisionConditionReady
		healthy = servingv1.RevisionConditionContainerHealthy
		active  = servingv1.RevisionConditionActive
	)
	for _, tc := range []struct {
		name   string
		status duckv1.Status
		want   rollout.Revision
	}{
		{"ready", conditions(condition(ready, corev1.ConditionTrue, "", "")), rollout.Revision{Ready: true}},
		{"ready and scaled to zero", conditions(
			condition(ready, corev1.ConditionTrue, "", ""), condition(active, corev1.ConditionFalse, "NoTraffic", "not receiving traffic"),
		), rollout.Revision{Ready: true, Message: "NoTraffic: not receiving traffic"}},
		{"crashed", conditions(
			condition(ready, corev1.ConditionFalse, "ExitCode2", "container exited"), condition(healthy, corev1.ConditionFalse, "ExitCode2", "container exited"),
		), rollout.Revision{Failed: true, Message: "ExitCode2: container exited"}},
		{"coming up", conditions(
			condition(ready, corev1.ConditionUnknown, "Deploying", ""), condition(active, corev1.ConditionUnknown, "ImagePullBackOff", "no such image"),
		), rollout.Revision{Message: "ImagePullBackOff: no such image"}},
		{"nothing but a reason", conditions(condition(ready, corev1.ConditionUnknown, "Deploying", "")), rollout.Revision{Message: "Deploying"}},
		{"nothing known", duckv1.Status{}, rollout.Revision{}},
	} {
		revision := &servingv1.Revision{}
		revision.Status.Status = tc.status
		tc.want.Template = template(revision)
		if got := observeRevision(revision); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// What a revision runs is its template; who made it and when is not.
func TestTemplateIsWhatRuns(t *testing.T) {
	revision := func(edit func(*servingv1.Revision)) string {
		r := new(servingv1.Revision)
		r.Name = "podinfo-00001"
		r.Annotations = map[string]string{"serving.knative.dev/creator": "a", "autoscaling.knative.dev/min-scale": "1"}
		r.Spec.Containers = []corev1.Container{{Image: "podinfo:6.0.0", Command: []string{"./podinfo"}}}
		r.Status.ContainerStatuses = []servingv1.ContainerStatus{{Name: "user", ImageDigest: "sha256:1"}}
		edit(r)
		return template(r)
	}
	first := revision(func(*servingv1.Revision) {})
	if len(first) != 16 {
		t.Errorf("template %q", first)
	}
	for name, tc := range map[string]struct {
		edit func(*servingv1.Revision)
		same bool
	}{
		"another name":    {func(r *servingv1.Revision) { r.Name = "podinfo-00003" }, true},
		"another creator": {func(r *servingv1.Revision) { r.Annotations["serving.knative.dev/creator"] = "b" }, true},
		"another image":   {func(r *servingv1.Revision) { r.Spec.Containers[0].Image = "podinfo:6.0.1" }, false},
		"a moved tag":     {func(r *servingv1.Revision) { r.Status.ContainerStatuses[0].ImageDigest = "sha256:2" }, false},
		"another flag":    {func(r *servingv1.Revision) { r.Spec.Containers[0].Command = []string{"./podinfo", "-v"} }, false},
		"another scale":   {func(r *servingv1.Revision) { r.Annotations["autoscaling.knative.dev/min-scale"] = "2" }, false},
		"concurrency":     {func(r *servingv1.Revision) { r.Spec.ContainerConcurrency = new(int64(5)) }, false},
	} {
		if got := revision(tc.edit); (got == first) != tc.same {
			t.Errorf("%s: template %s after %s, want the same: %v", name, got, first, tc.same)
		}
	}
}
