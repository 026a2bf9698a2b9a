// Package session runs the measured load of rollouts: the same requests, in
// the same seconds, to the primary and the canary revision of a Service, and a
// verdict about the canary revision at the end of each check.
//
// [Sessions] holds one session per Canary. [Sessions.Measure] starts it, or
// tells the one that runs which check to judge; [Sessions.Verdict] returns its
// newest verdict. A check lasts one interval, and goes on for another one as
// long as its verdict is inconclusive. Between checks the load runs on, so
// that no check begins with cold connections.
//
// All sessions run inside [Sessions.Run], which ends them with its context and
// returns when the last one has ended. The other methods may be called from
// any goroutine.
package session
