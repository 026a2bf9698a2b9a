package loadtester

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/serin-dev/serin/loadgen"
)

// wrkFlags are the values of wrk's flags, and of wrk2's.
type wrkFlags struct {
	connections int64
	threads     int64
	rate        int64 // wrk2's
	duration    time.Duration
	timeout     time.Duration
	script      string
}

func (f *wrkFlags) register(set *pflag.FlagSet, addHeader func(string) error) {
	f.connections, f.threads, f.duration, f.timeout = 10, 2, 10*time.Second, 2*time.Second
	set.VarP(metric{&f.connections}, "connections", "c", "")
	set.VarP(metric{&f.threads}, "threads", "t", "")
	set.VarP(metric{&f.rate}, "rate", "R", "")
	set.VarP(seconds{&f.duration}, "duration", "d", "")
	set.Var(seconds{&f.timeout}, "timeout", "")
	set.StringVarP(&f.script, "script", "s", "", "")
	set.VarP(each(addHeader), "header", "H", "")
	for _, shown := range []struct{ long, short string }{{"latency", "L"}, {"u_latency", "U"}, {"batch_latency", "B"}} {
		set.BoolP(shown.long, shown.short, false, "")
	}
}

// takeWrk reads the arguments of wrk or wrk2. Threads are the engine's affair.
func (l *load) takeWrk(args []string) error {
	var f wrkFlags
	set := newFlagSet("wrk")
	f.register(set, l.addHeader)
	if err := set.Parse(args); err != nil {
		return err
	}
	switch {
	case f.script != "":
		return errors.New("-s runs a script, which is not possible here: write the load as a hey command")
	case set.NArg() != 1:
		return fmt.Errorf("exactly one URL is needed, not %q", set.Args())
	case f.connections <= 0 || f.threads <= 0 || f.duration <= 0 || f.timeout <= 0:
		return errors.New("-c, -t, -d and --timeout must be positive")
	case f.connections > maxConnections:
		return fmt.Errorf("-c may be %d at most, not %d", maxConnections, f.connections)
	case f.connections < f.threads:
		return fmt.Errorf("-c %d must not be less than -t %d", f.connections, f.threads)
	}
	target, err := url.Parse(set.Arg(0))
	if err != nil {
		return err
	}
	if (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
		return fmt.Errorf("URL %q must start with http:// or https://", set.Arg(0))
	}
	l.url = target
	l.request.Method, l.request.Path = http.MethodGet, target.RequestURI()
	l.plan = loadgen.Plan{Duration: f.duration, Timeout: f.timeout, Connections: int(f.connections)}
	return l.pace(float64(f.rate), set.Changed("rate"), "-R")
}

// pace keeps a rate, where one is given, and makes a closed loop otherwise.
func (l *load) pace(rate float64, given bool, name string) error {
	if !given {
		l.plan.Closed = true
		return nil
	}
	if err := loadgen.ValidateRate(rate); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	l.plan.Schedule, l.rate = loadgen.ConstantRate(rate), rate
	return nil
}

func newFlagSet(name string) *pflag.FlagSet {
	set := pflag.NewFlagSet(name, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	return set
}

// each is a flag that may be given several times.
type each func(string) error

func (f each) Set(s string) error { return f(s) }
func (f each) String() string     { return "" }
func (f each) Type() string       { return "text" }

// metric is a number as wrk reads it: 10, 10k or 1M.
type metric struct{ value *int64 }

func (m metric) String() string { return "" }
func (m metric) Type() string   { return "number" }

func (m metric) Set(s string) error {
	factor := int64(1)
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 'k', 'K':
			factor, s = 1000, s[:n-1]
		case 'm', 'M':
			factor, s = 1_000_000, s[:n-1]
		}
	}
	v, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return fmt.Errorf("%.40q is no number", s)
	}
	*m.value = v * factor
	return nil
}

// seconds is a time as wrk and ghz read it: 30 is 30s, and the rest is Go's.
type seconds struct{ value *time.Duration }

func (d seconds) String() string { return "" }
func (d seconds) Type() string   { return "duration" }

func (d seconds) Set(s string) error {
	if s != "" && strings.Trim(s, "0123456789") == "" {
		s += "s"
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%.40q is no duration, such as 30s or 2m", s)
	}
	*d.value = v
	return nil
}
