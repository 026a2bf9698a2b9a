// Package loadgen makes it happen: it sends the requests of a [Plan] to one or
// several targets on an open-loop schedule, and records every result.
//
// # Open loop
//
// A [Schedule] fixes in advance when request n is meant to start. A slow
// server does not slow the schedule down: when all connections are busy, due
// requests wait, and their waiting counts, because response time is measured
// from the intended start.
//
// A closed-loop generator (N workers, each sending its next request when the
// last one returned) does the opposite. While the server stalls for a second
// it sends N requests instead of the hundred that users would have sent, and
// reports one slow sample for each of the N. That is coordinated omission (Gil
// Tene, "How NOT to Measure Latency", 2013): generator and server agree not to
// look while it hurts.
//
//	plan := loadgen.Plan{Schedule: loadgen.ConstantRate(50), Timeout: 5 * time.Second}
//	rec := measure.NewRecorder()
//	err := loadgen.Run(ctx, plan, loadgen.Target{URL: "http://127.0.0.1:8080", Recorder: rec})
//	p99 := rec.Take().Response.Quantile(0.99)
//
// [Run] is synchronous: it returns when everything it started has ended.
// Several targets get the same requests on the same schedule, in the same
// seconds. [ParseHey] reads such a plan out of a hey command line. A closed loop
// is there too ([Plan.Closed]), because hey has it.
//
// # Lateness
//
// The time between the intended and the actual start has two parts. A request
// that found every connection busy has waited for the target, which holds them:
// that is no lateness of the generator's. What is left is the lag, the
// generator's own. Where it is large, the response times are about the
// generator (measure.Snapshot.GeneratorLimited), and [Meter] says whether that
// is for want of processors.
//
// Waking up is most of what an open loop costs. So starts that are scheduled
// less than a millisecond apart are brought together at the end of that
// millisecond, in advance: it is their intended start.
//
// # Protocols
//
// http and https URLs are asked in HTTP/1.1, read by fasthttp's parser; with
// [Plan.HTTP2], with a proxy and along redirects by net/http; grpc and grpcs
// URLs by grpc-go. How each failure is named is in measure.Outcome.
//
// loadgen never judges, never logs and knows nothing of Kubernetes.
package loadgen
