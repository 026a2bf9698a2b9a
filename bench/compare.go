package main

import (
	"context"
	"time"
)

const connections = "64"

// cpu is what a request costs, as fast as it goes.
func (b *bench) cpu(ctx context.Context) error {
	server, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	seconds := b.duration.String()
	contenders := []contender{
		{"serin", b.serin, func(ctx context.Context) (sample, error) {
			s, _, err := b.runSerin(ctx, "-z", seconds, "-c", connections, server.url)
			return s, err
		}},
		{"wrk", b.wrk, func(ctx context.Context) (sample, error) {
			return b.runWrk(ctx, "-d", seconds, "-c", connections, server.url)
		}},
		{"wrk -t1", b.wrk, func(ctx context.Context) (sample, error) {
			return b.runWrk(ctx, "-d", seconds, "-t", "1", "-c", connections, server.url)
		}},
		{"serin -cpus 1", b.serin, func(ctx context.Context) (sample, error) {
			s, _, err := b.runSerin(ctx, "-cpus", "1", "-z", seconds, "-c", connections, server.url)
			return s, err
		}},
		{"hey", b.hey, func(ctx context.Context) (sample, error) {
			return b.runHey(ctx, "-z", seconds, "-c", connections, server.url)
		}},
		{"vegeta", b.vegeta, func(ctx context.Context) (sample, error) {
			return b.runVegeta(ctx, server.url, "-rate", "0", "-max-workers", connections, "-duration", seconds)
		}},
	}
	medians, err := b.compare(ctx, contenders)
	if err != nil {
		return err
	}
	b.printf("### As fast as it goes, %s connections, %s, median of %d\n\n", connections, server.name, b.rounds)
	b.table(contenders, medians)
	return nil
}

// open is what a request costs at a fixed rate.
func (b *bench) open(ctx context.Context) error {
	server, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	seconds := b.duration.String()
	for _, rate := range []string{"1000", "10000"} {
		contenders := []contender{
			{"serin", b.serin, func(ctx context.Context) (sample, error) {
				s, _, err := b.runSerin(ctx, "-rate", rate, "-z", seconds, "-c", connections, server.url)
				return s, err
			}},
			{"vegeta", b.vegeta, func(ctx context.Context) (sample, error) {
				return b.runVegeta(ctx, server.url, "-rate", rate, "-duration", seconds)
			}},
		}
		medians, err := b.compare(ctx, contenders)
		if err != nil {
			return err
		}
		b.printf("### Open loop at %s/s, %s, median of %d\n\n", rate, server.name, b.rounds)
		b.table(contenders, medians)
	}
	return nil
}

// memory is the largest resident set, after some time and after more of it.
func (b *bench) memory(ctx context.Context) error {
	server, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	b.printf("### Memory\n\n| load | duration | requests | largest RSS |\n|---|---|---|---|\n")
	for _, load := range [][]string{{"-rate", "1000"}, {"-rate", "10000"}, {"-c", connections}} {
		for _, d := range []time.Duration{b.soak / 10, b.soak} {
			s, _, err := b.runSerin(ctx, append(load, "-z", d.String(), server.url)...)
			if err != nil {
				return err
			}
			b.printf("| %v | %v | %d | %.1f MB |\n", load, d, s.requests, float64(s.memory)/1e6)
		}
	}
	b.printf("\n")
	return nil
}

// pacing is how exactly the starts of an idle machine are kept.
func (b *bench) pacing(ctx context.Context) error {
	server, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	b.printf("### Pacing at 1,000/s\n\n| lag p50 | p99 | p99.9 | max | requests sent of those intended |\n|---|---|---|---|---|\n")
	for range b.rounds {
		_, f, err := b.runSerin(ctx, "-rate", "1000", "-z", b.duration.String(), "-c", connections, server.url)
		if err != nil {
			return err
		}
		b.printf("| %.3f ms | %.3f ms | %.3f ms | %.3f ms | %.3f %% |\n", f.Lag["p50"], f.Lag["p99"], f.Lag["p999"], f.Lag["max"],
			100*float64(f.Requests)/(1000*b.duration.Seconds()))
	}
	b.printf("\n")
	return nil
}

// plans is whether ten plans in one process move each other's lag.
func (b *bench) plans(ctx context.Context) error {
	server, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	b.printf("### Ten plans of 100/s at once in one process\n\n| plans | lag p50 | p99 | of the plan whose p99 is | CPU of the process |\n|---|---|---|---|---|\n")
	for _, n := range []int{1, 10} {
		lags, cores, err := tenPlans(ctx, server.url, n, b.duration)
		if err != nil {
			return err
		}
		for _, which := range []struct {
			name string
			lag  [2]time.Duration
		}{{"least", lags[0]}, {"largest", lags[len(lags)-1]}} {
			b.printf("| %d | %v | %v | %s | %.3f cores |\n", n, which.lag[0], which.lag[1], which.name, cores)
		}
	}
	b.printf("\n")
	return nil
}
