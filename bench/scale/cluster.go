package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

const (
	namespace = "default"
	bound     = 30 * time.Minute // of whatever is waited for
)

func name(n int) string { return fmt.Sprintf("podinfo-%04d", n) }

func service(n int) *servingv1.Service {
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name(n)}}
	s.Spec.Template.Spec.Containers = []corev1.Container{{
		Image: "ghcr.io/stefanprodan/podinfo:6.0.0", Ports: []corev1.ContainerPort{{ContainerPort: 9898}},
		Command: []string{"./podinfo", "--port=9898", "--port-metrics=9797", "--grpc-port=9999", "--level=panic"},
		Env:     []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "8MiB"}},
	}}
	return s
}

func canary(n int) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name(n)}}
	c.Spec.TargetRef = v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: name(n)}
	c.Spec.Analysis = v1beta1.Analysis{
		Interval: "15s", StepWeight: new(int32(25)), MaxWeight: new(int32(50)), Threshold: 5,
		Metrics: []v1beta1.Metric{{Name: v1beta1.MetricSuccessRate, ThresholdRange: &v1beta1.ThresholdRange{Min: new(50.0)}}},
	}
	return c
}

// each does something for all numbers below n, some at a time.
func each(ctx context.Context, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, 16)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

func (b *bench) createServices(ctx context.Context) error {
	if err := each(ctx, b.canaries, func(ctx context.Context, n int) error { return b.env.Client.Create(ctx, service(n)) }); err != nil {
		return err
	}
	return b.await(ctx, "Services that are ready", func(ctx context.Context) (int, error) {
		var list servingv1.ServiceList
		err := b.env.Client.List(ctx, &list, client.InNamespace(namespace))
		ready := 0
		for i := range list.Items {
			if list.Items[i].IsReady() {
				ready++
			}
		}
		return ready, err
	})
}

func (b *bench) createCanaries(ctx context.Context) error {
	if err := each(ctx, b.canaries, func(ctx context.Context, n int) error { return b.env.Client.Create(ctx, canary(n)) }); err != nil {
		return err
	}
	return b.await(ctx, "Canaries that are initialized", func(ctx context.Context) (int, error) {
		var list v1beta1.CanaryList
		err := b.env.Client.List(ctx, &list, client.InNamespace(namespace))
		initialized := 0
		for i := range list.Items {
			if list.Items[i].Status.Phase == v1beta1.PhaseInitialized {
				initialized++
			}
		}
		return initialized, err
	})
}

// await waits until there are as many as there are Canaries.
func (b *bench) await(ctx context.Context, what string, count func(context.Context) (int, error)) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	for {
		n, err := count(ctx)
		if err != nil {
			return err
		}
		if n == b.canaries {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d %s: %w", n, b.canaries, what, ctx.Err())
		}
	}
}

// rollOut pushes a revision to some Services, from the one of a number on, with
// a pause after each, and waits until all are promoted.
func (b *bench) rollOut(ctx context.Context, from int, pause time.Duration) (*times, error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watcher, err := client.NewWithWatch(b.env.Config, client.Options{Scheme: b.env.Client.Scheme()})
	if err != nil {
		return nil, err
	}
	revisions, err := watcher.Watch(ctx, &servingv1.RevisionList{}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	defer revisions.Stop()
	canaries, err := watcher.Watch(ctx, &v1beta1.CanaryList{}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	defer canaries.Stop()
	var pushing sync.WaitGroup
	defer pushing.Wait()
	defer stop(nil) // before it
	pushing.Go(func() {
		if err := b.push(ctx, from, pause); err != nil {
			stop(err)
		}
	})
	return b.watch(ctx, revisions.ResultChan(), canaries.ResultChan(), from)
}

// push pushes the revisions: all at once where there is no pause.
func (b *bench) push(ctx context.Context, from int, pause time.Duration) error {
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/min-scale":"1"}}}}}`))
	if pause == 0 {
		return each(ctx, b.rolling, func(ctx context.Context, n int) error { return b.env.Client.Patch(ctx, service(from+n), patch) })
	}
	for n := range b.rolling {
		if err := b.env.Client.Patch(ctx, service(from+n), patch); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// watch takes the times of the rollouts until all are promoted. A watch begins
// with what is there, so others are told of too.
func (b *bench) watch(ctx context.Context, revisions, canaries <-chan watch.Event, from int) (*times, error) {
	t := newTimes()
	for n := range b.rolling {
		t.about[name(from+n)] = true
	}
	for len(t.promoted) < b.rolling {
		select {
		case event := <-revisions:
			if r, ok := event.Object.(*servingv1.Revision); ok {
				t.sawRevision(r)
			}
		case event := <-canaries:
			if c, ok := event.Object.(*v1beta1.Canary); ok {
				if err := t.sawCanary(c); err != nil {
					return nil, err
				}
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return t, nil
}

// times are when something was first seen, by revision.
type times struct {
	created, ready, detected, measured map[string]time.Time
	about, promoted                    map[string]bool // Canaries
}

func newTimes() *times {
	return &times{
		created: map[string]time.Time{}, ready: map[string]time.Time{}, detected: map[string]time.Time{}, measured: map[string]time.Time{},
		about: map[string]bool{}, promoted: map[string]bool{},
	}
}

func first(seen map[string]time.Time, revision string) {
	if _, known := seen[revision]; !known {
		seen[revision] = time.Now()
	}
}

func (t *times) sawRevision(r *servingv1.Revision) {
	first(t.created, r.Name)
	if r.IsReady() {
		first(t.ready, r.Name)
	}
}

func (t *times) sawCanary(c *v1beta1.Canary) error {
	a := c.Status.Analysis
	if a == nil || !t.about[c.Name] {
		return nil
	}
	first(t.detected, a.CanaryRevision)
	if a.Stage == v1beta1.StageMeasuring {
		first(t.measured, a.CanaryRevision)
	}
	switch c.Status.Phase {
	case v1beta1.PhaseSucceeded:
		t.promoted[c.Name] = true
	case v1beta1.PhaseFailed:
		return fmt.Errorf("canary %s failed: %s", c.Name, a.Message)
	default:
	}
	return nil
}

// between are the times from one to the other, in order, of the revisions that
// were measured.
func (t *times) between(from, to map[string]time.Time) []time.Duration {
	var took []time.Duration
	for revision := range t.measured {
		took = append(took, max(to[revision].Sub(from[revision]), 0))
	}
	slices.Sort(took)
	return took
}

// quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Round(time.Millisecond)
}
