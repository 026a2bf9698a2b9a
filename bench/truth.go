package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

// nearestRank is the q quantile of sorted values.
func nearestRank(sorted []time.Duration, q float64) time.Duration {
	rank := int(math.Round(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// truth compares what is reported with what the server itself knows: it waits
// for a time of its choice, and takes down how long it really was.
func (b *bench) truth(ctx context.Context) error {
	var mu sync.Mutex
	var took []time.Duration
	random := rand.New(rand.NewPCG(1, 2))
	s, err := serve("", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begin := time.Now()
		mu.Lock()
		delay := time.Duration(10e6 * math.Exp(0.8*random.NormFloat64())) // log-normal around 10 ms
		mu.Unlock()
		time.Sleep(min(delay, time.Second)) //nolint:forbidigo // what the server does
		d := time.Since(begin)
		mu.Lock()
		took = append(took, d)
		mu.Unlock()
	}))
	if err != nil {
		return err
	}
	defer s.stop()
	const rate = "500"
	_, f, err := b.runSerin(ctx, "-rate", rate, "-z", (3 * b.duration).String(), "-c", "200", s.url)
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(took)
	b.printf("### Truth: a server that waits about 10 ms (log-normal), %s/s, %d requests\n\n", rate, f.Requests)
	b.printf("| | server | response time | off | service time | off | allowed: 1 %% + 0.1 ms |\n|---|---|---|---|---|---|---|\n")
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p75", 0.75}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}} {
		want := inMillis(nearestRank(took, q.q))
		b.printf("| %s | %.3f ms | %.3f ms | %+.3f ms | %.3f ms | %+.3f ms | %.3f ms |\n", q.name, want,
			f.Latency[q.name], f.Latency[q.name]-want, f.Service[q.name], f.Service[q.name]-want, want/100+0.1)
	}
	b.printf("\n")
	return nil
}

// The server of the coordinated omission measurement.
const (
	period = 10 * time.Second
	frozen = time.Second
	rate   = 200
)

// freezing answers at once, but for the first second of each period, in which
// it answers nothing.
func freezing(begin time.Time) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if phase := time.Since(begin) % period; phase < frozen {
			select {
			case <-r.Context().Done():
			case <-time.After(frozen - phase):
			}
		}
	})
}

// closedForm is the response times of one period, in order: those of the
// requests that came while the server was frozen wait for its end, and the
// others take as good as no time.
func closedForm() []time.Duration {
	var sorted []time.Duration
	for n := range int(rate * period / time.Second) {
		at := time.Duration(n) * time.Second / rate
		sorted = append(sorted, max(frozen-at, 0))
	}
	slices.Sort(sorted)
	return sorted
}

// omission is what a server that freezes for a second in ten looks like.
func (b *bench) omission(ctx context.Context) error {
	want := closedForm()
	b.printf("### Coordinated omission: %v frozen in every %v, %d/s, for 3 periods\n\n", frozen, period, rate)
	b.printf("| | p50 | p90 | p95 | p99 | p99.9 |\n|---|---|---|---|---|---|\n")
	row := func(name string, value func(q float64) string) {
		b.printf("| %s |", name)
		for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999} {
			b.printf(" %s |", value(q))
		}
		b.printf("\n")
	}
	row("closed form", func(q float64) string { return fmt.Sprintf("%.0f ms", inMillis(nearestRank(want, q))) })
	for _, c := range []struct {
		name string
		path string
		run  func(url string) (func(q float64) string, error)
	}{
		{"serin -rate 200", b.serin, func(url string) (func(float64) string, error) {
			_, f, err := b.runSerin(ctx, "-rate", "200", "-z", (3 * period).String(), "-c", connections, url)
			return func(q float64) string {
				return fmt.Sprintf("%.1f ms", f.Latency[map[float64]string{0.5: "p50", 0.9: "p90", 0.95: "p95", 0.99: "p99", 0.999: "p999"}[q]])
			}, err
		}},
		{"hey -c 50 -q 4", b.hey, func(url string) (func(float64) string, error) {
			s, err := b.runHey(ctx, "-z", (3 * period).String(), "-c", "50", "-q", "4", url)
			return said(s.output, `%v%%+ in ([0-9.]+) secs`, " s"), err
		}},
		{"wrk -c 64", b.wrk, func(url string) (func(float64) string, error) {
			s, err := b.runWrk(ctx, "--latency", "-d", (3 * period).String(), "-c", connections, url)
			return said(s.output, `%v%%\s+(\S+)`, ""), err
		}},
	} {
		if c.path == "" {
			continue
		}
		s, err := serve("", freezing(time.Now()))
		if err != nil {
			return err
		}
		value, err := c.run(s.url)
		s.stop()
		if err != nil {
			return err
		}
		row(c.name, value)
	}
	b.printf("\n")
	return nil
}

// said finds a percentile in what a program has printed.
func said(output []byte, pattern, unit string) func(q float64) string {
	return func(q float64) string {
		m := regexp.MustCompile(fmt.Sprintf(pattern, 100*q)).FindSubmatch(output)
		if m == nil {
			return "not said"
		}
		return string(m[1]) + unit
	}
}

// tenPlans runs n plans of 100/s at once in this process and returns the p50
// and p99 of each one's lag, by p99, and the cores it took.
func tenPlans(ctx context.Context, url string, n int, d time.Duration) (lags [][2]time.Duration, cores float64, err error) {
	recorders := make([]*measure.Recorder, n)
	errs := make([]error, n)
	meter := loadgen.NewMeter()
	var wg sync.WaitGroup
	for i := range n {
		recorders[i] = measure.NewRecorder()
		wg.Go(func() {
			plan := loadgen.Plan{Schedule: loadgen.Poisson(100, uint64(i)), Duration: d}
			errs[i] = loadgen.Run(ctx, plan, loadgen.Target{URL: url, Recorder: recorders[i]})
		})
	}
	wg.Wait()
	cores = meter.Cores()
	for i, r := range recorders {
		if errs[i] != nil {
			return nil, 0, errs[i]
		}
		taken := r.Take()
		lags = append(lags, [2]time.Duration{taken.Lag.Quantile(0.5), taken.Lag.Quantile(0.99)})
	}
	slices.SortFunc(lags, func(a, b [2]time.Duration) int { return int(a[1] - b[1]) })
	return lags, cores, nil
}
