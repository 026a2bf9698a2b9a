package load

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

// plan is the load that the options ask for.
func (o *options) plan() (loadgen.Plan, error) {
	p := o.hey.Plan()
	p.HTTP2 = o.http2()
	if o.open() {
		p.Schedule, p.Closed, p.WorkerRate, p.MaxRequests = o.schedule(), false, 0, 0
		if o.hey.Duration == 0 && len(o.steps) == 0 {
			p.MaxRequests = int64(o.hey.Requests)
		}
	}
	p.Proxy = o.environmentProxy()
	var err error
	if o.hey.Proxy != "" {
		if p.Proxy, err = parseProxy(o.hey.Proxy); err != nil {
			return p, err
		}
	}
	if p.TLS, err = o.tls.config(); err != nil {
		return p, err
	}
	if o.protoset != "" {
		p.Descriptors, err = readDescriptors(o.protoset)
	}
	return p, err
}

// http2 is for TLS where -h2 is given, as with hey, and for all of -h2c.
func (o *options) http2() bool {
	if o.h2c {
		return true
	}
	return o.hey.HTTP2 && o.schemes()["https"]
}

func (o *options) schedule() loadgen.Schedule {
	switch {
	case len(o.steps) > 0:
		return loadgen.Steps(o.steps...)
	case o.arrivals == "poisson":
		return loadgen.Poisson(o.rate, o.seed)
	case o.ramp > 0:
		return loadgen.Ramp(0, o.rate, o.ramp).Then(o.ramp, loadgen.ConstantRate(o.rate))
	default:
		return loadgen.ConstantRate(o.rate)
	}
}

// span is how long an open loop is meant to last; 0 where that is not said.
func (o *options) span() time.Duration {
	switch {
	case !o.open():
		return 0
	case o.hey.Duration > 0:
		return o.hey.Duration
	case len(o.steps) > 0:
		var sum time.Duration
		for _, s := range o.steps {
			sum += s.Duration
		}
		return sum
	case o.ramp > 0 || o.arrivals != "constant":
		return 0
	default:
		return time.Duration(float64(o.hey.Requests) / o.rate * float64(time.Second))
	}
}

// peakRate is the highest rate of an open loop, to each target.
func (o *options) peakRate() float64 {
	peak := o.rate
	for _, s := range o.steps {
		peak = max(peak, s.Rate)
	}
	return peak
}

// rateIntended is the rate asked for of each target, on average until elapsed
// and the end of the plan, in requests a second; 0 where there is none.
func (o *options) rateIntended(elapsed time.Duration) float64 {
	if o.hey.Duration > 0 {
		elapsed = min(elapsed, o.hey.Duration)
	}
	switch {
	case len(o.steps) > 0:
		sum, left := 0.0, elapsed
		for _, s := range o.steps {
			sum += s.Rate * min(s.Duration, left).Seconds()
			left = max(left-s.Duration, 0)
		}
		return sum / elapsed.Seconds()
	case elapsed < o.ramp:
		return o.rate * elapsed.Seconds() / o.ramp.Seconds() / 2
	case o.open():
		return o.rate * (elapsed - o.ramp/2).Seconds() / elapsed.Seconds()
	default:
		return o.hey.Rate * float64(o.hey.Workers)
	}
}

// targets are the URLs, each with its requests and an empty recorder.
func (o *options) targets() ([]loadgen.Target, error) {
	var targets []loadgen.Target
	for _, text := range o.urls {
		u, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		request, err := o.hey.Request(u)
		if err != nil {
			return nil, err
		}
		request.Expect = o.expect
		if strings.HasPrefix(u.Scheme, "grpc") {
			request.Method = ""
			request.Header.Del("Content-Type")
			request.Header.Del("Accept-Encoding")
		}
		targets = append(targets, loadgen.Target{
			URL: text, Host: o.hey.Host, ConnectTo: o.connectTo,
			Requests: []loadgen.Request{request}, Recorder: measure.NewRecorder(),
		})
	}
	return targets, nil
}

// parseProxy reads host:port, as hey's help says, or http://host:port, which
// is what hey needs.
func parseProxy(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("-x: %w", err)
	}
	return u, nil
}

// tlsFiles are what to trust and to show, by the names of PEM files.
type tlsFiles struct {
	authorities      string
	certificate, key string
	serverName       string
	insecure         bool
}

// config returns nil where nothing was said.
func (t tlsFiles) config() (*tls.Config, error) {
	if t == (tlsFiles{}) {
		return nil, nil //nolint:nilnil // nil is the default of a plan
	}
	config := &tls.Config{ServerName: t.serverName, InsecureSkipVerify: t.insecure}
	if t.authorities != "" {
		pem, err := os.ReadFile(t.authorities)
		if err != nil {
			return nil, fmt.Errorf("-cacert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("-cacert: %s holds no certificate in PEM form", t.authorities)
		}
	}
	if (t.certificate == "") != (t.key == "") {
		return nil, errors.New("-cert and -key go together")
	}
	if t.certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.certificate, t.key)
		if err != nil {
			return nil, fmt.Errorf("-cert, -key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// readDescriptors reads what `protoc --include_imports -o FILE` writes.
func readDescriptors(name string) (*descriptorpb.FileDescriptorSet, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("-protoset: %w", err)
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(raw, set); err != nil {
		return nil, fmt.Errorf("-protoset: %s is not a descriptor set: %w", name, err)
	}
	return set, nil
}
