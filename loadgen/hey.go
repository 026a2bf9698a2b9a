package loadgen

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
)

// Hey is what a hey command line asks for, as far as it can be repeated
// against other hosts.
type Hey struct {
	// Rate is the total number of requests a second, -q times -c. It is 0
	// when -q was not given, which to hey means as fast as it goes.
	Rate float64
	// Request has the method, path, headers and body.
	Request Request
	// Timeout of one request (-t); 0 is hey's "none".
	Timeout time.Duration
	// DisableKeepAlive is -disable-keepalive.
	DisableKeepAlive bool
}

// ParseHey reads a hey command line: github.com/rakyll/hey, v0.1.5. No shell
// is involved: quotes and backslashes work as in a shell, everything else is
// an argument.
//
// The flags -z and -n, which say when to stop, -h2, which hey uses over TLS
// only, and those about hey's output, redirects and processes are accepted and
// have no effect. -host is accepted and dropped with the host of the URL, since
// the load goes to the hosts of revisions. -D and -x are errors.
func ParseHey(command string) (Hey, error) {
	words, err := shellquote.Split(command)
	if err != nil {
		return Hey{}, fmt.Errorf("hey command %q: %w", command, err)
	}
	if len(words) == 0 || path.Base(words[0]) != "hey" {
		return Hey{}, fmt.Errorf("command %q does not call hey", command)
	}
	hey, err := parseHeyArgs(words[1:])
	if err != nil {
		return Hey{}, fmt.Errorf("hey command %q: %w", command, err)
	}
	return hey, nil
}

func parseHeyArgs(args []string) (Hey, error) {
	f, target, err := ParseHeyArgs(args)
	if err != nil {
		return Hey{}, err
	}
	request, err := f.Request(target)
	if err != nil {
		return Hey{}, err
	}
	return Hey{
		Rate:             f.Rate * float64(f.Workers),
		Request:          request,
		Timeout:          time.Duration(f.TimeoutSeconds) * time.Second,
		DisableKeepAlive: f.DisableKeepAlive,
	}, nil
}

// ParseHeyArgs reads what follows the word hey on a command line that comes
// from elsewhere: the flags, of which -D and -x are errors, and the one URL.
func ParseHeyArgs(args []string) (HeyFlags, *url.URL, error) {
	var f HeyFlags
	set := flag.NewFlagSet("hey", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	f.Register(set)
	if err := set.Parse(args); err != nil {
		return f, nil, err
	}
	if set.NArg() != 1 {
		return f, nil, fmt.Errorf("exactly one URL is needed, not %q", set.Args())
	}
	switch {
	case f.BodyFile != "":
		return f, nil, errors.New("-D reads a file, which is not possible here: give the body with -d")
	case f.Proxy != "":
		return f, nil, errors.New("-x (proxy) is not supported here: the load goes to the cluster's own gateway")
	}
	if err := f.Validate(); err != nil {
		return f, nil, err
	}
	target, err := url.Parse(set.Arg(0))
	if err != nil {
		return f, nil, err
	}
	if (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
		return f, nil, fmt.Errorf("URL %q must start with http:// or https://", set.Arg(0))
	}
	return f, target, nil
}

// HeyFlags are the values of hey's flags, those of v0.1.5.
type HeyFlags struct {
	Requests int           // -n: in total; default 200
	Workers  int           // -c: default 50
	Rate     float64       // -q: requests a second of each worker; 0 for no limit
	Duration time.Duration // -z: instead of -n
	Output   string        // -o: empty or csv

	Method         string   // -m: default GET
	Headers        []string // -H: "Name: value"
	TimeoutSeconds int      // -t: of one request; default 20, and 0 for none
	Accept         string   // -A
	Body           string   // -d
	BodyFile       string   // -D: the name of a file
	ContentType    string   // -T: default text/html
	UserAgent      string   // -U
	Auth           string   // -a: user:password
	Proxy          string   // -x
	HTTP2          bool     // -h2: over TLS
	Host           string   // -host
	CPUs           int      // -cpus: 0 for all

	DisableCompression bool // -disable-compression
	DisableKeepAlive   bool // -disable-keepalive
	DisableRedirects   bool // -disable-redirects
}

// Register defines the flags in set, which then writes to f.
func (f *HeyFlags) Register(set *flag.FlagSet) {
	set.IntVar(&f.Requests, "n", 200, "")
	set.IntVar(&f.Workers, "c", 50, "")
	set.Float64Var(&f.Rate, "q", 0, "")
	set.DurationVar(&f.Duration, "z", 0, "")
	set.StringVar(&f.Output, "o", "", "")
	set.StringVar(&f.Method, "m", http.MethodGet, "")
	set.Func("H", "", func(s string) error {
		f.Headers = append(f.Headers, s)
		return nil
	})
	set.IntVar(&f.TimeoutSeconds, "t", 20, "")
	set.StringVar(&f.Accept, "A", "", "")
	set.StringVar(&f.Body, "d", "", "")
	set.StringVar(&f.BodyFile, "D", "", "")
	set.StringVar(&f.ContentType, "T", "text/html", "")
	set.StringVar(&f.UserAgent, "U", "", "")
	set.StringVar(&f.Auth, "a", "", "")
	set.StringVar(&f.Proxy, "x", "", "")
	set.BoolVar(&f.HTTP2, "h2", false, "")
	set.StringVar(&f.Host, "host", "", "")
	set.IntVar(&f.CPUs, "cpus", 0, "")
	set.BoolVar(&f.DisableCompression, "disable-compression", false, "")
	set.BoolVar(&f.DisableKeepAlive, "disable-keepalive", false, "")
	set.BoolVar(&f.DisableRedirects, "disable-redirects", false, "")
}

// Validate reports a value that no load can be made of. It leaves -n alone,
// which not every load needs.
func (f *HeyFlags) Validate() error {
	switch {
	case f.Workers <= 0:
		return fmt.Errorf("-c must be positive, not %d", f.Workers)
	case f.Workers > maxHeyWorkers:
		return fmt.Errorf("-c must be at most %d, not %d", maxHeyWorkers, f.Workers)
	case !(f.Rate >= 0 && f.Rate*float64(f.Workers) <= maxHeyRate): // NaN is not
		return fmt.Errorf("-q times -c must be between 0 and %d requests a second, not %g", maxHeyRate, f.Rate*float64(f.Workers))
	case f.TimeoutSeconds < 0:
		return fmt.Errorf("-t must not be negative, not %d", f.TimeoutSeconds)
	case f.Duration < 0:
		return fmt.Errorf("-z must not be negative, not %v", f.Duration)
	case f.CPUs < 0:
		return fmt.Errorf("-cpus must not be negative, not %d", f.CPUs)
	}
	return nil
}

// What a command, or a Canary file, can make Serin do at most.
const (
	maxHeyRate    = 100_000
	maxHeyWorkers = 100_000
)

// heyRedirects is how many redirects hey follows: its tenth request in a row
// is the last.
const heyRedirects = 9

// Plan is the load as hey makes it: a closed loop of -c workers that lasts for
// -z, or else for -n requests, of which each worker sends as many. -n must not
// be less than -c then. What is sent is [HeyFlags.Request]; HTTP/2 and the
// proxy are the caller's.
func (f *HeyFlags) Plan() Plan {
	p := Plan{
		Closed:           true,
		WorkerRate:       f.Rate,
		Duration:         f.Duration,
		Connections:      f.Workers,
		Timeout:          time.Duration(f.TimeoutSeconds) * time.Second,
		DisableKeepAlive: f.DisableKeepAlive,
	}
	if f.TimeoutSeconds == 0 || int64(f.TimeoutSeconds) > int64(NoTimeout/time.Second) {
		p.Timeout = NoTimeout
	}
	if !f.DisableRedirects {
		p.MaxRedirects = heyRedirects
	}
	if f.Duration == 0 {
		p.MaxRequests = int64(f.Requests - f.Requests%f.Workers)
	}
	return p
}

// Request is what hey sends to target, with its body read from the file where
// there is one.
func (f *HeyFlags) Request(target *url.URL) (Request, error) {
	header, err := f.header()
	if err != nil {
		return Request{}, err
	}
	body := []byte(f.Body)
	if f.BodyFile != "" {
		if body, err = os.ReadFile(f.BodyFile); err != nil {
			return Request{}, fmt.Errorf("-D: %w", err)
		}
	}
	r := Request{Method: strings.ToUpper(f.Method), Path: target.RequestURI(), Header: header}
	if len(body) > 0 {
		r.Body = body
	}
	return r, nil
}

// hey's header syntax.
var heyHeader = regexp.MustCompile(`^([\w-]+):\s*(.+)$`)

// header builds the headers in hey's order: -T, then -H, then the flags that
// stand for one header. A host among them is dropped, as net/http does too.
// hey adds its own name to that of the user agent; so does Serin. hey v0.1.5
// reads -a and does not send it, which is taken for a mistake.
func (f *HeyFlags) header() (http.Header, error) {
	header := http.Header{"Content-Type": {f.ContentType}}
	for _, h := range f.Headers {
		m := heyHeader.FindStringSubmatch(h)
		if m == nil {
			return nil, fmt.Errorf("-H %q must be \"Name: value\"", h)
		}
		header.Set(m[1], m[2])
	}
	if f.Accept != "" {
		header.Set("Accept", f.Accept)
	}
	if f.Auth != "" {
		user, password, ok := strings.Cut(f.Auth, ":")
		if !ok {
			return nil, errors.New("-a must be user:password")
		}
		req := http.Request{Header: header}
		req.SetBasicAuth(user, password)
	}
	if agent := orDefault(f.UserAgent, header.Get("User-Agent")); agent != "" {
		header.Set("User-Agent", agent+" "+userAgent)
	}
	// As net/http does for hey, which does not for what has no body to compress.
	if !f.DisableCompression && header.Get("Accept-Encoding") == "" && header.Get("Range") == "" && !strings.EqualFold(f.Method, http.MethodHead) {
		header.Set("Accept-Encoding", "gzip")
	}
	header.Del("Host")
	return header, nil
}
