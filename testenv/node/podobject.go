package node

import (
	"context"
	"errors"
	"os/exec"
	"syscall"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/serving/pkg/apis/serving"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// nodeName is the name of the machine on which Pods say that they run.
const nodeName = "laptop"

// reportPods makes the Pod objects of a Deployment be those of the node's
// pods. Knative reads from them why a container does not come up, and so do
// people, with kubectl get pods.
func (r *Reconciler) reportPods(ctx context.Context, d *appsv1.Deployment, states map[string]state) error {
	var list corev1.PodList
	labels := client.MatchingLabels{serving.RevisionLabelKey: d.Labels[serving.RevisionLabelKey]}
	if err := r.Client.List(ctx, &list, client.InNamespace(d.Namespace), labels); err != nil {
		return err
	}
	known := make(map[string]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		object := &list.Items[i]
		known[object.Name] = object
		if _, ok := states[object.Name]; ok {
			continue
		}
		if err := r.Client.Delete(ctx, object, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	for name, s := range states {
		object := known[name]
		if object == nil {
			object = newPodObject(d, name)
			// One that is there already is on its way into the cache.
			if err := r.Client.Create(ctx, object); apierrors.IsAlreadyExists(err) {
				continue
			} else if err != nil {
				return err
			}
		}
		old := object.Status.DeepCopy()
		s.describePod(object)
		if equality.Semantic.DeepEqual(old, &object.Status) {
			continue
		}
		if err := r.Client.Status().Update(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func newPodObject(d *appsv1.Deployment, name string) *corev1.Pod {
	object := &corev1.Pod{
		ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(),
		Spec:       *d.Spec.Template.Spec.DeepCopy(),
	}
	object.Namespace, object.Name = d.Namespace, name
	object.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
	object.Spec.NodeName = nodeName
	// Whoever deletes the object need not wait for a kubelet to confirm it.
	object.Spec.TerminationGracePeriodSeconds = new(int64(0))
	return object
}

// describePod writes what kubelet would.
func (s state) describePod(object *corev1.Pod) {
	ready := corev1.ConditionFalse
	if s.address != "" {
		ready = corev1.ConditionTrue
	}
	object.Status.Phase = corev1.PodPending
	if !s.started.IsZero() || s.ended != nil {
		object.Status.Phase = corev1.PodRunning
	}
	setPodCondition(object, corev1.PodScheduled, corev1.ConditionTrue)
	setPodCondition(object, corev1.ContainersReady, ready)
	setPodCondition(object, corev1.PodReady, ready)
	object.Status.ContainerStatuses = nil
	for _, c := range object.Spec.Containers {
		status := s.container()
		if c.Name == queueProxy {
			status = corev1.ContainerStatus{Ready: s.address != "", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: object.CreationTimestamp}}}
		}
		status.Name, status.Image = c.Name, c.Image
		object.Status.ContainerStatuses = append(object.Status.ContainerStatuses, status)
	}
}

// container is the status of the user's container.
func (s state) container() corev1.ContainerStatus {
	status := corev1.ContainerStatus{Ready: s.address != "", RestartCount: s.restarts}
	status.LastTerminationState.Terminated = s.ended
	if s.started.IsZero() {
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: s.reason, Message: s.message}
	} else {
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: s.started}
	}
	return status
}

func setPodCondition(object *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus) {
	for i := range object.Status.Conditions {
		if c := &object.Status.Conditions[i]; c.Type == kind {
			if c.Status != status {
				c.Status, c.LastTransitionTime = status, metav1.Now()
			}
			return
		}
	}
	object.Status.Conditions = append(object.Status.Conditions, corev1.PodCondition{Type: kind, Status: status, LastTransitionTime: metav1.Now()})
}

// exitSignal is the signal that ended a process, or zero.
func exitSignal(err error) int32 {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return int32(status.Signal())
		}
	}
	return 0
}
