package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/egress"
)

// Severity says how loud a message is, in Flagger's words.
type Severity string

// The severities, from quiet to loud. Empty is Info.
const (
	Info  Severity = "info"
	Warn  Severity = "warn"
	Error Severity = "error"
)

var severities = []Severity{Info, Warn, Error}

// rank orders severities; an unknown word is Info.
func (s Severity) rank() int { return max(0, slices.Index(severities, s)) }

// reaches reports whether a message of this severity passes a filter.
func (s Severity) reaches(filter Severity) bool { return s.rank() >= filter.rank() }

// Message is what is told.
type Message struct {
	Canary types.NamespacedName
	// Service is the name of the Knative Service; may be empty.
	Service  string
	Text     string
	Severity Severity
	// Fields are shown below the text, in order.
	Fields []Field
}

// Field is a detail of a message.
type Field struct{ Name, Value string }

// Config says where providers are found.
type Config struct {
	// Reader reads AlertProviders and Secrets. It should not cache: the daemon
	// has no need to hold, or be allowed to list, everybody's Secrets. Required.
	Reader client.Reader
	// Global gets the messages of Canaries without alerts; nil for nobody.
	Global *Provider
	// Egress says which addresses AlertProviders and their proxies may have.
	// The zero Policy is a strict one. Global is the operator's own choice, and
	// not held to it.
	Egress egress.Policy
	// Refused is told of messages whose provider has an address that Egress
	// refuses; nil for the log alone.
	Refused func(ctx context.Context, canary types.NamespacedName, message string)
	// Transport posts the messages. Nil for HTTP that goes through the
	// provider's proxy, else the environment's.
	Transport http.RoundTripper
	Log       *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Global != nil {
		c.Global = new(*c.Global) // the caller may go on changing theirs
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports, joined, all that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Reader == nil {
		errs = append(errs, errors.New("alerts: no reader of the cluster is configured"))
	}
	if c.Global == nil {
		return errors.Join(errs...)
	}
	if s := c.Global.Severity; s != "" && !slices.Contains(severities, s) {
		errs = append(errs, fmt.Errorf("global alert provider: severity must be info, warn or error, not %q", s))
	}
	return errors.Join(append(errs, c.Global.validate()...)...)
}

// Alerts sends messages. Make one with New.
type Alerts struct {
	config Config
	http   *http.Client  // for AlertProviders
	global *http.Client  // for the global one
	begun  chan struct{} // holds one when lines wait to be served

	mu    sync.Mutex // guards lines and what they hold
	lines map[destination]*line
}

// destination is the AlertProvider of that name; none is the global one.
type destination types.NamespacedName

func (d destination) String() string {
	if d == (destination{}) {
		return "global"
	}
	return types.NamespacedName(d).String()
}

// New returns Alerts. Nothing is sent before Run.
func New(config Config) *Alerts {
	config = config.withDefaults()
	var guarded, global http.RoundTripper = newGuardedTransport(config.Egress), newTransport()
	if config.Transport != nil {
		guarded, global = config.Transport, config.Transport
	}
	return &Alerts{
		config: config,
		http:   &http.Client{Transport: guarded, CheckRedirect: noRedirect},
		global: &http.Client{Transport: global, CheckRedirect: noRedirect},
		begun:  make(chan struct{}, 1),
		lines:  make(map[destination]*line),
	}
}

// Send queues a message for the Canary's alerts, or for the global provider
// when it has none, and returns at once. The same text about the same Canary
// within a minute is told to a provider once.
func (a *Alerts) Send(message Message, alerts []v1beta1.Alert) {
	message.Severity = cmp.Or(message.Severity, Info)
	message.Fields = slices.Clone(message.Fields)
	now := time.Now()
	if len(alerts) == 0 && a.config.Global != nil && message.Severity.reaches(a.config.Global.Severity) {
		a.queue(destination{}, job{message, now})
	}
	for _, alert := range alerts {
		if !message.Severity.reaches(Severity(alert.Severity)) {
			continue
		}
		a.queue(destination{
			Namespace: cmp.Or(alert.ProviderRef.Namespace, message.Canary.Namespace),
			Name:      alert.ProviderRef.Name,
		}, job{message, now})
	}
}

// queue puts a job on the destination's line.
func (a *Alerts) queue(to destination, j job) {
	a.mu.Lock()
	l := a.lines[to]
	if l == nil {
		l = newLine(to)
		a.lines[to] = l
	}
	dropped := l.add(j)
	a.mu.Unlock()
	wake(l.wake)
	wake(a.begun)
	if dropped != nil {
		a.config.Log.Warn("alert dropped: too many are queued", dropped.attributes(to)...)
	}
}

// wake leaves a signal, if there is none yet.
func wake(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
