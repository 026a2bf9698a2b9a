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

func ExampleTrial() {
	trial := analysis.NewTrial(analysis.Judge{
		Mode:     analysis.Sequential,
		Metrics:  []analysis.Metric{{Kind: analysis.SuccessRate, Min: new(99.0)}},
		Interval: 15 * time.Second,
		Steps:    6,
	})
	start := time.Now()
	for second := range int64(150) {
		var primary, canary measure.Snapshot
		for i := range 10 {
			status := 200
			if i == 0 && second%2 == 0 {
				status = 503 // 5 % of them
			}
			canary.Add(measure.Result{Intended: start, Sent: start, Done: start.Add(time.Millisecond), Outcome: measure.Status(status), OK: status < 500})
		}
		trial.Add(second, &primary, &canary)
		elapsed := time.Duration(second+1) * time.Second
		if v := trial.Verdict(elapsed); v.Result != analysis.Inconclusive {
			fmt.Println(elapsed, v.Result, v)
			fmt.Println(v.Findings[0].Explanation)
			return
		}
	}
	// Output:
	// 13s fail success rate 94.62% (95% between 89.22% and 97.81%) is under 99%; 130 requests
	// 7 failed; 6 would not have been enough to fail it
}

func ExampleJudge_Plan() {
	judge := analysis.Judge{
		Mode:     analysis.Sequential,
		Metrics:  []analysis.Metric{{Kind: analysis.SuccessRate, Min: new(99.0)}},
		Interval: 15 * time.Second,
		Steps:    6,
	}
	fmt.Println(judge.Plan(10, 5))
	fmt.Println(judge.Plan(50, 5))
	// Output:
	// at 10 requests/s a step needs about 39s; interval is 15s; 5 times as many bad requests as allowed are noticed in about 14s
	// at 50 requests/s a step needs about 8s; interval is 15s; 5 times as many bad requests as allowed are noticed in about 3s
}
