package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/serin-dev/serin/measure"
)

// behaviour is how a revision answers.
type behaviour struct {
	failures failures
	latency  lognormal
}

// failures makes a source that says of each request in turn whether it fails.
type failures func(random *rand.Rand, rate float64) func() bool

// independent failures have the same probability for each request.
func independent(probability float64) failures {
	return func(random *rand.Rand, _ float64) func() bool {
		return func() bool { return random.Float64() < probability }
	}
}

// bursts are failures in a two-state Markov chain (E. Gilbert, 1960): in a bad
// state, which lasts the given time on average, requests fail with probability
// within, outside none does, and mean is the probability over all.
func bursts(mean, within float64, length time.Duration) failures {
	return func(random *rand.Rand, rate float64) func() bool {
		share := mean / within
		leave := min(1/(length.Seconds()*rate), 1)
		enter := leave * share / (1 - share)
		bad := random.Float64() < share
		return func() bool {
			fails := bad && random.Float64() < within
			switch {
			case bad:
				bad = random.Float64() >= leave
			default:
				bad = random.Float64() < enter
			}
			return fails
		}
	}
}

// lognormal is a distribution of latencies with these two quantiles.
type lognormal struct{ p50, p99 time.Duration }

func (l lognormal) draw(random *rand.Rand) time.Duration {
	const z99 = 2.3263478740408408 // the normal quantile
	sigma := math.Log(float64(l.p99)/float64(l.p50)) / z99
	return time.Duration(float64(l.p50) * math.Exp(sigma*random.NormFloat64()))
}

// scenario is what happens in a rollout.
type scenario struct {
	name            string
	primary, canary behaviour
	// onset is the weight from which on the canary revision behaves like that;
	// below it is like the primary one.
	onset int
	// drift is by how much the latencies of both revisions rise and fall over
	// period, by a factor of up to 1 + drift.
	drift  float64
	period time.Duration
}

// traffic is the results of one rollout.
type traffic struct {
	scenario        *scenario
	random          *rand.Rand
	rate            float64
	phase           float64 // of the drift
	fails           [2]func() bool
	primary, canary measure.Snapshot
}

func newTraffic(s *scenario, rate float64, random *rand.Rand) *traffic {
	t := &traffic{scenario: s, random: random, rate: rate, phase: random.Float64()}
	t.fails[0] = s.primary.failures(random, rate)
	t.fails[1] = s.canary.failures(random, rate)
	return t
}

// slice makes the results from at on, for d.
func (t *traffic) slice(at, d time.Duration, weight int) (primary, canary *measure.Snapshot) {
	t.primary.Reset()
	t.canary.Reset()
	factor := 1.0
	if t.scenario.drift > 0 {
		turn := t.phase + at.Seconds()/t.scenario.period.Seconds()
		factor += t.scenario.drift * (1 + math.Sin(2*math.Pi*turn)) / 2
	}
	before, canaryFails := t.scenario.primary, t.fails[0]
	if t.bad(weight) {
		before, canaryFails = t.scenario.canary, t.fails[1]
	}
	for range int(math.Round(t.rate * d.Seconds())) {
		t.add(&t.primary, t.scenario.primary.latency, factor, t.fails[0]())
		t.add(&t.canary, before.latency, factor, canaryFails())
	}
	return &t.primary, &t.canary
}

// bad says whether the canary revision shows what it is.
func (t *traffic) bad(weight int) bool { return weight >= t.scenario.onset }

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (t *traffic) add(to *measure.Snapshot, latency lognormal, factor float64, fails bool) {
	outcome := measure.Status(200)
	if fails {
		outcome = measure.Status(500)
	}
	took := time.Duration(factor * float64(latency.draw(t.random)))
	to.Add(measure.Result{Intended: epoch, Sent: epoch, Done: epoch.Add(took), Outcome: outcome, OK: !fails})
}
