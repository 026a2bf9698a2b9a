package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/measure"
)

// Measured adds what was measured of both revisions in an interval, the cold
// start included. Of a Canary that is not known it does nothing.
func (r *Recorder) Measured(canary types.NamespacedName, primary, candidate *measure.Snapshot) {
	r.mu.Lock()
	service, known := r.known[canary]
	r.mu.Unlock()
	if !known {
		return
	}
	for revision, s := range map[string]*measure.Snapshot{"primary": primary, "canary": candidate} {
		all := s.WithColdStart()
		for outcome, n := range all.Outcomes {
			r.requests.WithLabelValues(service, canary.Namespace, revision, class(outcome)).Add(float64(n))
		}
		observe(r.responseTime.WithLabelValues(service, canary.Namespace, revision), &all.Response)
		observe(r.generatorsDelay.WithLabelValues(service, canary.Namespace), &all.Lag)
	}
}

func observe(into prometheus.Observer, h *measure.Histogram) {
	for latency, n := range h.Counts() {
		for range n {
			into.Observe(latency.Seconds())
		}
	}
}

// class is a status code's class, 2xx, or the kind of an error.
func class(outcome measure.Outcome) string {
	if code := outcome.Code(); code > 0 {
		return strconv.Itoa(code/100) + "xx"
	}
	return outcome.String()
}
