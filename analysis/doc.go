// Package analysis says what measurements mean: it turns what was measured of
// a canary revision into a [Verdict].
//
//	judge := analysis.Judge{
//		Metrics:    []analysis.Metric{{Kind: analysis.SuccessRate, Min: new(99.0)}},
//		MinSamples: 20,
//	}
//	verdict := judge.Verdict(recorder.Take())
//	fmt.Println(verdict.Result, verdict) // fail success rate 98.33% < 99%
//
// The judgement is Flagger's: each metric's point estimate over one interval
// against its threshold range, ends included. It differs in one thing: with
// fewer than MinSamples requests the result is [Inconclusive], which is
// neither good nor bad. Requests that all failed are samples like any other.
//
// Everything here is a pure function of values: no I/O, no clock, no logger,
// nothing of Kubernetes. Calls may be concurrent.
package analysis
