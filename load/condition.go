package load

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/measure"
)

// condition is one -fail-if: the run has failed where it holds.
type condition struct {
	text   string
	metric string
	over   bool // the value is to be over the limit, rather than under it
	orSame bool
	limit  float64 // nanoseconds, percent, requests a second or a count
	value  func(*outcome) (float64, bool)
}

// outcome is one target at the end of a run.
type outcome struct {
	total *measure.Snapshot
	rate  float64 // achieved, in requests a second
}

var conditionSyntax = regexp.MustCompile(`^\s*([a-z]+[0-9.]*)\s*(<=|>=|<|>)\s*(\S+)\s*$`)

// parseCondition reads "p99>500ms", "success<99%", "errors>0" or "rate<95".
func parseCondition(s string) (condition, error) {
	m := conditionSyntax.FindStringSubmatch(s)
	if m == nil {
		return condition{}, fmt.Errorf("condition %q must be a metric, a comparison and a value, such as p99>500ms or success<99%%", s)
	}
	c := condition{text: strings.TrimSpace(s), metric: m[1], over: m[2][0] == '>', orSame: strings.HasSuffix(m[2], "=")}
	var err error
	if c.value, c.limit, err = parseMetric(m[1], m[3]); err != nil {
		return condition{}, fmt.Errorf("condition %q: %w", s, err)
	}
	return c, nil
}

func parseMetric(metric, limit string) (func(*outcome) (float64, bool), float64, error) {
	switch metric {
	case "success":
		percent, err := strconv.ParseFloat(strings.TrimSuffix(limit, "%"), 64)
		if err == nil && !(percent >= 0 && percent <= 100) {
			err = errors.New("success is in percent, from 0 to 100")
		}
		return func(o *outcome) (float64, bool) {
			rate, ok := o.total.SuccessRate()
			return 100 * rate, ok
		}, percent, err
	case "errors":
		n, err := strconv.ParseFloat(limit, 64)
		return func(o *outcome) (float64, bool) { return float64(o.total.Failures), true }, n, err
	case "rate":
		n, err := strconv.ParseFloat(limit, 64)
		return func(o *outcome) (float64, bool) { return o.rate, true }, n, err
	}
	latency, err := parseLatency(metric)
	if err != nil {
		return nil, 0, err
	}
	d, err := time.ParseDuration(limit)
	return func(o *outcome) (float64, bool) {
		return float64(latency(&o.total.Response)), o.total.Requests() > 0
	}, float64(d), err
}

// parseLatency reads mean, min, max or a quantile: p50, p99, p99.9, p999.
func parseLatency(metric string) (func(*measure.Histogram) time.Duration, error) {
	switch metric {
	case "mean":
		return (*measure.Histogram).Mean, nil
	case "min":
		return (*measure.Histogram).Min, nil
	case "max":
		return (*measure.Histogram).Max, nil
	}
	digits, isQuantile := strings.CutPrefix(metric, "p")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if !hasPoint && len(digits) > 2 { // p999 is p99.9
		whole, fraction = digits[:2], digits[2:]
	}
	percent, err := strconv.ParseFloat(whole+"."+fraction, 64)
	if !isQuantile || err != nil || percent > 100 {
		return nil, fmt.Errorf("metric %q must be a quantile (p50, p99, p99.9), mean, min, max, success, errors or rate", metric)
	}
	return func(h *measure.Histogram) time.Duration { return h.Quantile(percent / 100) }, nil
}

// holds reports whether the run has failed by c. Without any request, nothing
// was measured that could be good.
func (c condition) holds(o *outcome) bool {
	v, ok := c.value(o)
	switch {
	case !ok:
		return true
	case v == c.limit:
		return c.orSame
	default:
		return (v > c.limit) == c.over
	}
}
