package analysis

import (
	"fmt"
	"math"

	"github.com/serin-dev/serin/measure"
)

// classic compares point estimates with their limits.
func (j *Judge) classic(w *Window) Verdict {
	n := w.Canary.Requests()
	if n < j.MinSamples {
		return verdict(n, Finding{
			Requests: n, Message: tooFew(n, j.MinSamples),
			Explanation: fmt.Sprintf("%s more will tell", thousands(j.MinSamples-n)),
		})
	}
	findings := make([]Finding, len(j.Metrics))
	for i := range j.Metrics {
		findings[i] = j.Metrics[i].classic(j, w)
	}
	return verdict(n, findings...)
}

// classic compares one metric. The canary's snapshot must not be empty.
func (m *Metric) classic(j *Judge, w *Window) Finding {
	canary := m.view(w.Canary)
	value := m.value(canary, w.Elapsed)
	f := Finding{Metric: m.Name, Result: Pass, Value: value, Requests: canary.Requests()}
	f.Low, f.High = m.interval(canary, w.Elapsed, 1)
	var texts []string
	check := func(b *bound, bad bool, suffix string) {
		relation, opposite := ">", "<="
		if b.under() {
			relation, opposite = "<", ">="
		}
		if !bad {
			texts = append(texts, m.relation(value, opposite, b.limit)+suffix)
			return
		}
		f.Result, f.Limit = Fail, b.limit
		texts = []string{m.relation(value, relation, b.limit) + suffix}
		f.Explanation = b.tolerable(canary)
	}
	if m.Min != nil {
		check(&bound{metric: m, side: atLeast, limit: *m.Min}, value < *m.Min, "")
	}
	if m.Max != nil && f.Result == Pass {
		check(&bound{metric: m, side: atMost, limit: *m.Max}, value > *m.Max, "")
	}
	if m.Baseline != nil && f.Result == Pass {
		m.classicBaseline(j, w, &f, check)
	}
	f.Message = joinTexts(texts, m.plain(value))
	if f.Result == Fail && m.excused(canary, value, f.Limit) {
		f.Result, f.limited = Inconclusive, true
		f.Message += fmt.Sprintf(", but the load generator itself was up to %s late", rounded(canary.Lag.Max()))
		f.Explanation = "an interval in which the generator keeps its schedule will tell: give the daemon more CPU, or lower the rate"
	}
	return f
}

func (m *Metric) classicBaseline(j *Judge, w *Window, f *Finding, check func(b *bound, bad bool, suffix string)) {
	var primary *measure.Snapshot
	if w.Primary != nil {
		primary = m.view(w.Primary)
	}
	if primary == nil || primary.Requests() < j.MinSamples {
		f.Result = Inconclusive
		f.Explanation = "requests to the primary revision will tell"
		return
	}
	reference := m.value(primary, w.Elapsed)
	b := &bound{metric: m, side: likePrimary, limit: m.baselineLimit(reference)}
	bad := f.Value > b.limit
	if b.under() {
		bad = f.Value < b.limit
	}
	check(b, bad, fmt.Sprintf(", %s %s the primary's %s", m.margin(), b.direction(), m.format(reference, math.NaN())))
}

// excused reports whether a value is beyond its limit by no more than what the
// load generator itself was late.
func (m *Metric) excused(s *measure.Snapshot, value, limit float64) bool {
	if !s.GeneratorLimited() {
		return false
	}
	switch {
	case m.Kind == Throughput:
		return value < limit
	case m.isLatency():
		return value > limit && value-milliseconds(s.Lag.Max()) <= limit
	}
	return false
}
