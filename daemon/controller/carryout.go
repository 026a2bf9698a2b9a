package controller

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/alert"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/daemon/knative"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/daemon/session"
)

// carryOut does what was decided, in the order that package rollout asks for.
func (r *Reconciler) carryOut(ctx context.Context, canary *v1beta1.Canary, service *servingv1.Service, d rollout.Decision, load session.Load) error {
	if d.Release {
		r.publish(ctx, canary, d.Events)
		return r.release(ctx, canary)
	}
	if d.Traffic != nil && canary.DeletionTimestamp == nil && !controllerutil.ContainsFinalizer(canary, Finalizer) {
		// The write brings about the next call, with the finalizer in place.
		return r.setFinalizer(ctx, canary, controllerutil.AddFinalizer)
	}
	if err := r.writeStatus(ctx, canary, d.Status); err != nil {
		return err
	}
	r.publish(ctx, canary, d.Events)
	if err := r.moveTraffic(ctx, canary, service, d); err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(canary)
	r.Hooks.Call(key, d.Calls)
	if d.Measure == nil {
		r.Sessions.Stop(key)
		return nil
	}
	return r.Sessions.Measure(ctx, key, sessionSpec(canary, d.Measure, load), d.Measure.Check)
}

func (r *Reconciler) writeStatus(ctx context.Context, canary *v1beta1.Canary, status v1beta1.CanaryStatus) error {
	if equality.Semantic.DeepEqual(canary.Status, status) {
		return nil
	}
	before := canary.Status
	canary.Status = status
	if err := r.Client.Status().Update(ctx, canary); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	r.Metrics.Status(canary, &before)
	r.History.Status(canary, &before)
	return nil
}

// Publish publishes an event that is no decision's, on a Canary that exists.
func (r *Reconciler) Publish(ctx context.Context, key types.NamespacedName, kind, message string) {
	canary := new(v1beta1.Canary)
	if err := r.Client.Get(ctx, key, canary); err != nil {
		r.Log.WarnContext(ctx, message, "canary", key.String(), "error", err)
		return
	}
	r.publish(ctx, canary, []rollout.Event{{Type: kind, Message: message}})
}

// publish emits events and logs them, which is all the log that a rollout
// needs.
func (r *Reconciler) publish(ctx context.Context, canary *v1beta1.Canary, events []rollout.Event) {
	for _, e := range events {
		level := slog.LevelInfo
		if e.Type == corev1.EventTypeWarning {
			level = slog.LevelWarn
		}
		r.Log.Log(ctx, level, e.Message, "canary", canary.Namespace+"/"+canary.Name)
		r.Recorder.Event(canary, e.Type, eventReason, e.Message)
		r.History.Event(client.ObjectKeyFromObject(canary), e.Type, e.Message)
		if hooks := canary.Spec.Analysis.HooksOf(v1beta1.EventHook); len(hooks) > 0 {
			r.Hooks.Tell(client.ObjectKeyFromObject(canary), canary.Status.Phase, hooks, e.Type, e.Message)
		}
		if e.Alert != rollout.Quiet {
			r.Alerts.Send(alertFor(canary, e), canary.Spec.Analysis.Alerts)
		}
	}
}

// alertFor is an event with what one wants to know about it without looking.
func alertFor(canary *v1beta1.Canary, e rollout.Event) alert.Message {
	m := alert.Message{
		Canary: client.ObjectKeyFromObject(canary), Service: canary.Spec.TargetRef.Name,
		Text: e.Message, Severity: alert.Severity(e.Alert),
		Fields: []alert.Field{{Name: "Phase", Value: string(canary.Status.Phase)}, {Name: "Weight", Value: fmt.Sprintf("%d %%", canary.Status.CanaryWeight)}},
	}
	if a := canary.Status.Analysis; a != nil {
		m.Fields = append(m.Fields, alert.Field{Name: "Revisions", Value: fmt.Sprintf("%s against %s", a.CanaryRevision, a.PrimaryRevision)})
		if measured := a.Canary; measured != nil {
			m.Fields = append(m.Fields, alert.Field{Name: "Measured", Value: fmt.Sprintf("%d requests, %g %% success, p99 %g ms", measured.Requests, measured.SuccessRatePercent, measured.P99Milliseconds)})
		}
	}
	return m
}

// moveTraffic brings about the decided division, unless it is in place.
func (r *Reconciler) moveTraffic(ctx context.Context, canary *v1beta1.Canary, service *servingv1.Service, d rollout.Decision) error {
	next, err := wanted(service, d)
	if err != nil || next == nil {
		return err
	}
	isNew, truce := r.fights.overwritten(time.Now(), service, next)
	if truce > 0 {
		return &truceError{truce}
	}
	if isNew {
		r.publish(ctx, canary, []rollout.Event{{Type: corev1.EventTypeWarning, Message: r.blame(ctx, service), Alert: rollout.Warn}})
	}
	if err := r.confirm(ctx, canary); err != nil {
		return err
	}
	if err := (knative.Writer{Client: r.Client}).Write(ctx, service, next); err != nil {
		return err
	}
	r.fights.wrote(next)
	return nil
}

// truceError says that the traffic is left as it is for a while.
type truceError struct{ left time.Duration }

func (e *truceError) Error() string {
	return fmt.Sprintf("somebody else writes spec.traffic too; it is left alone for %s", e.left)
}

func wanted(service *servingv1.Service, d rollout.Decision) (*servingv1.Service, error) {
	switch {
	case d.Restore:
		return knative.Restore(service)
	case d.Traffic != nil:
		return knative.Divide(service, *d.Traffic)
	}
	return nil, nil //nolint:nilnil // as Divide: nothing to write
}

// confirm makes sure that the decision was made from the Canary as it is now.
func (r *Reconciler) confirm(ctx context.Context, canary *v1beta1.Canary) error {
	now := new(v1beta1.Canary)
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(canary), now); err != nil {
		return fmt.Errorf("confirm the decision: %w", err)
	}
	if now.ResourceVersion != canary.ResourceVersion {
		return apierrors.NewConflict(v1beta1.GroupVersion.WithResource("canaries").GroupResource(), canary.Name,
			fmt.Errorf("read at resourceVersion %s, now at %s", canary.ResourceVersion, now.ResourceVersion))
	}
	return nil
}

// release lets go of a Canary that is being deleted.
func (r *Reconciler) release(ctx context.Context, canary *v1beta1.Canary) error {
	r.stop(client.ObjectKeyFromObject(canary))
	r.fights.forget(types.NamespacedName{Namespace: canary.Namespace, Name: canary.Spec.TargetRef.Name})
	return client.IgnoreNotFound(r.setFinalizer(ctx, canary, controllerutil.RemoveFinalizer))
}

// setFinalizer writes nothing but the finalizer: the file may have fields that
// this version does not know.
func (r *Reconciler) setFinalizer(ctx context.Context, canary *v1beta1.Canary, edit func(client.Object, string) bool) error {
	before := canary.DeepCopy()
	edit(canary, Finalizer)
	return r.Client.Patch(ctx, canary, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

func sessionSpec(canary *v1beta1.Canary, m *rollout.Measure, load session.Load) session.Spec {
	host := canary.Spec.TargetRef.Name + "." + canary.Namespace
	target := func(tag, revision string) session.Target {
		return session.Target{Revision: revision, Host: tag + "-" + host, Address: hosts.TagAddress(host)}
	}
	return session.Spec{
		Primary: target(rollout.PrimaryTag, m.Primary),
		Canary:  target(rollout.CanaryTag, m.Canary),
		Load:    load,
		Judge:   session.JudgeFor(canary, load),
	}
}
