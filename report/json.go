package report

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/serin-dev/serin/measure"
)

// JSON writes the run as one object: the target's own for a single target, and
// otherwise {"targets": [...], "comparison": [...]}. What was not measured is
// null: the success rate and the latencies without requests. Latencies are in
// milliseconds, to the microsecond.
func JSON(w io.Writer, r *Run) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // a URL's & stays readable
	enc.SetIndent("", "  ")
	if len(r.Targets) == 1 {
		return enc.Encode(targetToJSON(r, &r.Targets[0]))
	}
	all := runJSON{Targets: []targetJSON{}, Comparison: []comparisonJSON{}}
	for i := range r.Targets {
		all.Targets = append(all.Targets, targetToJSON(r, &r.Targets[i]))
		if i > 0 {
			all.Comparison = append(all.Comparison, comparisonToJSON(compare(&r.Targets[0], &r.Targets[i])))
		}
	}
	return enc.Encode(all)
}

type runJSON struct {
	Targets    []targetJSON     `json:"targets"`
	Comparison []comparisonJSON `json:"comparison"`
}

type targetJSON struct {
	URL              string           `json:"url"`
	Mode             string           `json:"mode"`
	DurationSeconds  float64          `json:"duration_seconds"`
	Requests         int64            `json:"requests"`
	Failures         int64            `json:"failures"`
	SuccessRate      *float64         `json:"success_rate"`
	RateIntended     *float64         `json:"rate_intended"`
	RateAchieved     float64          `json:"rate_achieved"`
	Latency          latencyJSON      `json:"latency_ms"`
	Service          latencyJSON      `json:"service_ms"`
	Lag              latencyJSON      `json:"lag_ms"`
	Status           map[string]int64 `json:"status"`
	Errors           map[string]int64 `json:"errors"`
	Waited           int64            `json:"waited"`
	Redirects        int64            `json:"redirects"`
	Saturated        int64            `json:"saturated"`
	GeneratorLimited bool             `json:"generator_limited"`
	CPUCores         float64          `json:"cpu_cores"`
}

type latencyJSON struct {
	Min   *float64 `json:"min"`
	Mean  *float64 `json:"mean"`
	P50   *float64 `json:"p50"`
	P75   *float64 `json:"p75"`
	P90   *float64 `json:"p90"`
	P95   *float64 `json:"p95"`
	P99   *float64 `json:"p99"`
	P999  *float64 `json:"p999"`
	P9999 *float64 `json:"p9999"`
	Max   *float64 `json:"max"`
}

type comparisonJSON struct {
	Baseline    string    `json:"baseline"`
	URL         string    `json:"url"`
	SuccessDiff *float64  `json:"success_rate_difference_points"`
	Latency     ratioJSON `json:"latency_ratio"`
}

type ratioJSON struct {
	P50  *float64 `json:"p50"`
	P90  *float64 `json:"p90"`
	P99  *float64 `json:"p99"`
	P999 *float64 `json:"p999"`
}

func targetToJSON(r *Run, t *Target) targetJSON {
	total := t.total()
	out := targetJSON{
		URL:              t.Name,
		Mode:             r.mode(),
		DurationSeconds:  finite(r.Elapsed.Seconds()),
		Requests:         total.Requests(),
		Failures:         total.Failures,
		RateAchieved:     finite(r.rateAchieved(t)),
		Latency:          latencyToJSON(&total.Response),
		Service:          latencyToJSON(&total.Service),
		Lag:              latencyToJSON(&total.Lag),
		Status:           map[string]int64{},
		Errors:           map[string]int64{},
		Waited:           total.Waited,
		Redirects:        total.Redirects,
		Saturated:        total.Response.Saturated(),
		GeneratorLimited: t.limited(),
		CPUCores:         finite(r.CPU),
	}
	if rate, ok := total.SuccessRate(); ok {
		out.SuccessRate = &rate
	}
	if rate := finite(t.RateIntended); rate > 0 {
		out.RateIntended = &rate
	}
	for o, n := range total.Outcomes {
		if o.Code() > 0 {
			out.Status[strconv.Itoa(o.Code())] += n
		} else {
			out.Errors[o.String()] += n
		}
	}
	return out
}

func latencyToJSON(h *measure.Histogram) latencyJSON {
	if h.Count() == 0 {
		return latencyJSON{}
	}
	at := func(q float64) *float64 { return millis(h.Quantile(q)) }
	return latencyJSON{
		Min: millis(h.Min()), Mean: millis(h.Mean()),
		P50: at(0.5), P75: at(0.75), P90: at(0.9), P95: at(0.95),
		P99: at(0.99), P999: at(0.999), P9999: at(0.9999),
		Max: millis(h.Max()),
	}
}

func comparisonToJSON(c comparison) comparisonJSON {
	return comparisonJSON{
		Baseline:    c.baseline.Name,
		URL:         c.target.Name,
		SuccessDiff: c.successPoints(),
		Latency:     ratioJSON{P50: c.ratio(0.5), P90: c.ratio(0.9), P99: c.ratio(0.99), P999: c.ratio(0.999)},
	}
}

func millis(d time.Duration) *float64 {
	ms := float64(d.Round(time.Microsecond).Microseconds()) / 1000
	return &ms
}

// finite is v, and 0 for what JSON cannot say.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
