package analysis

import (
	"strings"
	"time"

	"github.com/serin-dev/serin/measure"
)

// Result is what a check says. The zero value is the one that moves nothing.
type Result int

// The results, from the one that says least to the worst.
const (
	// Inconclusive neither advances a rollout nor counts as a failed check.
	Inconclusive Result = iota
	Pass
	Fail
)

// String is the result in lower case.
func (r Result) String() string {
	switch r {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	case Inconclusive:
	}
	return "inconclusive"
}

// Finding is what one metric says.
type Finding struct {
	Metric string // the metric's name; empty where it is about all of them
	Result Result
	// Value is the point estimate, Low and High the ends of its 95 %
	// confidence interval, NaN where there is none, and Limit the one that
	// Value is compared with; all in the metric's unit.
	Value, Low, High, Limit float64
	// Requests to the canary revision that it is about.
	Requests int64
	// Message is a sentence with the numbers in it: "success rate 98.33% < 99%".
	Message string
	// Explanation says what would have changed the result, or will.
	Explanation string

	limited bool // see Verdict.GeneratorLimited
}

// Verdict is the outcome of one check.
type Verdict struct {
	Result   Result
	Requests int64 // to the canary revision
	// Proven says that the result is not an estimate: a revision that fails
	// so is bad, but for the judge's error rate, and need not fail twice.
	Proven bool
	// GeneratorLimited says that the load generator was late, and that this
	// alone keeps the revision from failing: it is to be measured again.
	GeneratorLimited bool
	Findings         []Finding
}

// verdict is the one place where a Verdict is made. Without findings there is
// nothing against the revision, and it passes.
func verdict(requests int64, findings ...Finding) Verdict {
	v := Verdict{Result: Pass, Requests: requests, Findings: findings}
	for _, f := range findings {
		v.Result = worst(v.Result, f.Result)
		v.GeneratorLimited = v.GeneratorLimited || f.limited
	}
	return v
}

// worst of two results: one that fails fails all, one that is open keeps them
// open.
func worst(a, b Result) Result {
	switch {
	case a == Fail || b == Fail:
		return Fail
	case a == Inconclusive || b == Inconclusive:
		return Inconclusive
	}
	return Pass
}

// String joins the messages of the findings that decided, or all where the
// time for a decision has not come.
func (v Verdict) String() string {
	var decisive, all []string
	for _, f := range v.Findings {
		all = append(all, f.Message)
		if f.Result == v.Result {
			decisive = append(decisive, f.Message)
		}
	}
	if len(decisive) > 0 {
		all = decisive
	}
	return strings.Join(all, ", ")
}

// Summary is a snapshot in a few numbers.
type Summary struct {
	Requests    int64
	SuccessRate float64 // in [0,1]; 0 without requests
	P50, P99    time.Duration
	// ColdStart is the number of requests of the cold start, which are not in
	// the other numbers.
	ColdStart int64
}

// Summarize sums up what was measured of one revision.
func Summarize(s *measure.Snapshot) Summary {
	rate, _ := s.SuccessRate()
	return Summary{
		Requests:    s.Requests(),
		SuccessRate: rate,
		P50:         s.Response.Quantile(0.5),
		P99:         s.Response.Quantile(0.99),
		ColdStart:   s.ColdStart.Requests(),
	}
}
