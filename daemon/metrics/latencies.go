package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/measure"
)

// The classic buckets, in seconds. Both end below measure.MaxLatency, so that
// what saturated is in none but the last, +Inf.
var (
	responseSeconds = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	lagSeconds      = [...]float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .1, 1}
)

// latencies collects the histograms of all targets. A HistogramVec would do with
// one Observe for each request; this does with one addition for each latency
// that differs.
type latencies struct {
	response, lag *prometheus.Desc

	mu sync.Mutex // guards of
	of map[types.NamespacedName]*targetLatencies
}

type targetLatencies struct {
	primary, candidate, lag *histogram
}

func newLatencies() *latencies {
	return &latencies{
		response: prometheus.NewDesc("serin_response_time_seconds",
			"Response time of measured requests to a revision, from their intended start, without the cold start.", []string{"name", "namespace", "revision"}, nil),
		lag: prometheus.NewDesc("serin_lag_seconds",
			"How late the load generator itself sent measured requests.", []string{"name", "namespace"}, nil),
		of: make(map[types.NamespacedName]*targetLatencies),
	}
}

// add adds an interval of both revisions, either of which may be nil.
func (l *latencies) add(target types.NamespacedName, primary, candidate *measure.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.of[target]
	if t == nil {
		now := time.Now()
		t = &targetLatencies{
			primary: newHistogram(now, responseSeconds[:]), candidate: newHistogram(now, responseSeconds[:]),
			lag: newHistogram(now, lagSeconds[:]),
		}
		l.of[target] = t
	}
	if primary != nil {
		t.primary.add(&primary.Response)
	}
	if candidate != nil {
		t.candidate.add(&candidate.Response)
	}
	for _, s := range []*measure.Snapshot{primary, candidate} {
		if s != nil {
			t.lag.add(&s.Lag)
			t.lag.add(&s.ColdStart.Lag)
		}
	}
}

func (l *latencies) drop(target types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, target)
}

// Describe implements prometheus.Collector.
func (l *latencies) Describe(descs chan<- *prometheus.Desc) {
	descs <- l.response
	descs <- l.lag
}

// Collect implements prometheus.Collector. Who reads slowly holds up nobody.
func (l *latencies) Collect(metrics chan<- prometheus.Metric) {
	for _, m := range l.read() {
		metrics <- m
	}
}

func (l *latencies) read() []prometheus.Metric {
	l.mu.Lock()
	defer l.mu.Unlock()
	read := make([]prometheus.Metric, 0, 3*len(l.of))
	for target, t := range l.of {
		read = append(read,
			t.primary.metric(l.response, target.Name, target.Namespace, "primary"),
			t.candidate.metric(l.response, target.Name, target.Namespace, "canary"),
			t.lag.metric(l.lag, target.Name, target.Namespace))
	}
	return read
}
