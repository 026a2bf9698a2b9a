package metrics

import (
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/measure"
)

// Measured adds what was measured of both revisions in an interval. Either may be
// nil; neither is kept.
func (r *Recorder) Measured(canary types.NamespacedName, primary, candidate *measure.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	target, ok := r.held(canary)
	if !ok {
		return
	}
	r.answers(target, "primary", primary)
	r.answers(target, "canary", candidate)
	r.latencies.add(target, primary, candidate)
}

// answers counts the requests to a revision.
func (r *Recorder) answers(target types.NamespacedName, revision string, s *measure.Snapshot) {
	if s == nil {
		return
	}
	for _, results := range []*measure.Results{&s.Results, &s.ColdStart} {
		for outcome, n := range results.Outcomes {
			r.requests.WithLabelValues(target.Name, target.Namespace, revision, class(outcome)).Add(float64(n))
		}
	}
}

// class is the class of a status code, such as 2xx, or the kind of an error.
func class(outcome measure.Outcome) string {
	if code := outcome.Code(); code > 0 {
		return strconv.Itoa(code/100) + "xx"
	}
	return outcome.String()
}

// Hook says what a webhook of that type answered.
func (r *Recorder) Hook(canary types.NamespacedName, hookType string, passed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	target, ok := r.held(canary)
	if !ok {
		return
	}
	result := "failed"
	if passed {
		result = "passed"
	}
	r.hookCalls.WithLabelValues(target.Name, target.Namespace, hookType, result).Inc()
}
