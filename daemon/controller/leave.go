package controller

import (
	"context"
	"fmt"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/alert"
	"github.com/serin-dev/serin/daemon/knative"
	"github.com/serin-dev/serin/daemon/rollout"
)

// Finalizer is what earlier versions put on Canaries. It is taken off: what a
// Canary leaves is noted on its Service, so that no deletion waits for a daemon
// that may be gone, or without rights.
const Finalizer = "serin.dev/canary"

// noteIndex indexes Services by the Canary that is noted on them.
const noteIndex = "serin.dev/canary"

// noted is the name of the Canary that is noted on a Service.
func noted(o client.Object) []string {
	left := knative.Noted(o.(*servingv1.Service))
	if left == nil {
		return nil
	}
	return []string{left.Canary}
}

// gone ends what runs for a Canary that does not exist any more, or is not Serin's
// any more, and leaves its Services in good order.
func (r *Reconciler) gone(ctx context.Context, key types.NamespacedName, canary *v1beta1.Canary) error {
	r.stop(key)
	r.pruned.note(key, false)
	r.rivals.note(key, "")
	if canary != nil && controllerutil.ContainsFinalizer(canary, Finalizer) {
		if err := client.IgnoreNotFound(r.removeFinalizer(ctx, canary)); err != nil {
			return err
		}
	}
	return r.leaveOthers(ctx, key, "", "")
}

// leaveOthers leaves the Services on which a Canary of that name is noted, but for
// the one that is named, if the note is of that Canary's life.
func (r *Reconciler) leaveOthers(ctx context.Context, key types.NamespacedName, service string, uid types.UID) error {
	var services servingv1.ServiceList
	if err := r.Client.List(ctx, &services, client.InNamespace(key.Namespace), client.MatchingFields{noteIndex: key.Name}); err != nil {
		return fmt.Errorf("list the services of canary %s: %w", key, err)
	}
	for i := range services.Items {
		s := &services.Items[i]
		if s.Name == service && knative.Noted(s).UID == uid {
			continue
		}
		if err := r.leave(ctx, client.ObjectKeyFromObject(s)); err != nil {
			return err
		}
	}
	return nil
}

// leave undoes what a Canary that is gone did to a Service. Everything is read from
// the API server itself: a cache may not have the Canary yet.
func (r *Reconciler) leave(ctx context.Context, key types.NamespacedName) error {
	service, observed, err := observe(ctx, r.Live, key)
	if err != nil || service == nil || service.DeletionTimestamp != nil || observed.Left == nil {
		return err
	}
	var canaries v1beta1.CanaryList
	if err := r.Live.List(ctx, &canaries, client.InNamespace(key.Namespace)); err != nil {
		return fmt.Errorf("list the canaries of service %s: %w", key, err)
	}
	for i := range canaries.Items {
		c := &canaries.Items[i]
		if c.UID == observed.Left.UID && acts(c) && c.Spec.TargetRef.Name == key.Name {
			return nil // it is there after all
		}
	}
	departure := rollout.Leave(observed, observed.Left.Canary+"."+key.Namespace)
	next, err := knative.Depart(service, observed, departure)
	if err != nil || next == nil {
		return err
	}
	if err := (knative.Writer{Client: r.Client}).Write(ctx, service, next); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	r.pace.forget(key)
	r.publishLeft(ctx, service, observed.Left.Canary, departure.Events)
	return nil
}

// acts reports whether a Canary is one that Serin acts on.
func acts(c *v1beta1.Canary) bool { return c.Ours() && c.DeletionTimestamp == nil }

// publishLeft publishes the last events of a Canary, on its Service.
func (r *Reconciler) publishLeft(ctx context.Context, service *servingv1.Service, canary string, events []rollout.Event) {
	for _, e := range events {
		level := slog.LevelInfo
		if e.Type == corev1.EventTypeWarning {
			level = slog.LevelWarn
		}
		r.Log.Log(ctx, level, e.Message, "service", service.Namespace+"/"+service.Name)
		r.Recorder.Event(service, e.Type, eventReason, e.Message)
		if e.Alert != rollout.Quiet {
			r.Alerts.Send(alert.Message{
				Canary:  types.NamespacedName{Namespace: service.Namespace, Name: canary},
				Service: service.Name, Text: e.Message, Severity: alert.Severity(e.Alert),
			}, nil)
		}
	}
}

// removeFinalizer writes nothing but the finalizer: the file may have fields that
// this version does not know.
func (r *Reconciler) removeFinalizer(ctx context.Context, canary *v1beta1.Canary) error {
	before := canary.DeepCopy()
	controllerutil.RemoveFinalizer(canary, Finalizer)
	return r.Client.Patch(ctx, canary, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
