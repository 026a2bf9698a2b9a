package analysis

import (
	"math"
	"testing"
)

// told is a test whose evidence is told.
type told struct {
	*proportion
	rollout, step float64
}

func (t told) against() (rollout, step float64) { return t.rollout, t.step }

// The parts of the error rate add up to the whole: equal ones for the bounds,
// and of each bound's three quarters for the rollout, the rest for the checks
// after the first by themselves.
func TestHowTheErrorRateIsSpent(t *testing.T) {
	const nothing = -1e9
	for _, tc := range []struct {
		name                   string
		bounds, steps, check   int
		of                     float64 // the part that is spent on
		rolloutSays, stepsSays bool
	}{
		{"one check", 1, 1, 1, 1, true, false},
		{"two bounds", 2, 1, 1, 1. / 2, true, false},
		{"the first check of six", 1, 6, 1, 0.75, true, false},
		{"the rollout at the third", 1, 6, 3, 0.75, true, false},
		{"the third check itself", 1, 6, 3, 0.25 / 5, false, true},
		{"both say the same at the third", 1, 6, 3, 0.75 + 0.25/5, true, true},
		{"the first check itself is the rollout", 1, 6, 1, 0, false, true},
		{"a check more than was planned", 1, 6, 7, 0, false, true},
		{"two bounds, the third check", 2, 6, 3, 0.25 / 5 / 2, false, true},
	} {
		trial := &Trial{judge: Judge{ErrorRate: 0.01, Steps: tc.steps}, checks: tc.check, bounds: make([]*bound, tc.bounds)}
		evidence := func(log float64) test {
			told := told{rollout: nothing, step: nothing}
			if tc.rolloutSays {
				told.rollout = log
			}
			if tc.stepsSays {
				told.step = log
			}
			return told
		}
		if tc.of == 0 {
			if fails, _ := trial.fails(evidence(1e6)); fails {
				t.Errorf("%s: fails", tc.name)
			}
			continue
		}
		enough := math.Log(1 / (0.01 * tc.of))
		less, _ := trial.fails(evidence(enough - 1e-9))
		more, byRollout := trial.fails(evidence(enough + 1e-9))
		if less || !more || byRollout != tc.rolloutSays {
			t.Errorf("%s: with evidence of 1/%g %v and %v, by the rollout %v; want false and true", tc.name, 0.01*tc.of, less, more, byRollout)
		}
	}
}
