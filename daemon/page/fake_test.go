package page

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/serin-dev/serin/measure"
	"github.com/serin-dev/serin/report"
)

var began = time.Date(2026, 3, 4, 14, 1, 3, 0, time.UTC)

// load is a synthetic revision at 40 requests/s: the same seed gives the same
// figures on every machine.
type load struct {
	seed    uint64
	seconds int
	median  time.Duration
	sigma   float64
	failing func(second int) float64 // the share of requests that fail
}

func (l load) target() report.Target {
	rng := rand.New(rand.NewPCG(l.seed, 7))
	t := report.Target{RateIntended: 40, Total: new(measure.Snapshot), Series: new(report.Series), Intervals: l.seconds}
	for second := range l.seconds {
		snap := new(measure.Snapshot)
		for range 40 {
			took := time.Duration(float64(l.median) * math.Exp(l.sigma*rng.NormFloat64()))
			r := measure.Result{Intended: began, Sent: began, Done: began.Add(took), Outcome: measure.Status(200), OK: true}
			if l.failing != nil && rng.Float64() < l.failing(second) {
				r.Outcome, r.OK = measure.Status(503), false
			}
			snap.Add(r)
		}
		t.Series.Add(time.Duration(second)*time.Second, time.Second, snap)
		t.Total.Merge(snap)
	}
	return t
}

func run(primary, canary load) report.Run {
	return report.Run{
		Started: began, Elapsed: time.Duration(primary.seconds) * time.Second,
		Targets: []report.Target{primary.target(), canary.target()},
	}
}

// loads are made once; nothing changes them.
var loads = sync.OnceValue(func() map[string]report.Run {
	never := func(int) float64 { return 0 }
	steady := load{seed: 1, seconds: 252, median: 12 * time.Millisecond, sigma: 0.35, failing: func(int) float64 { return 0.0004 }}
	good := load{seed: 2, seconds: 252, median: 13 * time.Millisecond, sigma: 0.4, failing: func(int) float64 { return 0.0006 }}
	short := load{seed: 3, seconds: 71, median: 12 * time.Millisecond, sigma: 0.35, failing: never}
	bad := load{seed: 4, seconds: 71, median: 21 * time.Millisecond, sigma: 0.7, failing: func(s int) float64 { return float64(max(s-40, 0)) * 0.006 }}
	return map[string]report.Run{"good": run(steady, good), "bad": run(short, bad)}
})

func progressing() *Canary {
	load := loads()["good"]
	load.Weights = []report.Level{{At: 0, Percent: 0}, {At: 66 * time.Second, Percent: 10}, {At: 128 * time.Second, Percent: 20}, {At: 190 * time.Second, Percent: 30}}
	return &Canary{
		Row:     rows()[3],
		Version: "v0.9.0", Now: began.Add(252 * time.Second), Began: began.Add(-8 * time.Second), Load: load,
		Plan:     "at 40 requests/s a step needs about 2,400 requests to each revision, 1m0s; ten times as many bad requests as allowed are noticed in about 9s",
		NextTime: began.Add(260 * time.Second),
		Checks: []Check{
			{began.Add(64 * time.Second), 1, 0, "pass", []Metric{
				{"request-success-rate", "pass", "success rate 99.96% (95% over 99.79%) is above 99%; 2,440 requests", "1 of 2,440 failed; with 9 it would not have passed yet"},
				{"request-duration", "pass", "p99 31 ms (95% between 29 ms and 34 ms) is below 500 ms; 2,440 requests", "none took longer than 500 ms"},
			}},
			{began.Add(126 * time.Second), 2, 10, "inconclusive", []Metric{
				{"request-success-rate", "inconclusive", "success rate 99.7% (95% between 98.8% and 99.95%) is not yet told from 99%; 610 requests", "2 of 610 failed; about 900 more requests without one would pass it"},
				{"request-duration", "pass", "p99 32 ms is below 500 ms; 610 requests", ""},
			}},
			{began.Add(128 * time.Second), 2, 10, "pass", []Metric{
				{"request-success-rate", "pass", "success rate 99.92% (95% over 99.71%) is above 99%; 2,480 requests", "2 of 2,480 failed; with 9 it would not have passed yet"},
				{"request-duration", "pass", "p99 33 ms (95% between 30 ms and 36 ms) is below 500 ms; 2,480 requests", "none took longer than 500 ms"},
			}},
			{began.Add(190 * time.Second), 3, 20, "pass", []Metric{
				{"request-success-rate", "pass", "success rate 99.96% (95% over 99.79%) is above 99%; 2,470 requests", "1 of 2,470 failed; with 9 it would not have passed yet"},
				{"request-duration", "pass", "p99 32 ms (95% between 30 ms and 35 ms) is below 500 ms; 2,470 requests", "none took longer than 500 ms"},
			}},
			{began.Add(240 * time.Second), 4, 30, "inconclusive", []Metric{
				{"request-success-rate", "inconclusive", "success rate 99.95% is not yet told from 99%; 2,010 requests", "1 of 2,010 failed; about 390 more requests without one would pass it"},
			}},
		},
		Events: []Event{
			{began.Add(-8 * time.Second), "Normal", "New revision detected! podinfo-00008 gets no live traffic before its first verdict: podinfo.shop", 1},
			{began.Add(-1 * time.Second), "Normal", "Starting canary analysis for podinfo.shop: 40 requests/s to each revision, for as long as it takes", 1},
			{began.Add(66 * time.Second), "Normal", "Advance podinfo.shop canary weight 10", 1},
			{began.Add(126 * time.Second), "Warning", "Halt podinfo.shop advancement no verdict yet: success rate 99.7% is not yet told from 99%; 610 requests", 2},
			{began.Add(128 * time.Second), "Normal", "Advance podinfo.shop canary weight 20", 1},
			{began.Add(190 * time.Second), "Normal", "Advance podinfo.shop canary weight 30", 1},
		},
		Faults: []Fault{{"f-3", "delay 80ms on 5% of the requests to the canary", began.Add(10 * time.Minute), 431}},
		Commands: []Command{
			{Name: "pause", Label: "Pause", For: "podinfo-00008"},
			{Name: "promote", Label: "Promote now", Confirm: "podinfo-00008 gets all traffic at once, without further checks.", For: "podinfo-00008"},
			{Name: "abort", Label: "Abort", Confirm: "podinfo-00007 gets all traffic back, and podinfo-00008 is not tried again.", For: "podinfo-00008"},
			{Name: "rollback", Label: "Roll back", Confirm: "Takes podinfo-00008 to 0 % now and gives all traffic to podinfo-00007, until the next push.", For: "podinfo-00008"},
		},
		Reports: []Link{{"/canaries/shop/podinfo/reports/7", "podinfo-00007, promoted on 2 March"}, {"//evil.example/", "no"}},
	}
}

func failed() *Canary {
	c := &Canary{
		Row: rows()[1], Version: "v0.9.0", Now: began.Add(90 * time.Second), Began: began.Add(-6 * time.Second), Ended: began.Add(80 * time.Second),
		Load: loads()["bad"],
		Checks: []Check{{began.Add(62 * time.Second), 1, 0, "fail", []Metric{
			{"request-success-rate", "fail", "success rate 96.3% (95% between 95.2% and 97.2%) is below 99%; 2,480 requests", "91 failed, of 2,480; 24 may"},
			{"request-duration", "pass", "p99 108 ms (95% between 97 ms and 121 ms) is below 500 ms; 2,480 requests", "none took longer than 500 ms"},
		}}},
		Events: []Event{
			{began.Add(-6 * time.Second), "Normal", "New revision detected! checkout-00013 gets no live traffic before its first verdict: checkout.shop", 1},
			{began.Add(62 * time.Second), "Warning", "Rolling back checkout.shop success rate 96.3% (95% between 95.2% and 97.2%) is below 99%; 2,480 requests", 1},
			{began.Add(70 * time.Second), "Warning", "Canary failed! checkout-00013 gets no traffic, checkout-00012 serves checkout.shop", 1},
		},
		Commands: []Command{
			{Name: "retry", Label: "Try again"},
			{Name: "rollback", Label: "Roll back", Confirm: "Takes checkout-00012 to 0 % now and gives all traffic to checkout-00011, until the next push.", For: "checkout-00012"},
		},
	}
	c.Load.Weights = []report.Level{{At: 0, Percent: 0}}
	return c
}

func waiting() *Canary {
	c := progressing()
	c.Row, c.Faults = rows()[2], nil
	c.Began, c.MeasuredSince = began.Add(-10*time.Minute), began
	c.Load.Weights = []report.Level{{At: -time.Minute, Percent: 30}, {At: 100 * time.Second, Percent: 50}}
	c.Commands = append([]Command{{Name: "approve", Label: "Approve the promotion", For: "search-00005"}}, c.Commands[1:]...)
	return c
}

// overwritten is a Canary whose Service somebody else has divided.
func overwritten() *Canary {
	c := progressing()
	c.Weight, c.WantedWeight = 45, 30
	c.Traffic = []Share{{"podinfo-00007", 55}, {"podinfo-00008", 0}, {"podinfo-00006", 45}}
	c.Wanted = []Share{{"podinfo-00007", 70}, {"podinfo-00008", 30}}
	c.NotApplied, c.NotAppliedSince = overwrittenBy, began.Add(240*time.Second)
	return c
}

const overwrittenBy = "spec.traffic of service shop/podinfo was changed by kubectl-edit: take traffic out of its manifest, as the rollout sets it"

func untouched() *Canary { return &Canary{Row: rows()[5], Version: "v0.9.0", Now: began} }

func refused() *Canary { return &Canary{Row: rows()[0], Version: "v0.9.0", Now: began} }

func rows() []Row {
	ago := func(d time.Duration) time.Time { return began.Add(252 * time.Second).Add(-d) }
	return []Row{
		{Namespace: "pay", Name: "ledger", Phase: "Initialized", Refused: true, PrimaryRevision: "ledger-00002", Traffic: []Share{{"ledger-00002", 100}}, Since: ago(26 * time.Hour),
			Message: "spec.analysis.stepWeight: 30 goes over maxWeight 20: set a step of at most 20"},
		{Namespace: "shop", Name: "checkout", Phase: "Failed", Strategy: "steps of 10% to 50%", FailedChecks: 1, Threshold: 5, Verdict: "fail",
			PrimaryRevision: "checkout-00012", CanaryRevision: "checkout-00013", Traffic: []Share{{"checkout-00012", 100}}, Since: ago(3 * time.Minute),
			Message: "success rate 96.3% (95% between 95.2% and 97.2%) is below 99%; 2,480 requests"},
		{Namespace: "shop", Name: "search", Service: "search-api", Phase: "WaitingPromotion", Stage: "ConfirmPromotion", Strategy: "steps of 20% to 50%", Weight: 50, Threshold: 5, Verdict: "pass",
			PrimaryRevision: "search-00004", CanaryRevision: "search-00005", Traffic: []Share{{"search-00004", 50}, {"search-00005", 50}}, Since: ago(41 * time.Minute), WaitingFor: "serin.dev/approve", Message: "success rate 99.96% is above 99%; 2,470 requests"},
		{Namespace: "shop", Name: "podinfo", Phase: "Progressing", Stage: "Measuring", Strategy: "steps of 10% to 50%", Weight: 30, WantedWeight: 30, FailedChecks: 0, Threshold: 5, Verdict: "inconclusive",
			PrimaryRevision: "podinfo-00007", CanaryRevision: "podinfo-00008", Traffic: []Share{{"podinfo-00007", 70}, {"podinfo-00008", 30}}, Since: ago(260 * time.Second), Message: "success rate 99.95% is not yet told from 99%; 2,010 requests"},
		{Namespace: "media", Name: "thumbnails", Phase: "Progressing", Stage: "WaitingForRevision", Strategy: "5 checks, then all", Threshold: 3,
			PrimaryRevision: "thumbnails-00031", CanaryRevision: "thumbnails-00032", Traffic: []Share{{"thumbnails-00031", 100}}, Since: ago(20 * time.Second), Message: "revision thumbnails-00032 is not ready: Deploying"},
		{Namespace: "shop", Name: "basket", Phase: "Initialized", Strategy: "steps of 10% to 50%", Threshold: 5, PrimaryRevision: "basket-00001", Weight: 20, Since: ago(5 * time.Hour),
			Traffic: []Share{{"basket-00001", 80}, {"basket-00000", 20}}}, // which it kept

		{Namespace: "media", Name: "transcode", Phase: "Succeeded", PrimaryRevision: "transcode-00009", CanaryRevision: "transcode-00009", Verdict: "pass", Since: ago(74 * time.Hour), Traffic: []Share{{"transcode-00009", 100}}},
		{Namespace: "media", Name: "upload", Phase: "Succeeded", PrimaryRevision: "upload-00004", CanaryRevision: "upload-00005", Verdict: "pass", Since: ago(2 * time.Hour),
			Weight: 100, Traffic: []Share{{"upload-00004", 100}}, Wanted: []Share{{"upload-00005", 100}},
			NotApplied: "spec.traffic of service media/upload was changed by argocd-controller", NotAppliedSince: ago(10 * time.Minute)},
		{Namespace: "pay", Name: "fx-rates", Phase: "Initialized", Suspended: true, PrimaryRevision: "fx-rates-00003", Traffic: []Share{{"fx-rates-00003", 100}}, Since: ago(200 * time.Hour)},
		{Namespace: "pay", Name: "invoices", Phase: "Progressing", Stage: "Measuring", Paused: true, Weight: 5, WantedWeight: 10, FailedChecks: 2, Threshold: 5, PrimaryRevision: "invoices-00003", CanaryRevision: "invoices-00004",
			Traffic: []Share{{"invoices-00003", 95}, {"invoices-00004", 5}}, Wanted: []Share{{"invoices-00003", 90}, {"invoices-00004", 10}}, Since: ago(12 * time.Minute), Message: "paused by annotation serin.dev/pause"},
	}
}

func overview() *Overview {
	return &Overview{Version: "v0.9.0", Namespaces: "all namespaces", Canaries: rows(), Now: began.Add(252 * time.Second)}
}
