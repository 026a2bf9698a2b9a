package daemon_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// flaky is a way to the API server that can be cut: requests fail, and what is
// being watched ends.
type flaky struct {
	down   atomic.Bool
	epoch  atomic.Pointer[context.CancelFunc] // ends what is under way
	parent context.Context                    //nolint:containedctx // the one of the test
	ctx    atomic.Pointer[context.Context]
}

func newFlaky(t *testing.T) (f *flaky, cluster *rest.Config) {
	f = &flaky{parent: t.Context()}
	f.restore()
	cluster = rest.CopyConfig(env.Config)
	cluster.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			if f.down.Load() {
				return nil, errors.New("the network is down")
			}
			ctx, cancel := context.WithCancel(r.Context())
			context.AfterFunc(*f.ctx.Load(), cancel)
			return next.RoundTrip(r.WithContext(ctx))
		})
	})
	return f, cluster
}

func (f *flaky) cut() {
	f.down.Store(true)
	(*f.epoch.Load())()
}

func (f *flaky) restore() {
	ctx, cancel := context.WithCancel(f.parent)
	f.ctx.Store(&ctx)
	f.epoch.Store(&cancel)
	f.down.Store(false)
}

// The API server is away in the middle of a rollout, watches and all. Nothing
// moves meanwhile, and the rollout ends as it would have.
func TestAPIServerGoesAway(t *testing.T) {
	for name, flags := range map[string][]string{"promotion": nil, "rollback": {"--random-error=true"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			way, cluster := newFlaky(t)
			w.daemon(daemon.Config{Cluster: cluster})
			w.create(w.service)
			w.create(w.canary)
			w.awaitPhase(v1beta1.PhaseInitialized)
			w.push("6.0.1", flags...)
			w.eventually("a check runs", func() bool {
				return w.canary.Status.Analysis != nil && w.canary.Status.Analysis.Stage == v1beta1.StageMeasuring
			})
			way.cut()
			w.read(w.canary)
			written := w.canary.ResourceVersion
			<-time.After(outage) // this is what happens
			w.read(w.canary)
			if w.canary.ResourceVersion != written {
				t.Error("the daemon has written without a network")
			}
			way.restore()
			if flags == nil {
				w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
			} else {
				w.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
			}
		})
	}
}

// outage is how long the API server is away.
const outage = 30 * time.Second

// Updates that conflict are made again.
func TestConflictsAreTriedAgain(t *testing.T) {
	w := newWorld(t)
	var writes, refused atomic.Int64
	cluster := rest.CopyConfig(env.Config)
	cluster.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			if !isWrite(r) || writes.Add(1)%2 == 0 {
				return next.RoundTrip(r)
			}
			refused.Add(1)
			const conflict = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,"message":"somebody was faster"}`
			return &http.Response{
				StatusCode: http.StatusConflict, Status: "409 Conflict", Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: http.Header{"Content-Type": {"application/json"}}, Body: readCloser{strings.NewReader(conflict)},
			}, nil
		})
	})
	w.daemon(daemon.Config{Cluster: cluster})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	if refused.Load() == 0 {
		t.Error("no write was refused")
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// The Service is deleted and made again in the middle of a rollout.
func TestServiceIsMadeAgainInMidRollout(t *testing.T) {
	w := initialized(t)
	w.push("6.0.1")
	w.eventually("a check runs", func() bool {
		return w.canary.Status.Analysis != nil && w.canary.Status.Analysis.Stage == v1beta1.StageMeasuring
	})
	if err := env.Client.Delete(t.Context(), w.service); err != nil {
		t.Fatal(err)
	}
	w.awaitEvent("does not exist: create it or correct spec.targetRef.name")
	again := newService(w.namespace)
	w.create(again)
	w.service = again
	w.eventually("initialized anew", func() bool {
		return w.canary.Status.Phase == v1beta1.PhaseInitialized && w.live(w.canary.Status.LastPromotedSpec) == 100
	})
	w.push("6.0.2")
	w.eventually("promoted", func() bool { return w.canary.Status.Phase == v1beta1.PhaseSucceeded })
}

// The Canary's steps and limits are edited in the middle of a rollout.
func TestCanaryIsEditedInMidRollout(t *testing.T) {
	w := initialized(t)
	w.push("6.0.1")
	w.eventually("the first step", func() bool { return w.canary.Status.CanaryWeight == 25 })
	w.changeCanary(func(c *v1beta1.Canary) {
		a := &c.Spec.Analysis
		a.StepWeight, a.MaxWeight, a.StepWeights = nil, nil, []int32{10, 60}
		a.Metrics[0].ThresholdRange.Min = new(90.0)
		a.Threshold = 7
	})
	w.eventually("the new step", func() bool { return w.live("podinfo-00002") == 60 })
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
}

// A manifest without traffic is applied by others in the middle of a rollout, by
// kubectl's way and by the server's; neither moves the traffic for long, and
// nobody fights.
func TestManifestWithoutTrafficIsApplied(t *testing.T) {
	w := newWorld(t)
	w.canary.Spec.Analysis.Interval = "2s"
	w.daemon(daemon.Config{})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.push("6.0.1")
	w.eventually("the first step", func() bool { return w.live("podinfo-00002") == 25 })
	manifest := newService(w.namespace)
	manifest.Spec.Template.Spec.Containers[0].Image = "ghcr.io/stefanprodan/podinfo:6.0.1"
	manifest.SetGroupVersionKind(servingv1.SchemeGroupVersion.WithKind("Service"))
	if err := env.Client.Patch(t.Context(), manifest, client.Apply, client.FieldOwner("gitops"), client.ForceOwnership); err != nil { //nolint:staticcheck // the untyped way is the one that a manifest takes
		t.Fatal(err)
	}
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	if w.service.Status.LatestCreatedRevisionName != "podinfo-00002" {
		t.Errorf("a revision %s has appeared", w.service.Status.LatestCreatedRevisionName)
	}
	generation := w.service.Generation
	<-time.After(3 * time.Second) // in which nobody writes
	w.read(w.service)
	if w.service.Generation != generation {
		t.Errorf("generation %d after %d: somebody fights", w.service.Generation, generation)
	}
}

// Two daemons run, and the one that leads is cut off. The other takes over, and
// from then on the first writes nothing, also when it is back.
func TestDaemonThatLostItsLeaseWritesNoMore(t *testing.T) {
	w := newWorld(t)
	way, cluster := newFlaky(t)
	var first, second atomic.Int64
	count := func(config *rest.Config, n *atomic.Int64) *rest.Config {
		counted := rest.CopyConfig(config)
		counted.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return transport(func(r *http.Request) (*http.Response, error) {
				response, err := next.RoundTrip(r)
				if isWrite(r) && err == nil && response.StatusCode < http.StatusMultipleChoices {
					n.Add(1)
				}
				return response, err
			})
		})
		return counted
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- daemon.Run(ctx, daemon.Config{
			Cluster: count(cluster, &first), Gateway: env.Gateway, Namespaces: []string{w.namespace}, Listen: "127.0.0.1:0",
			LeaderElection: true, LeaseNamespace: w.namespace, SeveralInOneProcess: true,
		})
	}()
	w.canary.Spec.Analysis.Interval = "3s"
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	w.daemon(daemon.Config{Cluster: count(env.Config, &second), LeaderElection: true, LeaseNamespace: w.namespace})
	w.push("6.0.1")
	w.eventually("a check runs", func() bool {
		return w.canary.Status.Analysis != nil && w.canary.Status.Analysis.Stage == v1beta1.StageMeasuring
	})
	if second.Load() != 0 {
		t.Errorf("the one that does not lead has written %d times", second.Load())
	}
	way.cut()
	w.eventually("the other one writes", func() bool { return second.Load() > 0 })
	before := first.Load()
	way.restore()
	w.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	if err := <-ended; err == nil {
		t.Error("the first daemon has not noticed")
	}
	if after := first.Load(); after != before {
		t.Errorf("the first daemon has written %d times after the second one", after-before)
	}
}
