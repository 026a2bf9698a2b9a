package hook

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/rollout"
)

// Config says whom to tell.
type Config struct {
	// Notify is called, from a call's goroutine, when there is a new answer.
	// Required; must return when ctx ends.
	Notify func(context.Context, types.NamespacedName)
	// Answered is told of every answer; nil for nobody.
	Answered func(canary types.NamespacedName, hookType string, passed bool)
	// Egress says which addresses hooks may have. The zero Policy is a strict one.
	Egress egress.Policy
	// Refused is told of hooks whose address Egress refuses: once of each call,
	// as the events of closed gates do not say what was answered. nil for nobody.
	Refused func(ctx context.Context, canary types.NamespacedName, message string)
	// Log is told of event hooks that fail; nil for nobody.
	Log *slog.Logger
}

// Hooks is the set of calls that are wanted, by Canary.
type Hooks struct {
	config Config
	poster *poster
	signal chan struct{} // that there is something to start

	mu     sync.Mutex // guards what follows
	start  []*call
	wanted map[types.NamespacedName]map[rollout.Key]*call
	told   map[types.NamespacedName][]event
	busy   map[types.NamespacedName]bool // whose events are being told
	losing map[types.NamespacedName]bool // whose events were too many since they were last all told
}

// New returns an empty set. Nothing is called before Run.
func New(config Config) *Hooks {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Hooks{
		config: config, poster: newPoster(config.Egress), signal: make(chan struct{}, 1),
		wanted: make(map[types.NamespacedName]map[rollout.Key]*call),
		told:   make(map[types.NamespacedName][]event), busy: make(map[types.NamespacedName]bool),
		losing: make(map[types.NamespacedName]bool),
	}
}

// Run makes the calls until ctx ends, and returns when all have ended.
func (h *Hooks) Run(ctx context.Context) error {
	defer h.poster.close()
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.signal:
		}
		starting, telling := h.due()
		for _, c := range starting {
			calls.Go(func() { h.make(ctx, c) })
		}
		for _, canary := range telling {
			calls.Go(func() { h.tell(ctx, canary) })
		}
	}
}

// due takes what is to be started.
func (h *Hooks) due() (starting []*call, telling []types.NamespacedName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// A call that was forgotten before it began is not made at all.
	starting, h.start = slices.DeleteFunc(h.start, (*call).forgotten), nil
	for canary := range h.told {
		if !h.busy[canary] {
			h.busy[canary] = true
			telling = append(telling, canary)
		}
	}
	return starting, telling
}

func (h *Hooks) wake() {
	select {
	case h.signal <- struct{}{}:
	default: // it will look at all there is
	}
}

// Call says which calls a Canary wants now. Those that are under way go on,
// unless their webhook was edited; those that are not wanted any more are ended
// and forgotten.
func (h *Hooks) Call(canary types.NamespacedName, calls []rollout.Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.wanted[canary]
	now := make(map[rollout.Key]*call, len(calls))
	for _, c := range calls {
		if now[c.Key] != nil {
			continue // the same call twice is one, or nothing would ever end the other
		}
		if known := before[c.Key]; known != nil && reflect.DeepEqual(known.Webhook, c.Webhook) {
			now[c.Key] = known
			delete(before, c.Key)
			continue
		}
		now[c.Key] = &call{Call: c, canary: canary, stopped: make(chan struct{})}
		h.start = append(h.start, now[c.Key])
		h.wake()
	}
	for _, c := range before {
		close(c.stopped)
	}
	h.wanted[canary] = now
	if len(now) == 0 {
		delete(h.wanted, canary)
	}
}

// Stop ends and forgets the calls of a Canary. What it is to be told is told.
func (h *Hooks) Stop(canary types.NamespacedName) { h.Call(canary, nil) }

// Answers returns the newest answer of each call that has one.
func (h *Hooks) Answers(canary types.NamespacedName) map[rollout.Key]rollout.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	answers := make(map[rollout.Key]rollout.Answer)
	for key, c := range h.wanted[canary] {
		if c.answer != nil {
			answers[key] = *c.answer
		}
	}
	return answers
}

// call is one that is wanted.
type call struct {
	rollout.Call
	canary  types.NamespacedName
	stopped chan struct{}   // closed when it is not wanted any more
	answer  *rollout.Answer // guarded by Hooks.mu; nil before the first
}

func (c *call) forgotten() bool {
	select {
	case <-c.stopped:
		return true
	default:
		return false
	}
}

// make makes a call, and again after each answer that did not pass, as it asks
// for.
func (h *Hooks) make(ctx context.Context, c *call) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		select {
		case <-c.stopped:
			cancel()
		case <-ctx.Done():
		}
	})
	for {
		answer, ok := h.ask(ctx, c.canary, c.Phase, &c.Webhook, c.Occasion, nil)
		if !ok {
			return
		}
		h.set(ctx, c, &answer)
		if answer.Passed || c.Every <= 0 {
			return
		}
		select {
		case <-time.After(c.Every):
		case <-ctx.Done():
			return
		}
	}
}

// set keeps an answer, and says so where it is another one.
func (h *Hooks) set(ctx context.Context, c *call, answer *reply) {
	h.mu.Lock()
	same := c.answer != nil && *c.answer == answer.Answer
	c.answer = &answer.Answer
	h.mu.Unlock()
	if same {
		return
	}
	if answer.refused && h.config.Refused != nil {
		h.config.Refused(ctx, c.canary, refusal(&c.Webhook, answer))
	}
	h.config.Notify(ctx, c.canary)
}

// refusal says which hook was not called, and why.
func refusal(hook *v1beta1.Webhook, answer *reply) string {
	return fmt.Sprintf("Hook %s not called: %s", hook.Name, answer.Message)
}

// ask posts to a webhook. It reports false when ctx ended before the answer.
func (h *Hooks) ask(ctx context.Context, canary types.NamespacedName, phase v1beta1.Phase, hook *v1beta1.Webhook, occasion string, more map[string]string) (reply, bool) {
	metadata := maps.Clone(hook.Metadata)
	if metadata == nil {
		metadata = make(map[string]string)
	}
	maps.Copy(metadata, more)
	answer := h.poster.post(ctx, hook, payload{
		Name: canary.Name, Namespace: canary.Namespace, Phase: string(phase),
		Checksum: checksum(occasion), Metadata: metadata,
	})
	if ctx.Err() != nil {
		return reply{}, false
	}
	if h.config.Answered != nil {
		h.config.Answered(canary, hook.TypeOrDefault(), answer.Passed)
	}
	return answer, true
}
