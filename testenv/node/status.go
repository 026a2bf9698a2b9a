package node

import (
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	autoscalingv1alpha1 "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// replicas is what is to be reported of all pods of a revision.
type replicas struct {
	wanted, ready int32
	// reason and message are those of a pod that is not ready.
	reason, message string
}

func count(wanted int32, states map[string]state) replicas {
	sum := replicas{wanted: wanted}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		if s := states[name]; s.address != "" {
			sum.ready++
		} else {
			sum.reason, sum.message = s.reason, s.trouble()
		}
	}
	return sum
}

// describeDeployment writes what the Deployment controller would. A Deployment
// that has not been complete once within its progress deadline has failed to
// progress; before, again says how long that will be.
func (s replicas) describeDeployment(d *appsv1.Deployment, now time.Time) (again time.Duration) {
	d.Status.ObservedGeneration = d.Generation
	d.Status.Replicas, d.Status.UpdatedReplicas = s.wanted, s.wanted
	d.Status.ReadyReplicas, d.Status.AvailableReplicas = s.ready, s.ready
	d.Status.UnavailableReplicas = s.wanted - s.ready
	if s.ready >= s.wanted {
		setCondition(d, appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable", "Deployment has minimum availability.")
		setCondition(d, appsv1.DeploymentProgressing, corev1.ConditionTrue, complete, "ReplicaSet has successfully progressed.")
		return 0
	}
	setCondition(d, appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable", s.message)
	if progressing(d) == nil {
		setCondition(d, appsv1.DeploymentProgressing, corev1.ConditionTrue, "ReplicaSetUpdated", "ReplicaSet is progressing.")
	}
	was := progressing(d)
	if was.Reason == complete || was.Status != corev1.ConditionTrue || d.Spec.ProgressDeadlineSeconds == nil {
		return 0
	}
	deadline := was.LastUpdateTime.Add(time.Duration(*d.Spec.ProgressDeadlineSeconds) * time.Second)
	if left := deadline.Sub(now); left > 0 {
		return left
	}
	setCondition(d, appsv1.DeploymentProgressing, corev1.ConditionFalse, servingv1.ReasonProgressDeadlineExceeded, "ReplicaSet has timed out progressing.")
	return 0
}

// complete is the reason of a Deployment all of whose pods have been ready.
const complete = "NewReplicaSetAvailable"

func progressing(d *appsv1.Deployment) *appsv1.DeploymentCondition {
	for i := range d.Status.Conditions {
		if d.Status.Conditions[i].Type == appsv1.DeploymentProgressing {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

// setCondition keeps the times of a condition that has not changed.
func setCondition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason, message string) {
	now := metav1.Now()
	condition := appsv1.DeploymentCondition{Type: kind, Status: status, Reason: reason, Message: message, LastUpdateTime: now, LastTransitionTime: now}
	for i := range d.Status.Conditions {
		old := &d.Status.Conditions[i]
		if old.Type != kind {
			continue
		}
		if old.Status == status {
			condition.LastTransitionTime = old.LastTransitionTime
		}
		if old.Status == status && old.Reason == reason && old.Message == message {
			return
		}
		*old = condition
		return
	}
	d.Status.Conditions = append(d.Status.Conditions, condition)
}

// describeScaler writes what Knative's autoscaler would.
func (s replicas) describeScaler(pa *autoscalingv1alpha1.PodAutoscaler) {
	status := &pa.Status
	status.InitializeConditions()
	status.ObservedGeneration = pa.Generation
	status.ServiceName = pa.Name
	status.MetricsServiceName = pa.Name + "-private"
	status.DesiredScale, status.ActualScale = new(s.wanted), new(s.ready)
	switch {
	case s.wanted == 0:
		status.MarkSKSReady()
		status.MarkInactive("NoTraffic", "The target is not receiving traffic.")
	case s.ready < s.needed(status):
		status.MarkSKSNotReady("No pod is ready.")
		status.MarkActivating(s.activating())
	default:
		status.MarkSKSReady()
		status.MarkActive()
		status.MarkScaleTargetInitialized()
	}
}

// needed is how many pods make a revision active: all at first, then any.
func (s replicas) needed(status *autoscalingv1alpha1.PodAutoscalerStatus) int32 {
	if status.IsScaleTargetInitialized() {
		return 1
	}
	return s.wanted
}

// activating is the reason and message of a revision that is not active yet.
// Knative's autoscaler always says Queued; the trouble of a pod, if it has
// one, says more, and so is readable on the Revision.
func (s replicas) activating() (reason, message string) {
	switch s.reason {
	case crashLoop, imagePull:
		return s.reason, s.message
	}
	return "Queued", "Requests to the target are being buffered as resources are provisioned."
}
