// Package httpapi is the daemon's HTTP surface.
//
//	GET  /                           the page; see package page
//	GET  /canaries/NS/NAME           of one Canary
//	GET  /api/v1/...                 the same for programs; see openapi.yaml
//	POST /api/v1/canaries/NS/NAME/C  a command
//	POST /api/v1/faults              a fault; see package fault
//	GET  /healthz                    200 while the process runs
//	GET  /readyz                     200 once the caches are filled, 503 with the reason before
//	GET  /metrics                    the registries, in Prometheus' text format
//
// It reads Canaries from a cache, and changes nothing else than annotations and
// faults, for those whom package access lets. It never decides about a rollout.
//
// What all requests together may hold is bounded: bodies before they are read, and
// large answers until they are written, with a share for each client.
//
// Handlers return errors; one adapter answers them in JSON, logs those that the
// client is not told, and contains panics. A handler's data is read or rendered
// before the first byte is written.
package httpapi
