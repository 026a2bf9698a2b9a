package node

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	autoscalingv1alpha1 "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
)

// replicas is what is to be reported of a revision.
type replicas struct {
	wanted, ready int32
	trouble       string
}

// describeDeployment writes what the Deployment controller would.
func (s replicas) describeDeployment(d *appsv1.Deployment) {
	d.Status.ObservedGeneration = d.Generation
	d.Status.Replicas, d.Status.UpdatedReplicas = s.wanted, s.wanted
	d.Status.ReadyReplicas, d.Status.AvailableReplicas = s.ready, s.ready
	d.Status.UnavailableReplicas = s.wanted - s.ready
	if s.ready >= s.wanted {
		setCondition(d, appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable", "Deployment has minimum availability.")
		setCondition(d, appsv1.DeploymentProgressing, corev1.ConditionTrue, "NewReplicaSetAvailable", "ReplicaSet has successfully progressed.")
		return
	}
	setCondition(d, appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable", s.trouble)
	if progressing(d) == nil {
		setCondition(d, appsv1.DeploymentProgressing, corev1.ConditionTrue, "ReplicaSetUpdated", "ReplicaSet is progressing.")
	}
}

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
	case s.ready == 0:
		status.MarkSKSNotReady(fmt.Sprintf("no pod is ready: %s", s.trouble))
		status.MarkActivating("Queued", "Requests to the target are being buffered as resources are provisioned.")
	default:
		status.MarkSKSReady()
		status.MarkActive()
		if s.ready >= s.wanted {
			status.MarkScaleTargetInitialized()
		}
	}
}
