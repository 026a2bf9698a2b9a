package loadtester

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/measure"
)

const (
	// maxRunning is how many loads and commands may run at a time.
	maxRunning = 32
	// Loads start at no more than startRate a second, after startBurst at once.
	startRate  = 10
	startBurst = 20

	defaultMaxRate     = 1000
	defaultExecTimeout = 10 * time.Minute
)

// Config says where loads may go, and how large they may be.
type Config struct {
	// Find says what a host means, and returns hosts.ErrUnknown for one that
	// no load goes to. Required.
	Find func(ctx context.Context, host string) (hosts.Place, error)
	// Record takes each result of a request to such a place. Required.
	Record func(place hosts.Place, r measure.Result)
	// Wrap may disturb HTTP requests; nil for none.
	Wrap func(place hosts.Place, next http.RoundTripper) http.RoundTripper
	// Notify tells, as an event of the Canary that was asked, how a load ended:
	// kind is Normal or Warning. nil tells nobody but the log.
	Notify func(ctx context.Context, canary types.NamespacedName, kind, message string)
	// Enter says whether a request may be looked into: it is asked before the body
	// is read. nil lets all in.
	Enter func(r *http.Request) error
	// Allow says whether a request about a Canary may be carried out; its error
	// is the answer. nil allows all.
	Allow func(r *http.Request, canary types.NamespacedName) error
	// Namespaces that are served; empty for all.
	Namespaces []string
	// AllowTargets are more hosts that loads may go to: names without a port,
	// or *.suffix. What they answer counts nowhere.
	AllowTargets []string
	// Egress says which addresses loads may have, whatever a name leads to. The
	// zero Policy is a strict one. Gateway is a host:port that places have as
	// their Address, and is not held to it; empty for none.
	Egress  egress.Policy
	Gateway string
	// MaxRate is how many requests a second all loads may send together.
	// Default 1000.
	MaxRate float64
	// AllowExec are the absolute paths of programs that may be run, by that path
	// or by their name. Links are followed once. No shell is accepted, nor what is
	// known to run other programs, nor arguments that are known to have one
	// started: what that cannot promise is in docs/security.md.
	AllowExec []string
	// ExecTimeout is how long one may run. Default 10m.
	ExecTimeout time.Duration

	Registerer prometheus.Registerer // nil for no metrics
	Log        *slog.Logger
}

// validate reports, joined, all that is wrong with the configuration.
func (c Config) validate() error {
	var errs []error
	for _, pattern := range c.AllowTargets {
		name := strings.TrimPrefix(pattern, "*.")
		if name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, "*:/@ ") {
			errs = append(errs, fmt.Errorf("allowed target %q must be a host in small letters, without a port, or *.suffix", pattern))
		}
	}
	if !(c.MaxRate > 0) {
		errs = append(errs, fmt.Errorf("max rate must be positive, not %g", c.MaxRate))
	}
	if c.ExecTimeout < 0 {
		errs = append(errs, fmt.Errorf("exec timeout must not be negative, not %v", c.ExecTimeout))
	}
	return errors.Join(errs...)
}

// Tester answers the contract. New makes one.
type Tester struct {
	config   Config
	gates    *Gates
	programs map[string]program // by name and by path
	dialer   *egress.Dialer
	starts   *rate.Limiter
	admitted chan *task // has room for all that may run

	mu       sync.Mutex // guards what follows
	open     bool       // Run takes what is admitted
	running  map[key]*task
	reserved float64 // requests a second, of all that run

	loads *prometheus.GaugeVec
	ended *prometheus.CounterVec
}

// New returns a Tester. It does nothing until it runs.
func New(config Config) (*Tester, error) {
	if config.MaxRate == 0 {
		config.MaxRate = defaultMaxRate
	}
	if config.ExecTimeout == 0 {
		config.ExecTimeout = defaultExecTimeout
	}
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("load tester: %w", err)
	}
	programs, err := lookUp(config.AllowExec)
	if err != nil {
		return nil, fmt.Errorf("load tester: %w", err)
	}
	t := &Tester{
		config: config, gates: NewGates(), programs: programs, dialer: newDialer(config),
		starts:   rate.NewLimiter(startRate, startBurst),
		admitted: make(chan *task, maxRunning), running: make(map[key]*task),
		loads: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "serin_hook_loads_running", Help: "Loads and commands of hooks that run now.",
		}, []string{"kind"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_hook_loads_total", Help: "Loads and commands of hooks that have ended, by how: done, failed or stopped.",
		}, []string{"kind", "result"}),
	}
	if config.Registerer != nil {
		config.Registerer.MustRegister(t.loads, t.ended)
	}
	return t, nil
}

func newDialer(config Config) *egress.Dialer {
	d := config.Egress.Dialer("loads")
	d.Trusted = config.Gateway
	return d
}

// key is what runs once at a time.
type key struct {
	canary        types.NamespacedName
	kind, command string
}

// task is a load or a command that has been asked for.
type task struct {
	key
	// kind is what the metrics call it.
	kind string
	// rate is what it sends in requests a second: 0 for nothing, and +Inf for
	// all that is left.
	rate float64
	work func(ctx context.Context, rate float64) ending

	done   chan struct{}
	ending ending // once done is closed
}

// ending is how a task ended.
type ending struct {
	result string // of results
	output []byte
	err    error
}

// What results are called in the metrics.
const (
	resultDone    = "done"
	resultFailed  = "failed"
	resultStopped = "stopped"
)

// Run runs what requests start, until ctx ends, and returns when all of it has
// ended.
func (t *Tester) Run(ctx context.Context) error {
	t.setOpen(true)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	for {
		select {
		case <-ctx.Done():
			t.setOpen(false)
			t.dropAdmitted()
			return nil
		case task := <-t.admitted:
			tasks.Go(func() { t.end(task, task.work(ctx, task.rate)) })
		}
	}
}

func (t *Tester) setOpen(open bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = open
}

// dropAdmitted ends what nobody will run.
func (t *Tester) dropAdmitted() {
	for {
		select {
		case task := <-t.admitted:
			t.end(task, ending{result: resultStopped, err: errStopping})
		default:
			return
		}
	}
}

var errStopping = errors.New("the daemon is stopping")

// end makes room for others.
func (t *Tester) end(task *task, e ending) {
	task.ending = e
	t.loads.WithLabelValues(task.kind).Dec()
	t.ended.WithLabelValues(task.kind, e.result).Inc()
	t.mu.Lock()
	delete(t.running, task.key)
	t.reserved -= task.rate
	if len(t.running) == 0 {
		t.reserved = 0 // and not what rounding has left of it
	}
	t.mu.Unlock()
	close(task.done)
}

// admit has a task run, or returns the same one that runs already. Its error is
// an *Error.
func (t *Tester) admit(wanted *task) (_ *task, isNew bool, _ error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open {
		return nil, false, refuse(http.StatusServiceUnavailable, "nothing is started here now: this daemon starts, stands by or is stopping")
	}
	if same := t.running[wanted.key]; same != nil {
		return same, false, nil
	}
	if len(t.running) >= maxRunning {
		return nil, false, refuse(http.StatusTooManyRequests, "%d loads run already, which is as many as may", maxRunning)
	}
	share, err := t.share(wanted.rate)
	if err != nil {
		return nil, false, err
	}
	if !t.starts.Allow() {
		return nil, false, refuse(http.StatusTooManyRequests, "too many loads are being started: %d a second may be", startRate)
	}
	wanted.rate, wanted.done = share, make(chan struct{})
	t.reserved += share
	t.running[wanted.key] = wanted
	t.loads.WithLabelValues(wanted.kind).Inc()
	t.admitted <- wanted // has room: see maxRunning
	return wanted, true, nil
}

// leastRate is the least that a load without a rate of its own may be given.
const leastRate = 1

// share is what a load may send of what is left. t.mu is held.
func (t *Tester) share(wanted float64) (float64, error) {
	left := t.config.MaxRate - t.reserved
	unlimited := math.IsInf(wanted, 1)
	switch {
	case wanted == 0:
		return 0, nil
	case unlimited && left >= leastRate:
		return left, nil
	case unlimited:
		return 0, refuse(http.StatusTooManyRequests, "the loads that run use up the %g requests/s that all may send together: wait for them to end, or raise --max-rate", t.config.MaxRate)
	case wanted > t.config.MaxRate:
		return 0, refuse(http.StatusForbidden, "%g requests/s are asked for, and all loads may send %g together: ask for less, or raise --max-rate", wanted, t.config.MaxRate)
	case wanted > left:
		return 0, refuse(http.StatusTooManyRequests, "%g requests/s are asked for, and %g are left of the %g that all loads may send together: wait for others to end, or raise --max-rate", wanted, left, t.config.MaxRate)
	}
	return wanted, nil
}

// serves reports whether a namespace is served.
func (t *Tester) serves(namespace string) bool {
	return len(t.config.Namespaces) == 0 || slices.Contains(t.config.Namespaces, namespace)
}
