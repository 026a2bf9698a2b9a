// Package controller watches Canaries, Knative Services and Revisions, asks
// rollout.Decide what to do, and does it.
//
// Reconciling is level-triggered: everything is read anew from the caches, and
// what has to be remembered is in the Canary's status. A decision's status is
// written first. Before the Service is changed, the Canary is read once more
// from the API server itself, so that a decision made from a stale cache never
// moves traffic.
//
// Canaries that are not Serin's are not touched. A Canary carries no finalizer: it is
// noted on its Service, and a Service whose note is of a Canary that is gone is left in
// good order by the daemon that sees it first.
package controller
