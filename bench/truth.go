package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

// nearestRank is the q quantile of sorted values.
func nearestRank(sorted []time.Duration, q float64) time.Duration {
	rank := int(math.Ceil(math.Nextafter(q, 0) * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// delays is a server that takes a time of its choice for each request, and
// takes down how long it really was: from the moment it has read the request
// until it writes the answer. It is a bare one, since what a library does
// before and after is not known to it.
type delays struct {
	mu   sync.Mutex // guards what follows
	next *rand.Rand
	took []time.Duration
}

// choose is log-normal around 10 ms.
func (d *delays) choose() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return min(time.Duration(10e6*math.Exp(0.8*d.next.NormFloat64())), time.Second)
}

func (d *delays) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	request := make([]byte, 4096)
	for {
		if _, err := conn.Read(request); err != nil { // a GET comes in one piece
			return
		}
		begin := time.Now()
		time.Sleep(d.choose()) //nolint:forbidigo // what the server does
		took := time.Since(begin)
		if _, err := conn.Write(answer); err != nil {
			return
		}
		d.mu.Lock()
		d.took = append(d.took, took)
		d.mu.Unlock()
	}
}

// listen accepts until it is stopped.
func (d *delays) listen() (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { d.serve(conn) })
		}
	})
	return &server{url: "http://" + l.Addr().String() + "/", stop: func() {
		_ = l.Close()
		serving.Wait() // the client has gone
	}}, nil
}

// truth compares what is reported with what the server itself knows.
func (b *bench) truth(ctx context.Context) error {
	d := &delays{next: rand.New(rand.NewPCG(1, 2))}
	s, err := d.listen()
	if err != nil {
		return err
	}
	const rate = "500"
	_, f, err := b.runSerin(ctx, "-rate", rate, "-z", (3 * b.duration).String(), "-c", "200", s.url)
	s.stop()
	if err != nil {
		return err
	}
	slices.Sort(d.took)
	b.printf("### Truth: a server that takes about 10 ms (log-normal), %s/s, %d requests\n\n", rate, f.Requests)
	b.printf("| | server | response time | off | service time | off | allowed: 1 %% + 0.1 ms |\n|---|---|---|---|---|---|---|\n")
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p75", 0.75}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}} {
		want := inMillis(nearestRank(d.took, q.q))
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
	b.printf("| | p50 | p90 | p91 | p95 | p99 | p99.9 |\n|---|---|---|---|---|---|---|\n")
	row := func(name string, value func(q float64) string) {
		b.printf("| %s |", name)
		for _, q := range []float64{0.5, 0.9, 0.91, 0.95, 0.99, 0.999} {
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
			log := filepath.Join(b.dir, "omission.hlog")
			if _, _, err := b.runSerin(ctx, "-rate", "200", "-z", (3 * period).String(), "-c", connections, "-hdr", log, url); err != nil {
				return nil, err
			}
			response, err := readResponses(log)
			return func(q float64) string { return fmt.Sprintf("%.1f ms", inMillis(response.Quantile(q))) }, err
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

// readResponses adds up the response times in a log.
func readResponses(name string) (*measure.Histogram, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	sum := new(measure.Histogram)
	for one, err := range measure.ReadLog(file) {
		if err != nil {
			return nil, err
		}
		if one.Tag == "response" {
			sum.Merge(one.Histogram)
		}
	}
	return sum, nil
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
