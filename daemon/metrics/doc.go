// Package metrics exports what the daemon knows to Prometheus: Flagger's metrics
// under their names and labels, so that its dashboard works, and Serin's own.
//
//	recorder := metrics.New(registry, version)
//	recorder.Status(canary, before)               // after a status was written
//	recorder.Measured(canary, primary, candidate) // after an interval
//	recorder.Forget(canary)                       // when it is gone
//
// The label name is the name of the Service, as in Flagger. Nothing is decided
// from a metric. Calls may be concurrent.
package metrics
