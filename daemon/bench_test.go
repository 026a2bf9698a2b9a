package daemon_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// BenchmarkRollback measures the time from the decision to roll back, which is
// made with the verdict, until the Route shows no live traffic at the canary
// revision, which had a quarter of it. See `make bench-rollback`.
func BenchmarkRollback(b *testing.B) {
	w := initialized(b)
	watcher, err := client.NewWithWatch(env.Config, client.Options{Scheme: env.Client.Scheme()})
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for n := range b.N {
		revision := fmt.Sprintf("podinfo-%05d", n+2)
		w.push(fmt.Sprintf("6.1.%d", n))
		w.eventually("a quarter of the traffic", func() bool { return w.live(revision) == 25 })
		services, err := watcher.Watch(b.Context(), &servingv1.ServiceList{}, client.InNamespace(w.namespace))
		if err != nil {
			b.Fatal(err)
		}
		w.changeCanary(func(c *v1beta1.Canary) { c.Annotations = map[string]string{v1beta1.AbortAnnotation: revision} })
		var seen time.Time
		for event := range services.ResultChan() {
			service, ok := event.Object.(*servingv1.Service)
			if w.service = service; ok && w.live(revision) == 0 && w.live("podinfo-00001") == 100 {
				seen = time.Now()
				break
			}
		}
		services.Stop()
		w.awaitOutcome(revision, v1beta1.PhaseFailed)
		took = append(took, seen.Sub(w.canary.Status.Analysis.DecisionTime.Time))
	}
	slices.Sort(took)
	for _, q := range []float64{0.5, 0.99, 1} {
		b.ReportMetric(float64(took[min(int(q*float64(len(took))), len(took)-1)].Milliseconds()), fmt.Sprintf("p%g-ms", 100*q))
	}
}
