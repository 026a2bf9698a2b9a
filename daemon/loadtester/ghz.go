package loadtester

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/serin-dev/serin/loadgen"
)

// ghzFlags are the values of ghz's flags that have a meaning here.
type ghzFlags struct {
	insecure, skipTLS bool
	call, authority   string
	data, metadata    string
	total             int
	concurrency       int
	rate, oldRate     float64
	duration          time.Duration
	timeout           time.Duration
}

func (f *ghzFlags) register(set *pflag.FlagSet) {
	f.timeout = 20 * time.Second
	set.BoolVar(&f.insecure, "insecure", false, "")
	set.BoolVar(&f.skipTLS, "skipTLS", false, "")
	set.StringVar(&f.call, "call", "", "")
	set.StringVar(&f.authority, "authority", "", "")
	set.StringVarP(&f.data, "data", "d", "", "")
	set.StringVarP(&f.metadata, "metadata", "m", "", "")
	set.IntVarP(&f.total, "total", "n", 200, "")
	set.IntVarP(&f.concurrency, "concurrency", "c", 50, "")
	set.Float64VarP(&f.rate, "rps", "r", 0, "")
	set.Float64VarP(&f.oldRate, "qps", "q", 0, "") // until ghz 0.50
	set.VarP(seconds{&f.duration}, "duration", "z", "")
	set.VarP(seconds{&f.timeout}, "timeout", "t", "")
	// Of no effect: the server is asked for its methods, calls share one
	// connection, and nothing is printed.
	for _, name := range []string{"proto", "protoset", "connections", "connect-timeout", "keepalive", "name", "tags", "cpus", "debug"} {
		set.String(name, "", "")
	}
	set.StringP("import-paths", "i", "", "")
	set.StringP("output", "o", "", "")
	set.StringP("format", "O", "", "")
}

// takeGHZ reads the arguments of ghz.
func (l *load) takeGHZ(args []string) error {
	var f ghzFlags
	set := newFlagSet("ghz")
	f.register(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	switch {
	case set.NArg() != 1:
		return fmt.Errorf("exactly one host:port is needed, not %q", set.Args())
	case f.concurrency <= 0 || f.timeout <= 0 || f.duration < 0:
		return errors.New("-c, -t and -z must be positive")
	case f.duration == 0 && f.total <= 0:
		return fmt.Errorf("-n must be positive, not %d", f.total)
	case set.Changed("rps") && set.Changed("qps"):
		return errors.New("give --rps or -q, not both")
	}
	if err := l.takeGRPCTarget(set.Arg(0), f.insecure); err != nil {
		return err
	}
	l.host = f.authority
	l.plan = loadgen.Plan{Duration: f.duration, Timeout: f.timeout, Connections: f.concurrency}
	if f.skipTLS && !f.insecure {
		l.plan.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	if f.duration == 0 {
		l.plan.MaxRequests = int64(f.total)
	}
	if err := l.takeCall(&f); err != nil {
		return err
	}
	rate := max(f.rate, f.oldRate)
	return l.pace(rate, rate != 0 || f.rate < 0 || f.oldRate < 0, "--rps")
}

func (l *load) takeGRPCTarget(text string, insecure bool) error {
	scheme := "grpcs"
	if insecure {
		scheme = "grpc"
	}
	target, err := url.Parse(scheme + "://" + strings.TrimPrefix(text, "dns:///"))
	if err != nil || target.Hostname() == "" || target.RequestURI() != "/" {
		return fmt.Errorf("%.80q must be host:port", text)
	}
	l.url = target
	return nil
}

// takeCall reads what is called, and with what.
func (l *load) takeCall(f *ghzFlags) error {
	l.request.Path = "/" // the health check
	if f.call != "" {
		call := strings.TrimPrefix(f.call, ".")
		if i := strings.LastIndexAny(call, "./"); i > 0 {
			call = call[:i] + "/" + call[i+1:]
		}
		service, method, ok := strings.Cut(call, "/")
		if !ok || service == "" || method == "" || strings.ContainsAny(call, " ?#%\\") || strings.Contains(method, "/") {
			return fmt.Errorf("--call %.80q must be package.Service/Method", f.call)
		}
		l.request.Path = "/" + call
	}
	if f.data != "" {
		var message map[string]json.RawMessage
		switch {
		case strings.Contains(f.data, "{{"):
			return errors.New("-d has a template, which is not filled in here: give one message in JSON")
		case json.Unmarshal([]byte(f.data), &message) != nil:
			return fmt.Errorf("-d must be one message in JSON, not %.80q", f.data)
		}
		l.request.Body = []byte(f.data)
	}
	if f.metadata == "" {
		return nil
	}
	var metadata map[string]string
	if err := json.Unmarshal([]byte(f.metadata), &metadata); err != nil {
		return fmt.Errorf("-m must be an object of texts in JSON, not %.80q", f.metadata)
	}
	l.request.Header = make(http.Header, len(metadata))
	for name, value := range metadata {
		if !isToken(name) {
			return fmt.Errorf("-m has the name %.80q, which is none", name)
		}
		l.request.Header.Add(name, value)
	}
	return nil
}
