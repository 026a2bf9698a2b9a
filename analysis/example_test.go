package analysis_test

import (
	"fmt"
	"time"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/measure"
)

func ExampleJudge_Verdict() {
	var window measure.Snapshot
	start := time.Now()
	for i := range 60 {
		status := 200
		if i == 30 {
			status = 500
		}
		window.Add(measure.Result{Intended: start, Sent: start, Done: start.Add(time.Millisecond), Outcome: measure.Status(status), OK: status < 500})
	}
	judge := analysis.Judge{
		Metrics:    []analysis.Metric{{Kind: analysis.SuccessRate, Min: new(99.0)}},
		MinSamples: 20,
	}
	verdict := judge.Verdict(analysis.Window{Canary: &window})
	fmt.Println(verdict.Result, verdict)
	// Output: fail success rate 98.33% < 99%
}
