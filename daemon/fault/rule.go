package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Bounds of rules.
const (
	defaultDuration = 5 * time.Minute
	maxDuration     = time.Hour
	maxDelay        = time.Minute
)

// Both is the target of a rule about both revisions.
const Both = "both"

// Rule is one fault. Exactly one of the actions is given: from Status on, down
// to Request.
type Rule struct {
	// ID is given by Add.
	ID string `json:"id,omitempty"`
	// Namespace and Name are the Canary's.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Target is canary (the default), primary or both.
	Target string `json:"target,omitempty"`
	// Percent of the requests, above 0, at most 100. Default 100.
	Percent Percent `json:"percent,omitempty"`
	// PathPrefix is how the path of a request begins; empty for any.
	PathPrefix string `json:"pathPrefix,omitempty"`

	// Status answers so, and sends nothing. 200 to 599.
	Status int `json:"status,omitempty"`
	// Delay sends the request later.
	Delay *Delay `json:"delay,omitempty"`
	// Reset resets the connection instead, Timeout never answers.
	Reset   bool `json:"reset,omitempty"`
	Timeout bool `json:"timeout,omitempty"`
	// Truncate breaks the answer off in the middle of its body.
	Truncate bool `json:"truncate,omitempty"`
	// BandwidthBytesPerSecond is how fast the body comes.
	BandwidthBytesPerSecond int64 `json:"bandwidthBytesPerSecond,omitempty"`
	// Request is sent instead.
	Request *Request `json:"request,omitempty"`

	// Duration is how long it acts, as Go writes durations. Default 5m, at most
	// 1h.
	Duration Duration `json:"duration,omitempty"`
	// Started, Expires and Hits are told, not asked.
	Started *time.Time `json:"started,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	Hits    int64      `json:"hits"`
}

// Percent is a share that is given; none is 100.
type Percent float64

// UnmarshalJSON refuses 0, which nobody means who gives it.
func (p *Percent) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, (*float64)(p)); err != nil || *p == 0 {
		return fmt.Errorf("percent must be above 0 and at most 100, not %s", text)
	}
	return nil
}

// Request is what is sent instead of the load's own.
type Request struct {
	Method string `json:"method,omitempty"` // default GET
	Path   string `json:"path"`
}

// Duration is a time.Duration that is written as "1m30s".
type Duration time.Duration

// MarshalJSON writes "1m30s".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("duration must be a text such as \"5m\", not %s", text)
	}
	parsed, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("duration must be such as 30s or 5m, not %q", s)
	}
	*d = Duration(parsed)
	return nil
}

// Decode reads a rule, with its defaults, and validates it. What it does not
// know is an error.
func Decode(r io.Reader) (Rule, error) {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	var rule Rule
	if err := decoder.Decode(&rule); err != nil {
		return Rule{}, fmt.Errorf("the body is no fault: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Rule{}, errors.New("the body goes on after the fault: send one at a time")
	}
	if rule.ID != "" || rule.Started != nil || rule.Expires != nil || rule.Hits != 0 {
		return Rule{}, errors.New("id, started, expires and hits are told, not asked: leave them out")
	}
	rule = rule.withDefaults()
	return rule, rule.Validate()
}

func (r Rule) withDefaults() Rule {
	if r.Target == "" {
		r.Target = string(v1beta1.SideCanary)
	}
	if r.Percent == 0 {
		r.Percent = 100
	}
	if r.Duration == 0 {
		r.Duration = Duration(defaultDuration)
	}
	if r.Request != nil && r.Request.Method == "" {
		r.Request = &Request{Method: "GET", Path: r.Request.Path}
	}
	return r
}

// Canary is what the rule is about.
func (r Rule) Canary() types.NamespacedName {
	return types.NamespacedName{Namespace: r.Namespace, Name: r.Name}
}

// Validate reports, joined, all that is wrong with a rule.
func (r Rule) Validate() error {
	var errs []error
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	report(len(validation.IsDNS1123Label(r.Namespace)) > 0, "namespace %q is none: name the Canary's", r.Namespace)
	report(len(validation.IsDNS1123Subdomain(r.Name)) > 0, "name %q is none: name the Canary", r.Name)
	switch r.Target {
	case string(v1beta1.SideCanary), string(v1beta1.SidePrimary), Both:
	default:
		report(true, "target must be canary, primary or both, not %q", r.Target)
	}
	report(!(r.Percent > 0 && r.Percent <= 100), "percent must be above 0 and at most 100, not %g", r.Percent)
	report(r.PathPrefix != "" && !strings.HasPrefix(r.PathPrefix, "/"), "pathPrefix must begin with /, not %q", r.PathPrefix)
	report(time.Duration(r.Duration) <= 0 || time.Duration(r.Duration) > maxDuration, "duration must be above 0 and at most %v, not %v", maxDuration, time.Duration(r.Duration))
	if n := len(r.actions()); n != 1 {
		report(true, "give exactly one of status, delay, reset, timeout, truncate, bandwidthBytesPerSecond and request, not %d", n)
	}
	report(r.Status != 0 && (r.Status < 200 || r.Status > 599), "status must be from 200 to 599, not %d", r.Status)
	report(r.BandwidthBytesPerSecond < 0, "bandwidthBytesPerSecond must be positive, not %d", r.BandwidthBytesPerSecond)
	if r.Delay != nil {
		errs = append(errs, r.Delay.validate())
	}
	if r.Request != nil {
		errs = append(errs, r.Request.validate())
	}
	return errors.Join(errs...)
}

// actions are those that are given.
func (r Rule) actions() (given []string) {
	for _, a := range []struct {
		name string
		is   bool
	}{
		{"status", r.Status != 0},
		{"delay", r.Delay != nil},
		{"reset", r.Reset},
		{"timeout", r.Timeout},
		{"truncate", r.Truncate},
		{"bandwidth", r.BandwidthBytesPerSecond != 0},
		{"request", r.Request != nil},
	} {
		if a.is {
			given = append(given, a.name)
		}
	}
	return given
}

func (r *Request) validate() error {
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, " \r\n\x00") {
		return fmt.Errorf("request.path must begin with / and have no spaces or line breaks, not %q", r.Path)
	}
	switch r.Method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return nil
	}
	return fmt.Errorf("request.method %q is none that is sent", r.Method)
}

// of reports whether the rule is about a Canary, or one of those that are meant
// by a key without a name, or without a namespace.
func (r Rule) of(key types.NamespacedName) bool {
	return (key.Namespace == "" || key.Namespace == r.Namespace) && (key.Name == "" || key.Name == r.Name)
}

// about reports whether the rule acts on requests to that revision.
func (r Rule) about(canary types.NamespacedName, side v1beta1.Side) bool {
	return r.Canary() == canary && (r.Target == Both || r.Target == string(side))
}

// String says what happens to which requests: "30% of Serin's requests to the
// canary revision of podinfo.test are answered 503".
func (r Rule) String() string {
	share := "Serin's requests"
	if r.Percent < 100 {
		share = fmt.Sprintf("%g%% of Serin's requests", r.Percent)
	}
	if r.PathPrefix != "" {
		share += fmt.Sprintf(" for %s", r.PathPrefix)
	}
	to := fmt.Sprintf("the %s revision", r.Target)
	if r.Target == Both {
		to = "both revisions"
	}
	return fmt.Sprintf("%s to %s of %s.%s %s", share, to, r.Name, r.Namespace, r.effect())
}

func (r Rule) effect() string {
	switch {
	case r.Status != 0:
		return fmt.Sprintf("are answered %d", r.Status)
	case r.Delay != nil:
		return "are delayed " + r.Delay.String()
	case r.Reset:
		return "are reset"
	case r.Timeout:
		return "are never answered"
	case r.Truncate:
		return "are answered in part"
	case r.BandwidthBytesPerSecond != 0:
		return fmt.Sprintf("are answered at %d bytes/s", r.BandwidthBytesPerSecond)
	default:
		return fmt.Sprintf("are %s %s instead", r.Request.Method, r.Request.Path)
	}
}
