package report_test

import (
	"fmt"
	"os"
	"time"

	"github.com/serin-dev/serin/measure"
	"github.com/serin-dev/serin/report"
)

// A server that freezes for half a second at 10 requests/s delays five of them,
// each by a little less than the one before.
func Example() {
	began := time.Date(2026, 3, 4, 15, 4, 5, 0, time.UTC)
	target := report.Target{Name: "http://podinfo.test", RateIntended: 10, Total: new(measure.Snapshot), Series: new(report.Series)}
	for i := range 20 {
		at := began.Add(time.Duration(i) * 100 * time.Millisecond)
		took := 4 * time.Millisecond
		if i >= 5 && i < 10 {
			took += time.Duration(10-i) * 100 * time.Millisecond
		}
		target.Total.Add(measure.Result{Intended: at, Sent: at, Done: at.Add(took), Outcome: measure.Status(200), OK: true})
	}
	target.Series.Add(0, 2*time.Second, target.Total)

	run := report.Run{Started: began, Elapsed: 2 * time.Second, Workers: 8, Targets: []report.Target{target}}
	fmt.Println(report.Progress(&run, 60))
	fmt.Println()
	if err := report.Text(os.Stdout, &run); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2 s  10.0/s of 10.0/s  100% ok  p99 504 ms  p50 4.00 ms
	//
	// http://podinfo.test
	// Open loop, at most 8 connections, 2 s
	//
	// Totals
	//   requests           20
	//   succeeded        100%
	//   failed              0
	//   rate           10.0/s
	//   rate intended  10.0/s
	//   redirects           0
	//   waited              0
	//
	// Latency         response  service      lag
	//   min            4.00 ms  4.00 ms  1.00 µs
	//   p50            4.00 ms  4.00 ms  1.02 µs
	//   p75            4.00 ms  4.00 ms  1.02 µs
	//   p90             304 ms   304 ms  1.02 µs
	//   p95             404 ms   404 ms  1.02 µs
	//   p99             504 ms   504 ms  1.02 µs
	//   p99.9           504 ms   504 ms  1.02 µs
	//   p99.99          504 ms   504 ms  1.02 µs
	//   max             504 ms   504 ms  1.02 µs
	//   mean           79.0 ms  79.0 ms  0.77 µs
	//
	// Response times
	//   up to 5 ms    15  ████████████████████████████████████████
	//   up to 10 ms    0
	//   up to 20 ms    0
	//   up to 50 ms    0
	//   up to 100 ms   0
	//   up to 200 ms   1  ██▋
	//   up to 500 ms   3  ████████
	//   up to 1 s      1  ██▋
	//
	// Answers
	//   200           20
}
