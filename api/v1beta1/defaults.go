package v1beta1

import "time"

// Defaults of fields that were not given.
const (
	DefaultInterval         = time.Minute
	MinInterval             = time.Second
	DefaultProgressDeadline = 10 * time.Minute
	DefaultMaxWeight        = 100
	DefaultMinSamples       = 20
	DefaultErrorRate        = 0.01
	DefaultPower            = 0.9
	DefaultQuantile         = 0.99 // of request-duration
	DefaultRate             = 10
	DefaultRequestTimeout   = 5 * time.Second
	DefaultConnections      = 64
	DefaultWarmup           = time.Second

	// DefaultMinSamplesSequential is DefaultMinSamples of mode sequential,
	// whose test knows how many requests it needs.
	DefaultMinSamplesSequential = 1
	// DefaultMaxIntervals is the default of judge.maxDuration, in intervals.
	DefaultMaxIntervals = 10
)

// OrDefault returns the parsed duration, or def where it is empty or does not
// parse; Validate is what refuses the latter.
func (d Duration) OrDefault(def time.Duration) time.Duration {
	if v, err := time.ParseDuration(string(d)); err == nil {
		return v
	}
	return def
}

// IntervalOrDefault is the time over which one check measures.
func (a *Analysis) IntervalOrDefault() time.Duration {
	return max(a.Interval.OrDefault(DefaultInterval), MinInterval)
}

// ThresholdOrDefault is the number of failed checks that ends a rollout.
func (a *Analysis) ThresholdOrDefault() int32 { return max(a.Threshold, 1) }

// MinSamplesOrDefault is the least number of requests for a verdict.
func (a *Analysis) MinSamplesOrDefault() int64 {
	if a.Judge != nil && a.Judge.MinSamples != nil {
		return int64(*a.Judge.MinSamples)
	}
	if a.Sequential() {
		return int64(orDefault(a.MinSamples, DefaultMinSamplesSequential))
	}
	return int64(orDefault(a.MinSamples, DefaultMinSamples))
}

// Sequential reports whether a step is judged by a sequential test.
func (a *Analysis) Sequential() bool {
	return a.Judge != nil && a.Judge.Mode == ModeSequential
}

// ErrorRateOrDefault bounds the probability, in (0,0.5], that a good revision
// gets a fail verdict in the whole rollout.
func (a *Analysis) ErrorRateOrDefault() float64 {
	if a.Judge == nil {
		return DefaultErrorRate
	}
	return orDefault(a.Judge.ErrorRate, DefaultErrorRate)
}

// PowerOrDefault is the probability, in [0.5,1), with which a step catches a
// revision that fails twice as often as allowed.
func (a *Analysis) PowerOrDefault() float64 {
	if a.Judge == nil {
		return DefaultPower
	}
	return orDefault(a.Judge.Power, DefaultPower)
}

// MaxDurationOrDefault is how long a step may stay undecided.
func (a *Analysis) MaxDurationOrDefault() time.Duration {
	def := DefaultMaxIntervals * a.IntervalOrDefault()
	if a.Judge == nil {
		return def
	}
	return a.Judge.MaxDuration.OrDefault(def)
}

// ProgressDeadline is the time a rollout may stand still.
func (s *CanarySpec) ProgressDeadline() time.Duration {
	if s.ProgressDeadlineSeconds == nil {
		return DefaultProgressDeadline
	}
	return time.Duration(*s.ProgressDeadlineSeconds) * time.Second
}

// Weights are the canary's percents of the live traffic, one a step, first to
// last: each larger than zero, none above the maximum weight or 100. A
// blue/green rollout has none.
func (a *Analysis) Weights() []int32 {
	if a.Iterations != nil {
		return nil
	}
	limit := min(orDefault(a.MaxWeight, DefaultMaxWeight), 100)
	if len(a.StepWeights) > 0 {
		var weights []int32
		for _, w := range a.StepWeights {
			if w > 0 {
				weights = append(weights, min(w, limit))
			}
		}
		return weights
	}
	step := orDefault(a.StepWeight, limit)
	var weights []int32
	for w := step; step > 0; w += step {
		weights = append(weights, min(w, limit))
		if w >= limit {
			break
		}
	}
	return weights
}

// WatchDuration is how long a promoted revision is watched; 0 for not at all.
func (a *Analysis) WatchDuration() time.Duration {
	if a.Watch == nil {
		return 0
	}
	return a.Watch.Duration.OrDefault(0)
}

func orDefault[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}
