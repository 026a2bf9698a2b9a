package main

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/serin-dev/serin/measure"
)

// policy decides about a rollout.
type policy interface {
	// look takes the results that came in until at, since the look before.
	look(at time.Duration, weight int, primary, canary *measure.Snapshot) decision
}

type decision int

const (
	wait decision = iota
	advance
	rollBack
)

// weights are the steps of the guide's Canary.
var weights = []int{0, 10, 20, 30, 40, 50}

const (
	interval  = 15 * time.Second
	usersRate = 100.0         // requests a second of users, to both revisions
	patience  = 4 * time.Hour // after which a rollout is said to hang
)

// outcome is how a rollout ended.
type outcome struct {
	rolledBack, hung bool
	took             time.Duration
	weight           int
	// requests were sent to the canary revision from its onset on.
	requests float64
	// users is how many requests of users the bad revision answered.
	users float64
}

// rollOut runs one rollout, without the time that Knative needs to route, which
// is the same under every policy.
func rollOut(t *traffic, p policy) outcome {
	var o outcome
	period := looks(t.rate)
	for step := 0; step < len(weights); {
		if o.took >= patience {
			o.hung = true
			return o
		}
		o.weight = weights[step]
		primary, canary := t.slice(o.took, period, o.weight)
		o.took += period
		if t.bad(o.weight) {
			o.requests += t.rate * period.Seconds()
			o.users += usersRate * float64(o.weight) / 100 * period.Seconds()
		}
		switch p.look(o.took, o.weight, primary, canary) {
		case wait:
		case advance:
			step++
		case rollBack:
			o.rolledBack = true
			return o
		}
	}
	return o
}

// looks is the time between two looks, under every policy.
func looks(rate float64) time.Duration { return sequentialJudge(rate).Period() }

// experiment is many rollouts of a scenario under a policy.
type experiment struct {
	scenario *scenario
	rate     float64
	policy   func(rate float64) policy
	rollouts int
}

// run runs the rollouts. The n-th has the same traffic under every policy as
// long as they move alike.
func (e *experiment) run(seed uint64) outcomes {
	all := make(outcomes, e.rollouts)
	var workers sync.WaitGroup
	parts := runtime.GOMAXPROCS(0)
	for part := range parts {
		workers.Go(func() {
			for n := part; n < e.rollouts; n += parts {
				random := newRandom(seed, uint64(n))
				all[n] = rollOut(newTraffic(e.scenario, e.rate, random), e.policy(e.rate))
			}
		})
	}
	workers.Wait()
	return all
}

type outcomes []outcome

func (all outcomes) count(is func(*outcome) bool) int {
	n := 0
	for i := range all {
		if is(&all[i]) {
			n++
		}
	}
	return n
}

func rolledBack(o *outcome) bool { return o.rolledBack }

// median of those that were rolled back; ok is false where none was.
func (all outcomes) median(of func(*outcome) float64) (median float64, ok bool) {
	return all.quantile(0.5, of)
}

func (all outcomes) quantile(q float64, of func(*outcome) float64) (value float64, ok bool) {
	var values []float64
	for i := range all {
		if all[i].rolledBack {
			values = append(values, of(&all[i]))
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)], true
}

func requests(o *outcome) float64 { return o.requests }
func seconds(o *outcome) float64  { return o.took.Seconds() }
func users(o *outcome) float64    { return o.users }

// newRandom is one stream of many that have nothing in common, which those of
// the faster generators with neighbouring seeds may have.
func newRandom(seed, n uint64) *rand.Rand {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], n)
	return rand.New(rand.NewChaCha8(key))
}
