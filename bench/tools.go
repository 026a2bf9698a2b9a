package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sample is what one run of a load generator used and did.
type sample struct {
	requests int64
	cpu      time.Duration // user and system
	memory   int64         // largest resident set, bytes
	output   []byte
}

// perRequest is the CPU time of a request.
func (s sample) perRequest() time.Duration {
	if s.requests == 0 {
		return 0
	}
	return s.cpu / time.Duration(s.requests)
}

// command runs a program to its end.
func command(ctx context.Context, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, fmt.Errorf("%s: the system does not say what it used", args[0])
	}
	return sample{
		cpu:    cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		memory: usage.Maxrss * 1024, // Linux counts in KiB
		output: stdout.Bytes(),
	}, nil
}

// figures is the part of `serin load -o json` that is used here.
type figures struct {
	Requests  int64              `json:"requests"`
	Intended  float64            `json:"rate_intended"`
	Achieved  float64            `json:"rate_achieved"`
	Latency   map[string]float64 `json:"latency_ms"`
	Service   map[string]float64 `json:"service_ms"`
	Lag       map[string]float64 `json:"lag_ms"`
	Duration  float64            `json:"duration_seconds"`
	Generator bool               `json:"generator_limited"`
}

func (b *bench) runSerin(ctx context.Context, args ...string) (sample, figures, error) {
	s, err := command(ctx, append([]string{b.serin, "load", "-o", "json"}, args...)...)
	if err != nil {
		return s, figures{}, err
	}
	var f figures
	if err := json.Unmarshal(s.output, &f); err != nil {
		return s, f, err
	}
	s.requests = f.Requests
	return s, f, nil
}

// matched runs a program that says in words how many requests it made.
func matched(ctx context.Context, pattern string, args ...string) (sample, error) {
	s, err := command(ctx, args...)
	if err != nil {
		return s, err
	}
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(s.output, -1) {
		n, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			return s, err
		}
		s.requests += n
	}
	if s.requests == 0 {
		return s, fmt.Errorf("%s said nothing of requests:\n%s", args[0], s.output)
	}
	return s, nil
}

func (b *bench) runHey(ctx context.Context, args ...string) (sample, error) {
	return matched(ctx, `\[200\]\s+(\d+) responses`, append([]string{b.hey}, args...)...)
}

func (b *bench) runWrk(ctx context.Context, args ...string) (sample, error) {
	return matched(ctx, `(\d+) requests in`, append([]string{b.wrk}, args...)...)
}

// runVegeta attacks; its report, which it makes apart, is not counted.
func (b *bench) runVegeta(ctx context.Context, url string, args ...string) (sample, error) {
	results := filepath.Join(b.dir, "vegeta.bin")
	line := fmt.Sprintf("echo 'GET %s' | exec %s attack -output %s %s", url, b.vegeta, results, strings.Join(args, " "))
	s, err := command(ctx, "sh", "-c", line)
	if err != nil {
		return s, err
	}
	said, err := command(ctx, b.vegeta, "report", "-type", "json", results)
	if err != nil {
		return s, err
	}
	var report struct{ Requests int64 }
	err = json.Unmarshal(said.output, &report)
	s.requests = report.Requests
	return s, err
}

// median is the sample whose CPU time of a request is the median.
func median(samples []sample) sample {
	slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.perRequest(), b.perRequest()) })
	return samples[len(samples)/2]
}

// contender is one load generator with its arguments.
type contender struct {
	name string
	path string // empty where it is missing
	run  func(context.Context) (sample, error)
}

// compare runs all contenders in turn, in each round, so that what else the
// machine does meets all of them, and returns the median of each by name.
func (b *bench) compare(ctx context.Context, contenders []contender) (map[string]sample, error) {
	samples := make(map[string][]sample)
	for range b.rounds {
		for _, c := range contenders {
			if c.path == "" {
				continue
			}
			s, err := c.run(ctx)
			if err != nil {
				return nil, err
			}
			samples[c.name] = append(samples[c.name], s)
		}
	}
	medians := make(map[string]sample)
	for name, all := range samples {
		medians[name] = median(all)
	}
	return medians, nil
}

// table prints the medians, with the ratio of serin's CPU time to each.
func (b *bench) table(contenders []contender, medians map[string]sample) {
	b.printf("| | requests | CPU a request | serin's part of it | largest RSS |\n|---|---|---|---|---|\n")
	own := medians["serin"].perRequest()
	for _, c := range contenders {
		s, ok := medians[c.name]
		if !ok {
			b.printf("| %s | not installed | | | |\n", c.name)
			continue
		}
		b.printf("| %s | %d | %.1f µs | %.2f | %.0f MB |\n", c.name, s.requests,
			float64(s.perRequest().Nanoseconds())/1000, float64(own)/float64(s.perRequest()), float64(s.memory)/1e6)
	}
	b.printf("\n")
}
