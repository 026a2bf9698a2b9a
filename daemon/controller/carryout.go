package controller

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/alert"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/daemon/knative"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/daemon/session"
)

// carryOut does what was decided, in the order that package rollout asks for. The
// result is how long to wait before the division is put back; 0 where it is in
// place.
func (r *Reconciler) carryOut(ctx context.Context, canary *v1beta1.Canary, service *servingv1.Service, d rollout.Decision, load session.Load) (putBack time.Duration, err error) {
	kept, err := r.writeStatus(ctx, canary, d.Status)
	if err != nil || !kept {
		return 0, err
	}
	r.publish(ctx, canary, d.Events)
	if putBack, err = r.moveTraffic(ctx, canary, service, d); err != nil {
		return 0, err
	}
	key := client.ObjectKeyFromObject(canary)
	r.Hooks.Call(key, d.Calls)
	if d.Measure == nil {
		r.Sessions.Stop(key)
		return putBack, nil
	}
	return putBack, r.Sessions.Measure(ctx, key, sessionSpec(canary, d.Measure, load), d.Measure.Check)
}

// writeStatus reports false, after it has seen to it, where the API server has not
// kept what was written.
func (r *Reconciler) writeStatus(ctx context.Context, canary *v1beta1.Canary, status v1beta1.CanaryStatus) (kept bool, err error) {
	if equality.Semantic.DeepEqual(canary.Status, status) {
		return true, nil
	}
	before := canary.Status
	canary.Status = status
	if err := r.updateStatus(ctx, canary); err != nil {
		return false, fmt.Errorf("write status: %w", err)
	}
	if fields := lost(&status, &canary.Status); len(fields) > 0 {
		return false, r.halt(ctx, canary, fields)
	}
	r.Metrics.Status(canary, &before)
	r.History.Status(canary, &before)
	return true, nil
}

// updateStatus writes the Canary's status, and replaces the Canary by what the API
// server made of it. The typed client would leave fields as they were sent that the
// server has dropped.
func (r *Reconciler) updateStatus(ctx context.Context, canary *v1beta1.Canary, options ...client.SubResourceUpdateOption) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(canary)
	if err != nil {
		return err
	}
	raw := &unstructured.Unstructured{Object: content}
	raw.SetGroupVersionKind(v1beta1.GroupVersion.WithKind("Canary"))
	if err := r.Client.Status().Update(ctx, raw, options...); err != nil {
		return err
	}
	kept := new(v1beta1.Canary)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, kept); err != nil {
		return err
	}
	*canary = *kept
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

// moveTraffic brings about the decided division, unless it is in place. Where it was
// put back a moment ago, it says how long to wait.
func (r *Reconciler) moveTraffic(ctx context.Context, canary *v1beta1.Canary, service *servingv1.Service, d rollout.Decision) (wait time.Duration, err error) {
	if d.Traffic == nil {
		return 0, nil
	}
	next, err := knative.Divide(service, *d.Traffic, rollout.Left{
		Canary: canary.Name, UID: canary.UID, Revert: canary.Spec.RevertOnDeletion, Failed: d.Status.Failed,
	}, d.Drop...)
	if err != nil || next == nil {
		return 0, err
	}
	if wait := r.pace.wait(time.Now(), next); wait > 0 {
		return wait, nil
	}
	if err := r.confirm(ctx, canary); err != nil {
		return 0, err
	}
	if err := (knative.Writer{Client: r.Client}).Write(ctx, service, next); err != nil {
		return 0, err
	}
	r.pace.wrote(time.Now(), next)
	return 0, nil
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
