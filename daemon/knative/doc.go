// Package knative reads and writes one Knative Service: its revisions, its
// traffic targets and tags, and whether its Route has converged.
//
// [Observe] turns what Knative reports into a rollout.Service. Weights are
// read from status.traffic, what the Route has done, not from spec.traffic,
// what it was asked to do.
//
// [Divide] computes the Service with a wanted division. It edits the two
// targets that are Serin's, those with the tags primary and canary, and pins
// both by name, so that a new revision gets no traffic by itself. Tagged
// targets of the user are kept; untagged ones, and any percentage elsewhere,
// go, since the percentages must sum to 100. [Depart] leaves the Service as a
// Canary that is gone leaves it.
//
// Every [Writer.Write] carries the resourceVersion it was computed from and
// fails with a conflict when the Service has changed since.
package knative
