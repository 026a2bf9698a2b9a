package main

import (
	"fmt"
	"time"
)

// noise prints what bursts of other kinds do, those included that are too much.
func (b *bench) noise() {
	b.printf("### Bursts of errors in a good revision\n\n")
	b.printf("Rollouts of %d that were rolled back, sequential, two metrics, min 99:\n\n", b.few())
	b.printf("| in a burst | length | on average | at 10/s | at 50/s |\n|---|---|---|---|---|\n")
	for _, n := range []struct {
		mean, within float64
		length       time.Duration
	}{
		{0.002, 1, 2 * time.Second}, {0.005, 1, 300 * ms}, {0.005, 1, 2 * time.Second}, {0.005, 0.5, time.Second},
		{0.005, 0.3, 3 * time.Second}, {0.002, 0.3, 3 * time.Second}, {0.005, 0.1, 5 * time.Second}, {0.002, 0.1, 10 * time.Second},
	} {
		b.printf("| %s fail | %s | %s |", percent(n.within), n.length, percent(n.mean))
		for _, rate := range []float64{10, 50} {
			all := b.experiment(both("", behaviour{bursts(n.mean, n.within, n.length), fast}), rate, b.few(), guide)
			k := all.count(rolledBack)
			b.printf(" %s (<= %s) |", percent(float64(k)/float64(len(all))), percent(upperBound(k, len(all))))
		}
		b.printf("\n")
	}
	b.printf("\n")
}

// comparison prints what others decide about the same requests.
func (b *bench) comparison() {
	b.printf("### Next to others\n\n")
	b.printf("%d rollouts each at 10 requests/s. Rolled back; median time until then; median of the requests that the revision answered of %g/s of users.\n", b.few(), usersRate)
	policies := []struct {
		name string
		make func(rate float64) policy
	}{
		{"Serin, sequential", guide},
		{"Serin, classic, threshold 2", func(float64) policy { return newClassic(2, successRate, duration) }},
		{"Serin, classic, threshold 15", func(float64) policy { return newClassic(15, successRate, duration) }},
		{"Flagger's rule, threshold 2", func(rate float64) policy { return newFlagger(2, false, rate, successRate, duration) }},
		{"Flagger's rule, threshold 15", func(rate float64) policy { return newFlagger(15, false, rate, successRate, duration) }},
		{"Flagger's rule, threshold 15, load split by weight", func(rate float64) policy { return newFlagger(15, true, rate, successRate, duration) }},
		{"Kayenta's judge", func(float64) policy { return new(kayenta) }},
	}
	for _, s := range []scenario{
		both("good: 0.5 % errors, p99 300 ms", good),
		both("good: 2 s without an answer, 0.5 % on average", behaviour{bursts(0.005, 1, 2*time.Second), fast}),
		bad("bad: 5 % errors", behaviour{independent(0.05), fast}, 0),
		bad("bad: 2 % errors", behaviour{independent(0.02), fast}, 0),
		bad("bad: every request fails", behaviour{independent(1), fast}, 0),
		bad("bad: every request fails from 30 % weight on", behaviour{independent(1), fast}, 30),
		bad("bad: p99 doubled to 600 ms", behaviour{independent(0.005), tail}, 0),
	} {
		b.printf("\n| %s | rolled back | after | users |\n|---|---|---|---|\n", s.name)
		for _, p := range policies {
			all := b.experiment(s, 10, b.few(), p.make)
			b.printf("| %s | %s%s | %s | %s |\n", p.name, percent(float64(all.count(rolledBack))/float64(len(all))), all.hanging(),
				all.shown(seconds, " s"), all.shown(users, ""))
		}
	}
}

// hanging says how many neither ended well nor badly.
func (all outcomes) hanging() string {
	k := all.count(func(o *outcome) bool { return o.hung })
	if k == 0 {
		return ""
	}
	return fmt.Sprintf(", %s without an end", percent(float64(k)/float64(len(all))))
}

func (all outcomes) shown(of func(*outcome) float64, unit string) string {
	median, ok := all.median(of)
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.0f%s", median, unit)
}
