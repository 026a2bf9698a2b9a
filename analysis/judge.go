package analysis

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/serin-dev/serin/measure"
)

// Mode is how a judge decides.
type Mode int

const (
	// Classic compares point estimates with their limits once an interval, as
	// Flagger does.
	Classic Mode = iota
	// Sequential tests the limits, decides as soon as the evidence suffices,
	// and may be asked as often as one likes.
	Sequential
)

// Defaults of a Sequential judge.
const (
	DefaultErrorRate = 0.01
	DefaultPower     = 0.9
)

// Judge holds what a check asks for.
type Judge struct {
	Mode    Mode
	Metrics []Metric
	// MinSamples is the number of requests to each revision that is judged
	// below which nothing is said.
	MinSamples int64
	// Interval is the least time after which a check passes; a Classic judge
	// measures over it.
	Interval time.Duration
	// Rate is the intended number of requests a second to each revision. A
	// Sequential judge of the throughput needs it.
	Rate float64

	// The rest is of Sequential judges.

	// ErrorRate bounds the probability that a good revision fails in a whole
	// rollout, over all its steps, metrics and looks, in (0,1). Default 0.01.
	ErrorRate float64
	// Power is the probability with which a check holds a revision that has
	// twice as many bad requests as allowed, in (0,1). Default 0.9.
	Power float64
	// Steps is the number of checks in the rollout.
	Steps int
	// MaxDuration is how long a check may take. After it, a revision that is
	// within all limits passes without proof. 0 means no end.
	MaxDuration time.Duration
}

func (j Judge) withDefaults() Judge {
	if j.ErrorRate == 0 {
		j.ErrorRate = DefaultErrorRate
	}
	if j.Power == 0 {
		j.Power = DefaultPower
	}
	j.MinSamples = max(j.MinSamples, 1)
	j.Steps = max(j.Steps, 1)
	return j
}

// Validate reports, joined, what makes no sense.
func (j Judge) Validate() error {
	j = j.withDefaults()
	var errs []error
	if !(j.ErrorRate > 0 && j.ErrorRate < 1) {
		errs = append(errs, fmt.Errorf("error rate must be above 0 and below 1, not %g", j.ErrorRate))
	}
	if !(j.Power > 0 && j.Power < 1) {
		errs = append(errs, fmt.Errorf("power must be above 0 and below 1, not %g", j.Power))
	}
	for i := range j.Metrics {
		if err := j.Metrics[i].validate(&j); err != nil {
			errs = append(errs, fmt.Errorf("metric %s: %w", j.Metrics[i].Name, err))
		}
	}
	return errors.Join(errs...)
}

func (m *Metric) validate(j *Judge) error {
	if m.Kind < SuccessRate || m.Kind > Throughput {
		return fmt.Errorf("unknown kind %d", m.Kind)
	}
	if q := m.quantile(); m.Kind == Duration && !(q > 0 && q < 1) {
		return fmt.Errorf("quantile must be above 0 and below 1, not %g", q)
	}
	for _, limit := range []*float64{m.Min, m.Max} {
		if limit != nil && (math.IsNaN(*limit) || math.IsInf(*limit, 0)) {
			return fmt.Errorf("a threshold must be a number, not %g", *limit)
		}
	}
	if m.Min != nil && m.Max != nil && *m.Min > *m.Max {
		return fmt.Errorf("min %g must not be above max %g", *m.Min, *m.Max)
	}
	if m.Kind == Throughput && m.Min != nil && j.Rate > 0 && *m.Min > j.Rate {
		return fmt.Errorf("min %g cannot be reached with %g requests/s: raise the rate of the load", *m.Min, j.Rate)
	}
	if m.Kind == Throughput && j.Mode == Sequential && j.Rate <= 0 {
		return errors.New("the rate of the load must be known to judge the throughput")
	}
	return m.validateBaseline()
}

func (m *Metric) validateBaseline() error {
	b := m.Baseline
	if b == nil {
		return nil
	}
	margin := b.Fraction
	if margin == nil {
		margin = b.Delta
	}
	switch {
	case margin == nil || (b.Fraction != nil && b.Delta != nil):
		return errors.New("a baseline must have either a fraction or a delta")
	case !(*margin >= 0) || math.IsInf(*margin, 0):
		return fmt.Errorf("a baseline's margin must be a number of 0 or more, not %g", *margin)
	case m.lessIsWorse() && b.Fraction != nil && *margin > 1:
		return fmt.Errorf("a baseline's fraction of the %s must be at most 1, not %g", m, *margin)
	}
	return nil
}

// Period is the time between two looks at a check, in which a revision gets five
// requests or more: parts of a second for a Sequential judge, which may look as
// often as it likes, and at Rate at most a second. A Classic judge looks once an
// interval.
func (j Judge) Period() time.Duration {
	if j.Mode != Sequential {
		return j.Interval
	}
	for _, part := range []time.Duration{10, 5, 2} {
		if period := time.Second / part; j.Rate*period.Seconds() >= 5 {
			return period
		}
	}
	return time.Second
}

// Window is what was measured in one check.
type Window struct {
	// Primary may be nil where no metric has a baseline.
	Primary, Canary *measure.Snapshot
	// Elapsed is the time in which it was measured.
	Elapsed time.Duration
}

// Verdict judges one window by its point estimates, in whatever mode. The
// result is the worst of the findings: one failed metric fails the check.
// Judges that fail Validate find nothing.
func (j Judge) Verdict(w Window) Verdict {
	j = j.withDefaults()
	if err := j.Validate(); err != nil {
		return verdict(w.Canary.Requests(), Finding{Message: err.Error()})
	}
	return j.classic(&w)
}
