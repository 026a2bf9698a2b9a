package analysis

import (
	"fmt"
	"math"
	"time"
)

// Plan says beforehand what a check needs. The numbers are expectations, not
// bounds.
type Plan struct {
	// Pass is the number of requests to each revision after which a good
	// revision passes: one with half as many bad requests as allowed, or, of
	// a baseline, one that is like the primary.
	Pass int64
	// Catch is the number after which one fails that has Regression times as
	// many bad requests as allowed.
	Catch      int64
	Regression float64
	// Rate is the number of requests a second to each revision.
	Rate float64
	// Interval and MaxDuration are the judge's.
	Interval, MaxDuration time.Duration
}

// DefaultRegression is the regression that a plan is made for where no other is
// asked for: five times as many bad requests as allowed.
const DefaultRegression = 5

// Plan plans a check at rate requests a second to each revision. regression,
// above 1, is how many times as many bad requests as allowed are to be caught;
// 0 means DefaultRegression. Means are left out: what they need depends on how
// much the latencies vary.
func (j Judge) Plan(rate, regression float64) Plan {
	j = j.withDefaults()
	if regression <= 1 {
		regression = DefaultRegression
	}
	p := Plan{Pass: j.MinSamples, Catch: j.MinSamples, Regression: regression, Rate: rate, Interval: j.Interval, MaxDuration: j.MaxDuration}
	if j.Mode != Sequential || j.Validate() != nil {
		return p
	}
	t := NewTrial(j)
	for _, b := range t.bounds {
		if b.test.expected(1, 0) == nil {
			continue
		}
		p.Pass = max(p.Pass, needed(func(n float64) bool { return t.passes(b.test.expected(n, 0)) }))
		p.Catch = max(p.Catch, needed(func(n float64) bool {
			fails, _ := t.fails(b.test.expected(n, regression))
			return fails
		}))
	}
	return p
}

// mostRequests ends the search for what can never be decided.
const mostRequests = 1 << 30

func needed(decided func(n float64) bool) int64 {
	return int64(search(mostRequests, decided))
}

// Duration is how long a check of a good revision takes: no less than the
// interval, and no more than the largest duration.
func (p Plan) Duration() time.Duration {
	d := max(p.at(p.Pass), p.Interval)
	if p.MaxDuration > 0 {
		d = min(d, p.MaxDuration)
	}
	return d
}

// at is the time that so many requests take.
func (p Plan) at(requests int64) time.Duration {
	if p.Rate <= 0 {
		return 0
	}
	seconds := math.Ceil(float64(requests) / p.Rate)
	return time.Duration(min(seconds, 1e9)) * time.Second
}

// String says what to expect, before one waits for it.
func (p Plan) String() string {
	text := fmt.Sprintf("at %s requests/s a step needs about %s", plainNumber(p.Rate), p.at(p.Pass))
	if p.Interval > 0 {
		text += fmt.Sprintf("; interval is %s", p.Interval)
	}
	if p.MaxDuration > 0 && p.at(p.Pass) > p.MaxDuration {
		text += fmt.Sprintf(", and after %s the estimate alone decides", p.MaxDuration)
	}
	if p.Catch != p.Pass {
		text += fmt.Sprintf("; %s times as many bad requests as allowed are noticed in about %s", plainNumber(p.Regression), p.at(p.Catch))
	}
	return text
}
