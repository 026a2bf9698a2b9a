// Package httpapi is the daemon's HTTP surface: health, readiness and metrics.
//
//	GET /healthz   200 while the process runs
//	GET /readyz    200 once the caches are filled, 503 with the reason before
//	GET /metrics   the registry, in Prometheus' text format
//
// Handlers return errors; one adapter answers them in JSON, logs them, and
// contains panics.
package httpapi
