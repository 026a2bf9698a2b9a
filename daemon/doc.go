// Package daemon is the long-running process, and the only place in Serin that
// knows Kubernetes. In reading order:
//
//   - rollout decides: a pure function from what is known to what to do next.
//   - knative reads and writes one Knative Service.
//   - controller watches, asks rollout, and carries out what it decides.
//   - session is the measured load of one rollout.
//   - httpapi answers probes and serves metrics.
//
// [Run] puts them together.
package daemon
