package cli

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// FaultFlags is a fault as it is written on the command line.
type FaultFlags struct {
	Target     string
	Percent    float64
	PathPrefix string

	Status                   int
	Delay                    time.Duration
	Uniform, Normal, Pareto  string // of the delay: two numbers with a comma
	Reset, Timeout, Truncate bool
	Bandwidth                string
	Request                  string // [METHOD ]PATH

	For time.Duration
}

// Fault returns the rule about a Canary, or all that is wrong.
func (f FaultFlags) Fault(namespace, name string) (Fault, error) {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(f.Target == "canary" || f.Target == "primary" || f.Target == "both", "--target must be canary, primary or both, not %q", f.Target)
	check(f.Percent > 0 && f.Percent <= 100, "--percent must be above 0 and at most 100, not %v", f.Percent)
	check(f.PathPrefix == "" || strings.HasPrefix(f.PathPrefix, "/"), "--path must begin with /, not %q", f.PathPrefix)
	check(f.Status == 0 || f.Status >= 200 && f.Status <= 599, "--status must be from 200 to 599, not %d", f.Status)
	check(f.For > 0, "--for must be longer than nothing, not %s", f.For)
	delay, err := f.delay()
	errs = append(errs, err)
	bandwidth, err := parseBandwidth(f.Bandwidth)
	errs = append(errs, err)
	request, err := parseRequest(f.Request)
	errs = append(errs, err)
	if err := errors.Join(append(errs, f.effects())...); err != nil {
		return Fault{}, err
	}
	return Fault{
		Namespace: namespace, Name: name, Target: f.Target, Percent: f.Percent, PathPrefix: f.PathPrefix,
		Status: f.Status, Delay: delay, Reset: f.Reset, Timeout: f.Timeout, Truncate: f.Truncate,
		BandwidthBytesPerSecond: bandwidth, Request: request, Duration: f.For.String(),
	}, nil
}

// effects checks that the fault does something, and no two things that exclude
// each other.
func (f FaultFlags) effects() error {
	var answers []string
	for _, e := range []struct {
		flag  string
		given bool
	}{{"--status", f.Status != 0}, {"--reset", f.Reset}, {"--timeout", f.Timeout}, {"--truncate", f.Truncate}, {"--request", f.Request != ""}} {
		if e.given {
			answers = append(answers, e.flag)
		}
	}
	slow := f.Delay != 0 || f.Uniform != "" || f.Normal != "" || f.Pareto != "" || f.Bandwidth != ""
	switch {
	case len(answers) > 1:
		return fmt.Errorf("a request can only end in one way: give one of %s", strings.Join(answers, ", "))
	case len(answers) == 0 && !slow:
		return errors.New("say what goes wrong: --status, --delay (-uniform, -normal, -pareto), --reset, --timeout, --truncate, --bandwidth or --request")
	default:
		return nil
	}
}

// Given reports whether any effect is asked for.
func (f FaultFlags) Given() bool {
	return f.Status != 0 || f.Delay != 0 || f.Uniform != "" || f.Normal != "" || f.Pareto != "" ||
		f.Reset || f.Timeout || f.Truncate || f.Bandwidth != "" || f.Request != ""
}

func (f FaultFlags) delay() (*Delay, error) {
	var delays []*Delay
	var errs []error
	add := func(flag, text, second string, build func(a, b float64) *Delay) {
		if text == "" {
			return
		}
		a, b, err := parsePair(text, second == "shape")
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", flag, text, err))
			return
		}
		delays = append(delays, build(a, b))
	}
	if f.Delay < 0 {
		errs = append(errs, fmt.Errorf("--delay must not be negative, not %s", f.Delay))
	}
	if f.Delay > 0 {
		delays = append(delays, &Delay{Kind: "fixed", MS: milliseconds(f.Delay)})
	}
	add("--delay-uniform", f.Uniform, "max", func(a, b float64) *Delay { return &Delay{Kind: "uniform", MinMS: a, MaxMS: b} })
	add("--delay-normal", f.Normal, "stddev", func(a, b float64) *Delay { return &Delay{Kind: "normal", MeanMS: a, StddevMS: b} })
	add("--delay-pareto", f.Pareto, "shape", func(a, b float64) *Delay { return &Delay{Kind: "pareto", ScaleMS: a, Shape: b} })
	for _, d := range delays {
		if d.Kind == "uniform" && d.MaxMS < d.MinMS {
			errs = append(errs, fmt.Errorf("--delay-uniform %q: the second must not be less than the first", f.Uniform))
		}
	}
	if len(delays) > 1 {
		errs = append(errs, errors.New("give one of --delay, --delay-uniform, --delay-normal and --delay-pareto"))
	}
	if len(errs) > 0 || len(delays) == 0 {
		return nil, errors.Join(errs...)
	}
	return delays[0], nil
}

// parsePair reads two durations with a comma, or a duration and a number, in
// milliseconds.
func parsePair(text string, shape bool) (first, second float64, err error) {
	a, b, ok := strings.Cut(text, ",")
	if !ok {
		return 0, 0, errors.New("two values with a comma are wanted, such as 100ms,2s (pareto: 100ms,1.5)")
	}
	d, err := time.ParseDuration(strings.TrimSpace(a))
	if err != nil || d < 0 {
		return 0, 0, fmt.Errorf("%q is no duration such as 100ms", strings.TrimSpace(a))
	}
	b = strings.TrimSpace(b)
	if shape {
		second, err = strconv.ParseFloat(b, 64)
		if err != nil || !(second > 0) || math.IsInf(second, 0) {
			return 0, 0, fmt.Errorf("%q is no shape: a number above 0, such as 1.5", b)
		}
		return milliseconds(d), second, nil
	}
	e, err := time.ParseDuration(b)
	if err != nil || e < 0 {
		return 0, 0, fmt.Errorf("%q is no duration such as 2s", b)
	}
	return milliseconds(d), milliseconds(e), nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

var byteUnits = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}

// parseBandwidth reads bytes a second: 500, 10kB, 1MiB; empty is 0, for no
// limit.
func parseBandwidth(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	number := strings.TrimSuffix(text, "/s")
	for _, unit := range byteUnits {
		digits, ok := strings.CutSuffix(number, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if bytes := n * unit.bytes; err == nil && bytes >= 1 && bytes <= 1e12 {
			return int64(bytes), nil
		}
		break
	}
	return 0, fmt.Errorf("--bandwidth must be bytes a second such as 10kB or 1MiB, at least 1, not %q", text)
}

// parseRequest reads /path or METHOD /path.
func parseRequest(text string) (*FaultRequest, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // nothing is asked for
	}
	method, path := http.MethodGet, text
	if m, p, ok := strings.Cut(text, " "); ok {
		method, path = m, strings.TrimSpace(p)
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t\r\n") || method != strings.ToUpper(method) || method == "" {
		return nil, fmt.Errorf("--request must be a path such as /status/500, or a method and a path, not %q", text)
	}
	return &FaultRequest{Method: method, Path: path}, nil
}
