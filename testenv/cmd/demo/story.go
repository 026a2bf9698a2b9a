package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

// The guide checks every 15 s and allows 15 failed checks; a demo is shorter.
const (
	demoInterval  = "3s"
	demoThreshold = 2
)

// patience bounds one rollout.
const patience = 3 * time.Minute

// rollout is one act: what the user changes, and how it should end.
type rollout struct {
	title   string
	want    v1beta1.Phase
	because string // part of the reason for a rollback
	change  func(*servingv1.Service, *v1beta1.Canary)
}

var rollouts = []rollout{
	{
		title: "podinfo 6.0.1, as good as 6.0.0", want: v1beta1.PhaseSucceeded,
		change: func(s *servingv1.Service, _ *v1beta1.Canary) { setImage(s, "6.0.1") },
	},
	{
		title: "podinfo 6.0.2, with --random-error=true", want: v1beta1.PhaseFailed, because: "success rate",
		change: func(s *servingv1.Service, _ *v1beta1.Canary) {
			setImage(s, "6.0.2")
			setFlag(s, "--random-error=true")
		},
	},
	{
		title: "podinfo 6.0.3, asked for /delay/1", want: v1beta1.PhaseFailed, because: "request duration",
		change: func(s *servingv1.Service, c *v1beta1.Canary) {
			setImage(s, "6.0.3")
			setFlag(s, "--random-error=false")
			c.Spec.Analysis.Webhooks[0].Metadata["cmd"] = "hey -z 1m -q 5 -c 2 http://podinfo.test/delay/1"
		},
	},
}

func setImage(s *servingv1.Service, tag string) {
	s.Spec.Template.Spec.Containers[0].Image = "ghcr.io/stefanprodan/podinfo:" + tag
}

// setFlag replaces the last argument of the command, --random-error.
func setFlag(s *servingv1.Service, flag string) {
	command := s.Spec.Template.Spec.Containers[0].Command
	command[len(command)-1] = flag
}

// result is how a rollout ended.
type result struct {
	rollout
	status v1beta1.CanaryStatus
}

// play sets the scene and goes through the rollouts.
func play(ctx context.Context, out narrator, s *stage, examples string) ([]result, error) {
	service, canary := new(servingv1.Service), new(v1beta1.Canary)
	if err := errors.Join(read(examples, "service.yaml", service), read(examples, "canary.yaml", canary)); err != nil {
		return nil, err
	}
	out.act("A Service and its Canary (kubectl apply -f %s)", examples)
	begin := time.Now()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: service.Namespace}}
	guide := canary.Spec.Analysis
	canary.Spec.Analysis.Interval, canary.Spec.Analysis.Threshold = demoInterval, demoThreshold
	for _, object := range []client.Object{namespace, service, canary} {
		if err := s.client.Create(ctx, object); err != nil {
			return nil, err
		}
	}
	out.say("    The guide's own values, but interval %s instead of %s and threshold %d instead of %d, to be quick.",
		demoInterval, guide.Interval, demoThreshold, guide.Threshold)
	done := func(c *v1beta1.Canary) bool { return c.Status.Phase == v1beta1.PhaseInitialized }
	canary, err := follow(ctx, s.client, out.narrate(begin), canary, done)
	if err != nil {
		return nil, err
	}
	var results []result
	for _, r := range rollouts {
		status, err := roll(ctx, out, s, service, canary, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.title, err)
		}
		results = append(results, result{r, status})
	}
	return results, nil
}

// roll makes a change and follows the rollout to its end.
func roll(ctx context.Context, out narrator, s *stage, service *servingv1.Service, canary *v1beta1.Canary, r rollout) (v1beta1.CanaryStatus, error) {
	out.act("%s", r.title)
	for _, object := range []client.Object{service, canary} {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return v1beta1.CanaryStatus{}, err
		}
	}
	oldService, oldCanary := service.DeepCopy(), canary.DeepCopy()
	r.change(service, canary)
	begin := time.Now()
	if err := s.client.Patch(ctx, canary, client.MergeFrom(oldCanary)); err != nil {
		return v1beta1.CanaryStatus{}, err
	}
	if err := s.client.Patch(ctx, service, client.MergeFrom(oldService)); err != nil {
		return v1beta1.CanaryStatus{}, err
	}
	before := oldCanary.Status.LastAppliedSpec
	done := func(c *v1beta1.Canary) bool {
		return c.Status.LastAppliedSpec != before && (c.Status.Phase == v1beta1.PhaseSucceeded || c.Status.Phase == v1beta1.PhaseFailed)
	}
	ended, err := follow(ctx, s.client, out.narrate(begin), canary, done)
	if err != nil {
		return v1beta1.CanaryStatus{}, err
	}
	return ended.Status, nil
}

// follow watches a Canary and tells of it until it is done.
func follow(ctx context.Context, c client.WithWatch, tell func(*v1beta1.Canary), canary *v1beta1.Canary, done func(*v1beta1.Canary) bool) (*v1beta1.Canary, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	events, err := c.Watch(ctx, new(v1beta1.CanaryList), client.InNamespace(canary.Namespace), client.MatchingFields{"metadata.name": canary.Name})
	if err != nil {
		return nil, err
	}
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("canary %s has not come to an end: %w", canary.Name, ctx.Err())
		case e, ok := <-events.ResultChan():
			if !ok || e.Type == watch.Error {
				return nil, errors.New("the watch broke off")
			}
			seen, ok := e.Object.(*v1beta1.Canary)
			if !ok {
				continue
			}
			tell(seen)
			if done(seen) {
				return seen, nil
			}
		}
	}
}

func read(dir, file string, into runtime.Object) error {
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
