package v1beta1

import "slices"

// addJudge refuses what a judge cannot be told.
func (p *problems) addJudge(a *Analysis) {
	const path = "spec.analysis.judge"
	if a.MinSamples != nil && *a.MinSamples < 1 {
		p.add("spec.analysis.minSamples", "must be at least 1, not %d", *a.MinSamples)
	}
	j := a.Judge
	if j == nil {
		return
	}
	if !slices.Contains([]string{"", ModeClassic, ModeSequential}, j.Mode) {
		p.add(path+".mode", "must be %s or %s, not %q", ModeClassic, ModeSequential, j.Mode)
	}
	if j.MinSamples != nil && *j.MinSamples < 1 {
		p.add(path+".minSamples", "must be at least 1, not %d", *j.MinSamples)
	}
	if a.MinSamples != nil && j.MinSamples != nil && *a.MinSamples != *j.MinSamples {
		p.add(path+".minSamples", "is %d and analysis.minSamples is %d: give one of them", *j.MinSamples, *a.MinSamples)
	}
	if a.Sequential() {
		p.addSequential(path, a)
		return
	}
	for _, f := range []struct {
		name  string
		given bool
	}{{"errorRate", j.ErrorRate != nil}, {"power", j.Power != nil}, {"maxDuration", j.MaxDuration != ""}} {
		if f.given {
			p.add(path+"."+f.name, "needs judge.mode: %s", ModeSequential)
		}
	}
}

// addSequential refuses what a sequential test cannot be told. Comparisons
// are such that NaN is refused.
func (p *problems) addSequential(path string, a *Analysis) {
	j := a.Judge
	if e := j.ErrorRate; e != nil && !(*e > 0 && *e <= 0.5) {
		p.add(path+".errorRate", "must be above 0 and at most 0.5, not %g", *e)
	}
	if w := j.Power; w != nil && !(*w >= 0.5 && *w < 1) {
		p.add(path+".power", "must be at least 0.5 and below 1, not %g", *w)
	}
	if a.Interval.valid() && j.MaxDuration.valid() && a.MaxDurationOrDefault() < a.IntervalOrDefault() {
		p.add(path+".maxDuration", "%s must not be shorter than analysis.interval, %s", j.MaxDuration, a.IntervalOrDefault())
	}
	if !slices.ContainsFunc(a.Metrics, func(m Metric) bool { return m.Judged() }) {
		p.add(path+".mode", "%s needs a metric with a thresholdRange or a baseline: nothing would be judged", ModeSequential)
	}
}
