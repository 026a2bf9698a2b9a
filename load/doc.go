// Package load is `serin load`: the engine of package loadgen behind the flags
// of hey, which mean the same here, and some more.
//
//	serin load -z 30s -c 20 http://podinfo.test/
//	serin load -rate 200 -z 1m -fail-if 'p99>500ms' http://podinfo.test/
//	serin load -rate 200 -z 1m -report compare.html http://primary.test/ http://canary.test/
//
// [Command] reads the flags, runs the load until it is over or its context
// ends, and writes the report. Its error says why the exit status is not 0.
package load
