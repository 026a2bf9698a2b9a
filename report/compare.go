package report

import "math"

// comparison relates a target to the first one. Its answers are nil where one
// of the two has no requests.
type comparison struct{ baseline, target *Target }

func compare(baseline, target *Target) comparison { return comparison{baseline, target} }

// successPoints is the target's success rate less the baseline's, in percentage
// points.
func (c comparison) successPoints() *float64 {
	before, ok := c.baseline.total().SuccessRate()
	after, ok2 := c.target.total().SuccessRate()
	if !ok || !ok2 {
		return nil
	}
	points := math.Round(1e8*(after-before)) / 1e6 // without the dust of the subtraction
	return &points
}

// ratio is the target's response time at q over the baseline's.
func (c comparison) ratio(q float64) *float64 {
	before, after := &c.baseline.total().Response, &c.target.total().Response
	if before.Count() == 0 || after.Count() == 0 {
		return nil
	}
	ratio := float64(after.Quantile(q)) / float64(before.Quantile(q)) // at least MinLatency
	return &ratio
}
