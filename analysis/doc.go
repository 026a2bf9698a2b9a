// Package analysis says what measurements mean: it turns what was measured of
// two revisions into a [Verdict] on one of them, with a sentence for each
// metric, the numbers behind it, and what would have changed it.
//
//	trial := analysis.NewTrial(analysis.Judge{
//		Mode:     analysis.Sequential,
//		Metrics:  []analysis.Metric{{Name: "request-success-rate", Kind: analysis.SuccessRate, Min: new(99.0)}},
//		Interval: 15 * time.Second,
//		Steps:    6,
//	})
//	for second := int64(0); ; second++ {
//		trial.Add(second, primary.Take(), canary.Take())
//		if v := trial.Verdict(time.Since(began)); v.Result != analysis.Inconclusive {
//			return v // fail success rate 93.1% (95% between 87.68% and 96.64%) is under 99%; 145 requests
//		}
//	}
//
// A [Judge] has one of two modes.
//
// Classic is Flagger's rule: once an interval, each metric's point estimate
// against its range, ends included. It differs in two things: with fewer than
// MinSamples requests, and where only the load generator's own lag is beyond a
// limit, the result is [Inconclusive] instead of a fail.
//
// Sequential tests each end of a range, and each comparison with the primary
// revision, by two e-processes: one gathers evidence that the limit is broken,
// the other that the revision is not as bad as a regression worth catching. An
// e-process may be looked at as often as one likes, so a check ends as soon as
// one of them suffices. ErrorRate bounds the probability that a good revision
// fails in a whole rollout, which a [Trial] sees from its first check to its
// last. docs/judge.md tells the rest, with measurements.
//
// The words: a check is what one step of a rollout has to pass; a bound is one
// end of a range, or a baseline; evidence is the logarithm of an e-process.
//
// Everything here is a function of values: no I/O, no clock, no logger, nothing
// of Kubernetes. Calls of a Judge's methods may be concurrent, those of a
// Trial's may not.
package analysis
