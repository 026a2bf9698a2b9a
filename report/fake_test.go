package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/serin-dev/serin/measure"
)

var started = time.Date(2026, 3, 4, 15, 4, 5, 0, time.UTC)

// load is a synthetic server under a synthetic schedule. The same seed gives
// the same results on every machine.
type load struct {
	seed        uint64
	rate        int // requests/s
	duration    time.Duration
	interval    time.Duration
	median      time.Duration
	sigma       float64       // of the logarithm of the service time
	freezeAt    time.Duration // the server answers nothing from here ...
	freeze      time.Duration // ... for that long
	failBetween [2]time.Duration
	lag         time.Duration // of each request
	connections int           // 0: unbounded
}

// run is the target that the load yields.
func (l load) run(name string) Target {
	rng := rand.New(rand.NewPCG(l.seed, 1))
	t := Target{Name: name, RateIntended: float64(l.rate), Total: new(measure.Snapshot), Series: new(Series)}
	n, each := 0, int(l.interval.Seconds()*float64(l.rate))
	for at := time.Duration(0); at < l.duration; at += l.interval {
		snap := new(measure.Snapshot)
		for range each {
			snap.Add(l.result(rng, time.Duration(n)*time.Second/time.Duration(l.rate)))
			n++
		}
		t.Series.Add(at, l.interval, snap)
		t.Total.Merge(snap)
		t.Intervals++
		if snap.GeneratorLimited() {
			t.Limited++
		}
	}
	return t
}

func (l load) result(rng *rand.Rand, at time.Duration) measure.Result {
	service := time.Duration(float64(l.median) * math.Exp(l.sigma*rng.NormFloat64()))
	r := measure.Result{Intended: started.Add(at), Outcome: measure.Status(200), OK: true}
	r.Sent = r.Intended.Add(l.lag + time.Duration(rng.IntN(40))*time.Microsecond)
	if thaw := l.freezeAt + l.freeze; at >= l.freezeAt && at < thaw {
		if l.connections > 0 && int((at-l.freezeAt).Seconds()*float64(l.rate)) >= l.connections {
			r.Ready = started.Add(thaw)
			r.Sent = r.Ready.Add(20 * time.Microsecond)
		} else {
			service += thaw - at
		}
	}
	if at >= l.failBetween[0] && at < l.failBetween[1] {
		switch rng.IntN(4) {
		case 0:
			r.Outcome, r.OK = measure.Status(503), false
		case 1:
			r.Outcome, r.OK = measure.Reset, false
			service /= 4
		}
	}
	r.Done = r.Sent.Add(service)
	return r
}

var stable = load{
	seed: 1, rate: 50, duration: 30 * time.Second, interval: time.Second, median: 12 * time.Millisecond, sigma: 0.4,
	freezeAt: 18 * time.Second, freeze: time.Second, connections: 16,
}

var canary = load{
	seed: 2, rate: 50, duration: 30 * time.Second, interval: time.Second, median: 15 * time.Millisecond, sigma: 0.6,
	failBetween: [2]time.Duration{20 * time.Second, 23 * time.Second},
}

// runs are what the golden files show. The caller may change them, but not
// their histograms.
func runs() map[string]*Run {
	out := map[string]*Run{}
	for name, r := range makeRuns() {
		clone := *r
		clone.Targets = slices.Clone(r.Targets)
		out[name] = &clone
	}
	return out
}

var makeRuns = sync.OnceValue(func() map[string]*Run {
	const (
		stableURL = "http://podinfo.test/"
		canaryURL = "http://canary-podinfo.test/"
	)
	base := Run{Started: started, Elapsed: 30 * time.Second, Workers: 16, CPU: 0.07, CPUs: 2}
	one, two, closed, limited, empty, broken, hostile := base, base, base, base, base, base, base
	one.Targets = []Target{stable.run(stableURL)}
	two.Targets = []Target{stable.run(stableURL), canary.run(canaryURL)}

	closed.Closed = true
	closed.Targets = []Target{canary.run(stableURL)}
	closed.Targets[0].RateIntended = 0

	slow := canary
	slow.lag, slow.rate = 4*time.Millisecond, 200
	limited.CPU = 1.97
	limited.Targets = []Target{slow.run(stableURL)}

	empty.Elapsed = 0
	empty.Targets = []Target{{Name: stableURL, RateIntended: 50}}

	fail := load{seed: 3, rate: 20, duration: time.Second, interval: time.Second, median: 80 * time.Microsecond, sigma: 0.3, failBetween: [2]time.Duration{0, time.Second}}
	broken.Elapsed = time.Second
	broken.Targets = []Target{fail.run(stableURL)}

	long := base
	long.Elapsed = 5 * time.Hour
	hours := load{
		seed: 4, rate: 2, duration: 5 * time.Hour, interval: 5 * time.Second, median: 200 * time.Microsecond, sigma: 1,
		freezeAt: 2 * time.Hour, freeze: time.Minute, failBetween: [2]time.Duration{3 * time.Hour, 3*time.Hour + 20*time.Minute},
	}
	long.Targets = []Target{hours.run(stableURL)}

	hostile.Targets = []Target{canary.run(hostileURL), stable.run(hostileURL + "\x1b[2J\xff")}
	return map[string]*Run{
		"one": &one, "two": &two, "closed": &closed, "limited": &limited,
		"empty": &empty, "broken": &broken, "long": &long, "hostile": &hostile,
	}
})

const hostileURL = `http://x/?a=1&b=2"'></svg></style></title><script>alert(1)</script>]]><!--{{.}}`
