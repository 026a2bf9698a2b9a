// Package metrics turns what the daemon knows into Prometheus metrics: Flagger's,
// under Flagger's names and labels, and Serin's own.
//
// It is told what happened and decides nothing; no decision is made from a
// metric.
//
//	recorder := metrics.New(registry, version)
//	recorder.Seen(canary)                         // exists
//	recorder.Status(canary, &before)              // a status was written
//	recorder.Measured(canary, primary, candidate) // an interval was measured
//	recorder.Hook(canary, hookType, passed)       // a webhook has answered
//	recorder.Forget(canary)                       // is gone
//
// The label name is the name of the target, as in Flagger: the Knative Service.
// Where several Canaries name one Service, its series speak of the one that has
// pinned it. What is told of a Canary that was not seen, or was forgotten, is
// dropped, so that a session which ends late leaves no series behind.
//
// # Rollouts
//
// Every rollout is counted once, when it ends, and from the two statuses around
// its end alone: after a crash the next daemon counts what it writes, and a
// status that is told twice counts once. The results:
//
//	promoted     the canary revision is the primary one
//	rolled_back  the traffic went back to the primary revision
//	superseded   another revision took its place, or the primary one itself
//	aborted      by annotation, or because its Service or Canary went away
//
// A rollback by annotation where no rollout runs is counted as one that is
// aborted.
//
// An abort by annotation is known from the status with which the rollback
// begins; one that another daemon ends counts as rolled_back.
//
// A verdict counts when it is written with numbers that were not there before:
// one that waits for a hook is written again, and is the same verdict. It is the
// judge's: a check that passed and was refused by a hook is a pass.
//
// # Latencies
//
// The histograms of latencies are native ones, whose neighbouring buckets are 9 %
// apart, and classic ones for those who have nothing else. A latency that
// saturated (see package measure) counts as one of 60 s. Response times are those
// that are judged; the requests of the cold start are in serin_requests_total and
// in the generator's lag, which does not depend on the target, but not in
// serin_response_time_seconds.
//
// # Memory and time
//
// A Canary takes about 6 KB of histograms and at most 26 counters of requests,
// however long it is measured and whatever comes in. An interval costs time for
// the latencies that differ, not for the requests.
//
// All exported functions may be called concurrently.
package metrics
