package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Recorder holds the metrics of a daemon.
type Recorder struct {
	total                         *prometheus.GaugeVec
	status, weight, analysis      *prometheus.GaugeVec
	duration                      *prometheus.HistogramVec
	successes, failures           *prometheus.CounterVec
	verdicts, rollouts, errors    *prometheus.CounterVec
	requests                      *prometheus.CounterVec
	responseTime, generatorsDelay *prometheus.HistogramVec

	mu    sync.Mutex                      // guards known
	known map[types.NamespacedName]string // the Service of each Canary
}

// resolution of native histograms: neighbouring buckets differ by a tenth.
const resolution = 1.1

// New registers the metrics. It panics where one of the names is taken, as two
// recorders of one registry are a mistake of the program.
func New(registry prometheus.Registerer, version string) *Recorder {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		registry.MustRegister(v)
		return v
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor: resolution, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
		}, labels)
		registry.MustRegister(v)
		return v
	}
	seconds := []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	r := &Recorder{
		total:     gauge("flagger_canary_total", "Number of Canaries.", "namespace"),
		status:    gauge("flagger_canary_status", "0 while a rollout runs, 2 when the last one failed, 1 otherwise.", "name", "namespace"),
		weight:    gauge("flagger_canary_weight", "Percent of the live traffic.", "workload", "namespace"),
		analysis:  gauge("flagger_canary_metric_analysis", "Value of a metric in the last check, in its unit.", "name", "namespace", "metric"),
		duration:  histogram("flagger_canary_duration_seconds", "Time from the detection of a revision to the end of its rollout.", prometheus.ExponentialBuckets(10, 2, 10), "name", "namespace"),
		successes: counter("flagger_canary_successes_total", "Promotions.", "name", "namespace", "deployment_strategy", "analysis_status"),
		failures:  counter("flagger_canary_failures_total", "Rollbacks.", "name", "namespace", "deployment_strategy", "analysis_status"),

		verdicts:        counter("serin_verdicts_total", "Checks that ended, by result.", "name", "namespace", "result"),
		rollouts:        counter("serin_rollouts_total", "Rollouts that ended, by result: promoted, rolled_back or superseded.", "name", "namespace", "result"),
		errors:          counter("serin_reconcile_errors_total", "Reconciliations that failed and are tried again.", "namespace"),
		requests:        counter("serin_requests_total", "Measured requests, by revision (primary or canary) and result: a class of status codes or a kind of error.", "name", "namespace", "revision", "result"),
		responseTime:    histogram("serin_response_time_seconds", "Response time of measured requests, from their intended start.", seconds, "name", "namespace", "revision"),
		generatorsDelay: histogram("serin_lag_seconds", "How late the load generator itself sent measured requests.", prometheus.ExponentialBuckets(0.00001, 4, 9), "name", "namespace"),
		known:           make(map[types.NamespacedName]string),
	}
	gauge("flagger_info", "Version, and what moves the traffic.", "version", "mesh_provider").WithLabelValues(version, v1beta1.ProviderKnative).Set(1)
	return r
}

// Seen makes a Canary known, by the Service that it names.
func (r *Recorder) Seen(canary *v1beta1.Canary) {
	key, service := client.ObjectKeyFromObject(canary), canary.Spec.TargetRef.Name
	r.mu.Lock()
	before, known := r.known[key]
	r.known[key] = service
	r.mu.Unlock()
	switch {
	case !known:
		r.total.WithLabelValues(key.Namespace).Inc()
	case before != service:
		r.drop(key.Namespace, before)
	default:
		return
	}
	r.show(canary) // what was so before this daemon came
}

// Forget drops all that was said of a Canary that is gone.
func (r *Recorder) Forget(canary types.NamespacedName) {
	r.mu.Lock()
	service, known := r.known[canary]
	delete(r.known, canary)
	r.mu.Unlock()
	if known {
		r.total.WithLabelValues(canary.Namespace).Dec()
		r.drop(canary.Namespace, service)
	}
}

func (r *Recorder) drop(namespace, service string) {
	labels := prometheus.Labels{"name": service, "namespace": namespace}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		r.status, r.analysis, r.duration, r.successes, r.failures, r.verdicts, r.rollouts, r.requests, r.responseTime, r.generatorsDelay,
	} {
		v.DeletePartialMatch(labels)
	}
	r.weight.DeleteLabelValues(service, namespace)
	r.weight.DeleteLabelValues(service+"-primary", namespace)
}

// Failed counts a reconciliation that failed.
func (r *Recorder) Failed(canary types.NamespacedName) {
	r.errors.WithLabelValues(canary.Namespace).Inc()
}
