package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// families are the metrics that are set and counted one by one.
type families struct {
	info, total, status, weight, applied, analysis *prometheus.GaugeVec
	duration                                       *prometheus.HistogramVec
	successes, failures                            *prometheus.CounterVec

	verdicts, rollouts, requests, hookCalls, errors *prometheus.CounterVec
}

// rolloutSeconds are the buckets of whole rollouts, from half a minute to a day.
// Flagger's own end at 10 s, as it measures one step of its scheduler.
var rolloutSeconds = [...]float64{30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400}

func newFamilies() families {
	return families{
		info:    gauge("flagger_info", "The daemon's version and what moves the traffic.", "version", "mesh_provider"),
		total:   gauge("flagger_canary_total", "Canaries that exist.", "namespace"),
		status:  gauge("flagger_canary_status", "The last rollout: 0 progressing, 2 failed, 1 anything else.", "name", "namespace"),
		weight:  gauge("flagger_canary_weight", "Percent of the live traffic that goes to a workload.", "workload", "namespace"),
		applied: gauge("serin_traffic_applied", "Whether the Route shows the division of the live traffic that was decided: 1 or 0.", "name", "namespace"),
		analysis: gauge("flagger_canary_metric_analysis",
			"The last value of a metric of the canary revision, in percent, seconds, or requests a second.", "name", "namespace", "metric"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "flagger_canary_duration_seconds", Help: "Time from the detection of a revision until its promotion or rollback was carried out.",
			Buckets: rolloutSeconds[:],
		}, []string{"name", "namespace"}),
		successes: counter("flagger_canary_successes_total", "Promotions.", "name", "namespace", "deployment_strategy", "analysis_status"),
		failures:  counter("flagger_canary_failures_total", "Rollbacks.", "name", "namespace", "deployment_strategy", "analysis_status"),

		verdicts: counter("serin_verdicts_total", "Verdicts of the judge: pass, fail or inconclusive.", "name", "namespace", "result"),
		rollouts: counter("serin_rollouts_total", "Rollouts that ended: promoted, rolled_back, superseded or aborted.", "name", "namespace", "result"),
		requests: counter("serin_requests_total",
			"Measured requests to a revision, by class of status code or kind of error, cold start included.", "name", "namespace", "revision", "outcome"),
		hookCalls: counter("serin_hook_calls_total", "Answers of webhooks: passed or failed.", "name", "namespace", "type", "result"),
		errors:    counter("serin_reconcile_errors_total", "Reconciliations that failed and are tried again.", "namespace"),
	}
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// begin makes the counters whose labels are known zero: Prometheus does not see
// an increase to 1 of what was not there.
func (f *families) begin(target types.NamespacedName) {
	for _, result := range []string{"pass", "fail", "inconclusive"} {
		f.verdicts.WithLabelValues(target.Name, target.Namespace, result)
	}
	for _, result := range []string{promoted, rolledBack, superseded, aborted} {
		f.rollouts.WithLabelValues(target.Name, target.Namespace, result)
	}
}

// drop deletes all series of a target.
func (f *families) drop(target types.NamespacedName) {
	labels := prometheus.Labels{"name": target.Name, "namespace": target.Namespace}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		f.status, f.applied, f.analysis, f.duration, f.successes, f.failures,
		f.verdicts, f.rollouts, f.requests, f.hookCalls,
	} {
		v.DeletePartialMatch(labels)
	}
	f.forgetWeights(target)
}

func (f *families) forgetWeights(target types.NamespacedName) {
	f.weight.DeleteLabelValues(target.Name, target.Namespace)
	f.weight.DeleteLabelValues(primaryWorkload(target.Name), target.Namespace)
}

// primaryWorkload is Flagger's name of what serves the rest of the traffic.
func primaryWorkload(target string) string { return target + "-primary" }

func (f *families) collectors() collectors {
	return collectors{
		f.info, f.total, f.status, f.weight, f.applied, f.analysis, f.duration, f.successes, f.failures,
		f.verdicts, f.rollouts, f.requests, f.hookCalls, f.errors,
	}
}

// collectors are registered all or not at all.
type collectors []prometheus.Collector

// Describe implements prometheus.Collector.
func (c collectors) Describe(descs chan<- *prometheus.Desc) {
	for _, one := range c {
		one.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (c collectors) Collect(metrics chan<- prometheus.Metric) {
	for _, one := range c {
		one.Collect(metrics)
	}
}
