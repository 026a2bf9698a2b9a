package main

import (
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/measure"
)

// The metrics that the scenarios are judged by.
var (
	successRate = analysis.Metric{Name: "request-success-rate", Kind: analysis.SuccessRate, Min: new(99.0)}
	duration    = analysis.Metric{Name: "request-duration", Kind: analysis.Duration, Max: new(500.0)}
	likePrimary = analysis.Metric{Name: "latency-p99", Kind: analysis.Duration, Baseline: &analysis.Baseline{Fraction: new(0.1)}}
)

// sequential is Serin's sequential mode.
type sequential struct {
	trial  *analysis.Trial
	passed bool
	began  time.Duration // the check
}

func newSequential(rate float64, metrics ...analysis.Metric) *sequential {
	return &sequential{trial: analysis.NewTrial(sequentialJudge(rate, metrics...))}
}

func sequentialJudge(rate float64, metrics ...analysis.Metric) analysis.Judge {
	return analysis.Judge{
		Mode: analysis.Sequential, Metrics: metrics, Interval: interval,
		Rate: rate, Steps: len(weights), MaxDuration: 10 * interval,
	}
}

func (s *sequential) look(at time.Duration, _ int, primary, canary *measure.Snapshot) decision {
	if s.passed {
		s.trial.Next()
		s.passed = false
	}
	s.trial.Add(int64((at-1)/time.Second), primary, canary)
	switch s.trial.Result(at - s.began) {
	case analysis.Fail:
		return rollBack
	case analysis.Pass:
		s.passed, s.began = true, at
		return advance
	case analysis.Inconclusive:
	}
	return wait
}

// classic is Serin's classic mode.
type classic struct {
	judge           analysis.Judge
	threshold       int
	primary, canary measure.Snapshot
	began           time.Duration
	failed          int
}

func newClassic(threshold int, metrics ...analysis.Metric) *classic {
	return &classic{threshold: threshold, judge: analysis.Judge{Metrics: metrics, Interval: interval, MinSamples: 20}}
}

func (c *classic) look(at time.Duration, _ int, primary, canary *measure.Snapshot) decision {
	c.primary.Merge(primary)
	c.canary.Merge(canary)
	if at-c.began < interval {
		return wait
	}
	window := analysis.Window{Primary: &c.primary, Canary: &c.canary, Elapsed: at - c.began}
	result := c.judge.Verdict(window).Result
	if result == analysis.Inconclusive {
		return wait
	}
	c.primary.Reset()
	c.canary.Reset()
	c.began = at
	if result == analysis.Pass {
		return advance
	}
	if c.failed++; c.failed >= c.threshold {
		return rollBack
	}
	return wait
}
