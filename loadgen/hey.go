package loadgen

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// hey's header syntax.
var heyHeader = regexp.MustCompile(`^([\w-]+):\s*(.+)$`)

// ParseHey reads a hey command line: github.com/rakyll/hey, v0.1.5. No shell
// is involved: quotes and backslashes work as in a shell, everything else is
// an argument.
//
// The flags -z and -n, which say when to stop, and those about hey's output
// and processes are accepted and have no effect. -host is accepted and dropped
// with the host of the URL, since the load goes to the hosts of revisions. -D,
// -x and -h2 are errors.
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

// heyFlags are the values of hey's flags that mean something here.
type heyFlags struct {
	workers, timeout                         int
	rate                                     float64
	method, body, contentType, accept        string
	auth, userAgent, bodyFile, proxy         string
	h2, disableKeepAlive, disableCompression bool
	headers                                  []string
}

func parseHeyArgs(args []string) (Hey, error) {
	var f heyFlags
	set := f.flagSet()
	if err := set.Parse(args); err != nil {
		return Hey{}, err
	}
	if set.NArg() != 1 {
		return Hey{}, fmt.Errorf("exactly one URL is needed, not %q", set.Args())
	}
	return f.hey(set.Arg(0))
}

func (f *heyFlags) flagSet() *flag.FlagSet {
	set := flag.NewFlagSet("hey", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.IntVar(&f.workers, "c", 50, "")
	set.Float64Var(&f.rate, "q", 0, "")
	set.StringVar(&f.method, "m", http.MethodGet, "")
	set.StringVar(&f.body, "d", "", "")
	set.StringVar(&f.bodyFile, "D", "", "")
	set.StringVar(&f.contentType, "T", "text/html", "")
	set.StringVar(&f.accept, "A", "", "")
	set.StringVar(&f.auth, "a", "", "")
	set.StringVar(&f.userAgent, "U", "", "")
	set.StringVar(&f.proxy, "x", "", "")
	set.IntVar(&f.timeout, "t", 20, "")
	set.BoolVar(&f.h2, "h2", false, "")
	set.BoolVar(&f.disableKeepAlive, "disable-keepalive", false, "")
	set.Func("H", "", func(s string) error {
		f.headers = append(f.headers, s)
		return nil
	})
	for _, name := range []string{"n", "cpus"} {
		set.Int(name, 0, "")
	}
	for _, name := range []string{"o", "host"} {
		set.String(name, "", "")
	}
	set.BoolVar(&f.disableCompression, "disable-compression", false, "")
	set.Bool("disable-redirects", false, "")
	set.Duration("z", 0, "")
	return set
}

func (f *heyFlags) hey(rawURL string) (Hey, error) {
	switch {
	case f.bodyFile != "":
		return Hey{}, errors.New("-D reads a file, which is not possible here: give the body with -d")
	case f.proxy != "":
		return Hey{}, errors.New("-x (proxy) is not supported")
	case f.h2:
		return Hey{}, errors.New("-h2 is not supported yet")
	case f.workers <= 0:
		return Hey{}, fmt.Errorf("-c must be positive, not %d", f.workers)
	case !(f.rate*float64(f.workers) >= 0 && f.rate*float64(f.workers) <= maxHeyRate): // NaN is not
		return Hey{}, fmt.Errorf("-q times -c must be between 0 and %d requests a second, not %g", maxHeyRate, f.rate*float64(f.workers))
	case f.timeout < 0:
		return Hey{}, fmt.Errorf("-t must not be negative, not %d", f.timeout)
	}
	target, err := url.Parse(rawURL)
	if err != nil {
		return Hey{}, err
	}
	if (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
		return Hey{}, fmt.Errorf("URL %q must start with http:// or https://", rawURL)
	}
	header, err := f.header()
	if err != nil {
		return Hey{}, err
	}
	return Hey{
		Rate:             f.rate * float64(f.workers),
		Request:          Request{Method: strings.ToUpper(f.method), Path: target.RequestURI(), Header: header, Body: f.body},
		Timeout:          time.Duration(f.timeout) * time.Second,
		DisableKeepAlive: f.disableKeepAlive,
	}, nil
}

// maxHeyRate bounds what a Canary file can make the daemon send.
const maxHeyRate = 100_000

// header builds the headers in hey's order: -T, then -H, then the flags that
// stand for one header. A host among them is dropped, as net/http does too.
func (f *heyFlags) header() (http.Header, error) {
	header := http.Header{"Content-Type": {f.contentType}}
	for _, h := range f.headers {
		m := heyHeader.FindStringSubmatch(h)
		if m == nil {
			return nil, fmt.Errorf("-H %q must be \"Name: value\"", h)
		}
		header.Set(m[1], m[2])
	}
	if f.accept != "" {
		header.Set("Accept", f.accept)
	}
	if f.auth != "" {
		user, password, ok := strings.Cut(f.auth, ":")
		if !ok {
			return nil, errors.New("-a must be user:password")
		}
		req := http.Request{Header: header}
		req.SetBasicAuth(user, password)
	}
	if f.userAgent != "" {
		header.Set("User-Agent", f.userAgent)
	}
	if !f.disableCompression && header.Get("Accept-Encoding") == "" {
		header.Set("Accept-Encoding", "gzip")
	}
	header.Del("Host")
	return header, nil
}
