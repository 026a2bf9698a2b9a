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
	Metric  string // the metric's name; empty where it is about all of them
	Result  Result
	Value   float64 // in the metric's unit
	Message string  // "success rate 98.33% < 99%"
}

// Verdict is the outcome of one check.
type Verdict struct {
	Result   Result
	Requests int64 // to the canary revision
	Findings []Finding
}

// verdict is the one place where a Verdict is made. Without findings there is
// nothing against the revision, and it passes.
func verdict(requests int64, findings ...Finding) Verdict {
	v := Verdict{Result: Pass, Requests: requests, Findings: findings}
	for _, f := range findings {
		switch {
		case f.Result == Fail:
			v.Result = Fail
		case f.Result == Inconclusive && v.Result != Fail:
			v.Result = Inconclusive
		}
	}
	return v
}

// String joins the messages of the findings that decided.
func (v Verdict) String() string {
	var messages []string
	for _, f := range v.Findings {
		if f.Result == v.Result {
			messages = append(messages, f.Message)
		}
	}
	return strings.Join(messages, ", ")
}

// Summary is a snapshot in four numbers.
type Summary struct {
	Requests    int64
	SuccessRate float64 // in [0,1]; 0 without requests
	P50, P99    time.Duration
}

// Summarize sums up what was measured of one revision.
func Summarize(s *measure.Snapshot) Summary {
	rate, _ := s.SuccessRate()
	return Summary{
		Requests:    s.Requests(),
		SuccessRate: rate,
		P50:         s.Response.Quantile(0.5),
		P99:         s.Response.Quantile(0.99),
	}
}
