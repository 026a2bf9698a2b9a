// Package serin is progressive delivery for Knative that brings its own
// traffic: a daemon that sends both revisions of a Knative Service the same
// requests, measures success rate and latency itself, and moves Knative's
// traffic from those measurements.
//
// This package holds no code but the tests of the whole tree. In reading
// order:
//
//   - measure: what happened, as histograms and counts of outcomes
//   - loadgen: makes it happen, on an open-loop schedule
//   - report: shows it, as text, JSON, page and picture
//   - load: the command that sends load by hand
//   - analysis: what it means, as a verdict
//   - api/v1beta1: the Canary resource
//   - daemon: the long-running process, the only place that knows Kubernetes;
//     begin with daemon/rollout, which decides
//   - cli: what people ask and tell from their terminals
//   - testenv: Knative on a laptop, to see and to test it all; testenv/cluster:
//     a whole Kubernetes; testenv/e2e: users on it
//   - chart, deploy, docs: for who installs and runs it
//   - bench: the load engine beside others, in one run; bench/judge: the
//     judgement beside others', on simulated rollouts; bench/scale: one daemon
//     with a thousand Canaries
//   - cmd/serin: the command line
package serin
