// Package loadtester answers what Flagger's load tester answers, on Serin's own
// engine, so that Canary files that name a load tester, and Flagger itself, can
// point to Serin.
//
//	POST /                 202 for cmd, which goes on by itself; 200 or 500 for
//	                       helm, helmv3 and kubectl, when they have ended
//	POST /gate/check       200 "Approved" or 403 "Forbidden"; so /rollback/check
//	POST /gate/open        202; so /gate/close, /rollback/open, /rollback/close
//	     /gate/approve     200 "OK", always
//	     /gate/halt        403 "Forbidden", always
//
// Every POST carries what a hook of a Canary sends: name, namespace, phase,
// checksum and metadata. A command that is running already is not started
// again. Gates are closed at first, and are kept in memory ([Gates]).
//
//	tester, err := loadtester.New(loadtester.Config{Find: book.Find, Record: record, Log: log})
//	tester.Register(router, handle)
//	err = tester.Run(ctx) // owns all that a POST starts; without it they get a 503
//
// # Loads
//
// The commands hey, wrk (with wrk2's -R) and ghz are read, not run. There is no
// shell: what only a shell understands, and each flag that has no meaning here,
// is a 400 that names it. Like hey and wrk themselves, they are closed loops;
// wrk with -R and ghz with a rate keep an open schedule. hey's -host, ghz's
// --authority and wrk's Host header say which host is meant, as the URL does
// otherwise.
//
// Requests go only to what Find finds, and to AllowTargets. Over HTTP it is
// found anew for every few requests, so that a load to a Service is divided as
// its live traffic is, and each result is recorded for the revision that
// answered. An address that package egress refuses is a 403 that says why, and
// ends the load where the name means it only later. A load of gRPC calls stays with one revision, and ends when its
// host means another. No redirect is followed to another host. ghz's calls are
// described by the server (reflection), so --proto has no effect; without
// --call it is the health check.
//
// A load lasts an hour at most, and all together send at most MaxRate requests
// a second. hey or wrk without a rate of its own gets what is left of that.
//
// # Commands
//
// Other programs are refused with a 501, but for those in AllowExec, which get
// their arguments, no shell, PATH and HOME, and ExecTimeout: ten minutes where
// Flagger has an hour, since a rollout waits for them. bash, concord and
// ngrinder are never there.
//
// A Tester and Gates may be used concurrently.
package loadtester
