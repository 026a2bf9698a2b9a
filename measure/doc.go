// Package measure holds what happened: the results of requests, summed up as
// latency histograms and counts of outcomes.
//
// A [Result] is one request with its instants. A [Recorder] takes results from
// any number of goroutines, each through a [Writer] of its own; [Recorder.Take]
// hands out what came in since the last call as a [Snapshot] and starts the
// next interval empty. Snapshots of consecutive intervals, or of several
// targets, add up:
//
//	rec := measure.NewRecorder()
//	w := rec.Writer()
//	w.Record(measure.Result{Intended: t0, Sent: t0, Done: t1, Outcome: measure.Status(200), OK: true})
//	window := rec.Take()
//	window.Merge(rec.Take())
//	p99 := window.Response.Quantile(0.99)
//
// Latency unqualified means response time: it counts from the intended start
// of a request, so that a stall is charged to every request it delayed. The
// service time counts from the actual start. What lies between is the wait for
// a free connection, which the target holds, and the generator's own lag.
//
// measure imports nothing else of Serin and knows neither HTTP nor Kubernetes.
package measure
