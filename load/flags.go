package load

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/serin-dev/serin/loadgen"
)

// options are the flags, as they were given.
type options struct {
	hey loadgen.HeyFlags

	rate     float64
	ramp     time.Duration
	steps    []loadgen.Step
	arrivals string
	seed     uint64

	connectTo string
	h2c       bool
	tls       tlsFiles
	protoset  string

	expect loadgen.Expectation
	failIf []condition
	hdr    string
	report string

	urls []string
}

// parse reads the command line.
func parse(args []string) (*options, error) {
	o := &options{}
	set := o.flagSet()
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	o.urls = set.Args()
	given := make(map[string]bool)
	set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["seed"] {
		o.seed = rand.Uint64()
	}
	return o, o.validate(given)
}

func (o *options) flagSet() *flag.FlagSet {
	set := flag.NewFlagSet("serin load", flag.ContinueOnError)
	set.SetOutput(io.Discard) // the error is returned
	o.hey.Register(set)
	set.Float64Var(&o.rate, "rate", 0, "")
	set.DurationVar(&o.ramp, "ramp", 0, "")
	set.Func("steps", "", func(s string) (err error) {
		o.steps, err = parseSteps(s)
		return err
	})
	set.StringVar(&o.arrivals, "arrivals", "constant", "")
	set.Uint64Var(&o.seed, "seed", 0, "")
	set.StringVar(&o.connectTo, "connect-to", "", "")
	set.BoolVar(&o.h2c, "h2c", false, "")
	set.StringVar(&o.tls.authorities, "cacert", "", "")
	set.StringVar(&o.tls.certificate, "cert", "", "")
	set.StringVar(&o.tls.key, "key", "", "")
	set.StringVar(&o.tls.serverName, "servername", "", "")
	set.BoolVar(&o.tls.insecure, "insecure", false, "")
	set.StringVar(&o.protoset, "protoset", "", "")
	set.Func("expect", "", func(s string) error { return addExpectation(&o.expect, s) })
	set.Func("fail-if", "", func(s string) error {
		c, err := parseCondition(s)
		o.failIf = append(o.failIf, c)
		return err
	})
	set.StringVar(&o.hdr, "hdr", "", "")
	set.StringVar(&o.report, "report", "", "")
	return set
}

// open reports whether the loop is an open one.
func (o *options) open() bool { return o.rate > 0 || len(o.steps) > 0 }

func (o *options) validate(given map[string]bool) error {
	if err := o.hey.Validate(); err != nil {
		return err
	}
	switch {
	case o.open() && o.hey.Rate > 0:
		return errors.New("-q limits the workers of a closed loop: give it or -rate, not both")
	case given["rate"] && len(o.steps) > 0:
		return errors.New("give -rate or -steps, not both")
	case given["rate"]:
		if err := loadgen.ValidateRate(o.rate); err != nil {
			return fmt.Errorf("-rate: %w", err)
		}
	case o.ramp != 0 || given["arrivals"]:
		return errors.New("-ramp and -arrivals need -rate")
	}
	switch {
	case o.ramp < 0:
		return fmt.Errorf("-ramp must not be negative, not %v", o.ramp)
	case o.arrivals != "constant" && o.arrivals != "poisson":
		return fmt.Errorf("-arrivals must be constant or poisson, not %q", o.arrivals)
	case o.arrivals == "poisson" && o.ramp > 0:
		return errors.New("-ramp goes with constant arrivals only")
	case o.hey.Requests <= 0 && o.hey.Duration == 0:
		return fmt.Errorf("-n must be positive, not %d", o.hey.Requests)
	case !o.open() && o.hey.Duration == 0 && o.hey.Requests < o.hey.Workers:
		return fmt.Errorf("-n %d must not be less than -c %d: each worker sends at least one request", o.hey.Requests, o.hey.Workers)
	case o.hey.Output != "" && o.hey.Output != "text" && o.hey.Output != "csv" && o.hey.Output != "json":
		return fmt.Errorf("-o must be text, csv or json, not %q", o.hey.Output)
	case o.report != "" && filepath.Ext(o.report) != ".html" && filepath.Ext(o.report) != ".svg":
		return fmt.Errorf("-report must be a file name that ends in .html or .svg, not %q", o.report)
	}
	return o.validateURLs()
}

func (o *options) validateURLs() error {
	if len(o.urls) == 0 {
		return errors.New("a URL is needed; see serin load -h")
	}
	for _, u := range o.urls {
		if strings.HasPrefix(u, "-") {
			return fmt.Errorf("flag %s must come before the URL", u)
		}
		if _, err := parseURL(u); err != nil {
			return err
		}
	}
	if schemes := o.schemes(); o.hey.HTTP2 && schemes["https"] && len(schemes) > 1 {
		return errors.New("-h2 is for https URLs, and makes no sense where there are others too")
	}
	if o.hey.Output == "csv" && len(o.urls) > 1 {
		return errors.New("-o csv is for one URL")
	}
	return nil
}

// schemes are those of the URLs.
func (o *options) schemes() map[string]bool {
	schemes := make(map[string]bool)
	for _, u := range o.urls {
		scheme, _, _ := strings.Cut(u, ":")
		schemes[scheme] = true
	}
	return schemes
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https", "grpc", "grpcs":
	default:
		return nil, fmt.Errorf("URL %q must start with http://, https://, grpc:// or grpcs://", s)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("URL %q has no host", s)
	}
	return u, nil
}

// parseSteps reads 100x30s,200x1m: requests a second and for how long.
func parseSteps(s string) ([]loadgen.Step, error) {
	var steps []loadgen.Step
	for part := range strings.SplitSeq(s, ",") {
		var step loadgen.Step
		rate, hold, ok := strings.Cut(part, "x")
		_, err := fmt.Sscanf(rate, "%g", &step.Rate)
		if ok && err == nil {
			step.Duration, err = time.ParseDuration(hold)
		}
		if !ok || err != nil || step.Duration <= 0 || !(step.Rate >= 0 && step.Rate <= loadgen.MaxRate) {
			return nil, fmt.Errorf("step %q must be a rate and a duration, such as 100x30s", part)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// addExpectation reads status=200-299,304 or header=Name: text or body=text.
func addExpectation(e *loadgen.Expectation, s string) error {
	what, value, _ := strings.Cut(s, "=")
	switch what {
	case "status":
		for text := range strings.SplitSeq(value, ",") {
			r, err := loadgen.ParseStatusRange(strings.TrimSpace(text))
			if err != nil {
				return err
			}
			e.Status = append(e.Status, r)
		}
	case "header":
		name, text, _ := strings.Cut(value, ":")
		if name == "" {
			return errors.New("header has no name")
		}
		if e.Header == nil {
			e.Header = make(map[string]string)
		}
		e.Header[name] = strings.TrimSpace(text)
	case "body":
		if e.BodyContains != "" {
			return errors.New("only one body=text can be expected")
		}
		e.BodyContains = value
	default:
		return fmt.Errorf("%q must be status=200-299, header=Name: text or body=text", s)
	}
	return nil
}
