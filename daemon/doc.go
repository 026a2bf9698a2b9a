// Package daemon is the long-running process, and the only place in Serin that
// knows Kubernetes. In reading order:
//
//   - rollout decides: a pure function from what is known to what to do next.
//   - knative reads and writes one Knative Service.
//   - controller watches, asks rollout, and carries out what it decides.
//   - session is the measured load of one rollout.
//   - hook calls webhooks, alert tells people, metrics counts.
//   - egress says where hooks, alerts and loads may connect to.
//   - fault disturbs the measured load, for drills; tap measures load by hand;
//     hosts knows which revision a name means.
//   - history remembers rollouts, page renders them, archive keeps the pages.
//   - httpapi answers all that comes over HTTP; access says who may.
//
// [Run] puts them together.
package daemon
