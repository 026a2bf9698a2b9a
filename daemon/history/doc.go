// Package history remembers the rollouts that this daemon has seen: what was
// measured of both revisions over time, the weights, the checks with their
// sentences, and the events. It is for people to look at; no decision is made
// from it.
//
// It is told what happens, as package metrics is:
//
//	h := history.New(history.Config{Ended: archive})
//	h.Status(canary, &before)              // a status was written
//	h.Event(canary, "Warning", "Halt ...") // an event was published
//	h.Measured(key, primary, candidate)    // an interval was measured
//	h.Look(key, func(r *history.Rollout) { ... })
//
// Of each Canary it keeps the rollout that runs or ran last, of those that have
// ended the newest 32 of all Canaries. What it keeps of one is bounded: a series
// of 300 points, the newest 200 checks and 200 events, and 1 MiB of histograms. A daemon that starts in mid-rollout remembers it from
// then on.
//
// A History may be used concurrently.
package history
