package fault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

// How many rules there may be.
const (
	maxRules         = 100
	maxRulesOfCanary = 20
)

// ErrNone is the error, wrapped in a sentence, for a rule that there is not.
var ErrNone = errors.New("there is no such fault")

// Config says whom to tell.
type Config struct {
	// Notify is told of begins and ends, by a type of Kubernetes' events and a
	// sentence. Required.
	Notify func(ctx context.Context, canary types.NamespacedName, eventType, message string)
	// Registerer takes the metrics; nil for none.
	Registerer prometheus.Registerer
}

// Faults is the set of rules that act. New makes one.
type Faults struct {
	config     Config
	active     *prometheus.GaugeVec
	injections *prometheus.CounterVec
	changed    chan struct{} // holds a token when a rule has come

	some  atomic.Bool  // whether there are rules, for the requests' sake
	mu    sync.RWMutex // guards rules
	rules []*acting    // oldest first
}

// acting is a rule that acts.
type acting struct {
	Rule
	hits atomic.Int64
}

// told is the rule as others may have it.
func (a *acting) told() Rule {
	r := a.Rule
	r.Hits = a.hits.Load()
	return r
}

// New returns an empty set.
func New(config Config) *Faults {
	f := &Faults{
		config: config, changed: make(chan struct{}, 1),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "serin_faults", Help: "Faults that are injected now.",
		}, []string{"namespace", "name"}),
		injections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_fault_injections_total", Help: "Requests of Serin's that were disturbed, by what was done to them.",
		}, []string{"namespace", "name", "target", "action"}),
	}
	if config.Registerer != nil {
		config.Registerer.MustRegister(f.active, f.injections)
	}
	return f
}

// Add lets a rule act from now on, and returns it with its ID and its times.
func (f *Faults) Add(ctx context.Context, rule Rule) (Rule, error) {
	rule = rule.withDefaults()
	if err := rule.Validate(); err != nil {
		return Rule{}, err
	}
	now := time.Now()
	expires := now.Add(time.Duration(rule.Duration))
	rule.ID, rule.Started, rule.Expires, rule.Hits = strings.ToLower(rand.Text()[:8]), &now, &expires, 0
	if err := f.insert(rule); err != nil {
		return Rule{}, err
	}
	select {
	case f.changed <- struct{}{}:
	default: // a token is there already
	}
	f.config.Notify(ctx, rule.Canary(), "Warning", fmt.Sprintf("Drill: %s for %v (fault %s)", rule, time.Duration(rule.Duration), rule.ID))
	return rule, nil
}

func (f *Faults) insert(rule Rule) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := 0
	for _, a := range f.rules {
		if a.Canary() == rule.Canary() {
			same++
		}
	}
	if len(f.rules) >= maxRules || same >= maxRulesOfCanary {
		return fmt.Errorf("there are %d faults already, %d of this Canary: end some first", len(f.rules), same)
	}
	f.rules = append(f.rules, &acting{Rule: rule})
	f.some.Store(true)
	f.active.WithLabelValues(rule.Namespace, rule.Name).Inc()
	return nil
}

// List returns the rules of a Canary, oldest first; without a name those of a
// namespace, and without one all of them.
func (f *Faults) List(canary types.NamespacedName) []Rule {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var rules []Rule
	for _, a := range f.rules {
		if a.of(canary) {
			rules = append(rules, a.told())
		}
	}
	return rules
}

// Get returns a rule, or an ErrNone.
func (f *Faults) Get(id string) (Rule, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, a := range f.rules {
		if a.ID == id {
			return a.told(), nil
		}
	}
	return Rule{}, fmt.Errorf("%w: %.40q has ended or never was", ErrNone, id)
}

// Delete ends a rule, or returns an ErrNone.
func (f *Faults) Delete(ctx context.Context, id string) error {
	if n := f.end(ctx, "was ended", func(r *Rule) bool { return r.ID == id }); n == 0 {
		return fmt.Errorf("%w: %.40q has ended or never was", ErrNone, id)
	}
	return nil
}

// DeleteAll ends the rules that List would return, and says how many.
func (f *Faults) DeleteAll(ctx context.Context, canary types.NamespacedName) int {
	return f.end(ctx, "was ended", func(r *Rule) bool { return r.of(canary) })
}

// end ends the rules for which which holds.
func (f *Faults) end(ctx context.Context, how string, which func(*Rule) bool) int {
	ended := f.remove(which)
	for _, rule := range ended {
		took := time.Since(*rule.Started).Round(time.Second)
		f.config.Notify(ctx, rule.Canary(), "Normal", fmt.Sprintf("Drill: fault %s %s after %v and %d requests", rule.ID, how, took, rule.Hits))
	}
	return len(ended)
}

func (f *Faults) remove(which func(*Rule) bool) (removed []Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = slices.DeleteFunc(f.rules, func(a *acting) bool {
		gone := which(&a.Rule)
		if gone {
			removed = append(removed, a.told())
			f.active.WithLabelValues(a.Namespace, a.Name).Dec()
		}
		return gone
	})
	f.some.Store(len(f.rules) > 0)
	return removed
}

// Run ends rules when their time is over, until ctx ends.
func (f *Faults) Run(ctx context.Context) error {
	for {
		var next <-chan time.Time
		if at, ok := f.firstToExpire(); ok {
			next = time.After(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.changed:
		case <-next:
			now := time.Now()
			f.end(ctx, "has ended", func(r *Rule) bool { return !r.Expires.After(now) })
		}
	}
}

func (f *Faults) firstToExpire() (at time.Time, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, a := range f.rules {
		if !ok || a.Expires.Before(at) {
			at, ok = *a.Expires, true
		}
	}
	return at, ok
}

// hit returns the rule that acts on a request, and counts it; nil for none. The
// oldest of several that could is the one.
func (f *Faults) hit(canary types.NamespacedName, side v1beta1.Side, path string) *Rule {
	if !f.some.Load() {
		return nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	now := time.Now()
	for _, a := range f.rules {
		if a.about(canary, side) && strings.HasPrefix(path, a.PathPrefix) && now.Before(*a.Expires) && mathrand.Float64()*100 < float64(a.Percent) {
			a.hits.Add(1)
			f.injections.WithLabelValues(a.Namespace, a.Name, string(side), a.actions()[0]).Inc()
			return &a.Rule
		}
	}
	return nil
}
