package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

// clockTick is how often a live page is drawn for its clocks alone.
const clockTick = time.Second

// watcher shows what changes.
type watcher struct {
	cluster *Cluster
	screen  Screen
	options StatusOptions

	canaries []*v1beta1.Canary
	events   []*corev1.Event
	lost     error
	history  history
	ending   ending
	lines    int               // of the page that is shown
	written  map[string]string // the last line or version, by Canary
}

// news is what has changed. Both parts may be nil, for nothing new.
type news struct {
	canaries []*v1beta1.Canary
	events   []*corev1.Event
	lost     error
}

func watchStatus(ctx context.Context, c *Cluster, s Screen, o StatusOptions) error {
	if o.Name != "" { // a name that is wrong is told at once
		if _, err := c.canary(ctx, o.Name); err != nil {
			return err
		}
	}
	interrupted := ctx
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	w := &watcher{cluster: c, screen: s, options: o, written: make(map[string]string)}
	err := w.run(ctx)
	switch {
	case interrupted.Err() != nil: // Ctrl-C is how a watch ends
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no rollout of %s has ended within %s", w.subject(), o.Timeout)
	default:
		return err
	}
}

func (w *watcher) subject() string {
	if w.options.Name == "" {
		return "the canaries"
	}
	return w.cluster.Namespace + "/" + w.options.Name
}

// run owns the goroutines that watch, and shows what they see.
func (w *watcher) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	seen := make(chan news)
	failed := make(chan error, 1)
	tell := func(n news) (enough bool) {
		select {
		case seen <- n:
			return false
		case <-ctx.Done():
			return true
		}
	}
	wg.Go(func() {
		failed <- follow(ctx, w.cluster.Client, &v1beta1.CanaryList{}, func(now []*v1beta1.Canary, lost error) bool {
			return tell(news{canaries: append([]*v1beta1.Canary{}, now...), lost: lost})
		}, w.options.selected(w.cluster)...)
	})
	if w.options.Name != "" && w.pages() {
		wg.Go(func() {
			// A page without events is better than none.
			_ = follow(ctx, w.cluster.Client, &corev1.EventList{}, func(now []*corev1.Event, _ error) bool {
				return tell(news{events: append([]*corev1.Event{}, now...)})
			}, w.cluster.eventsOf(w.options.Name)...)
		})
	}
	return w.show(ctx, seen, failed)
}

// pages reports whether pages are drawn, and not lines written.
func (w *watcher) pages() bool {
	return w.screen.Live && (w.options.Output == "" || w.options.Output == "wide")
}

func (w *watcher) show(ctx context.Context, seen <-chan news, failed <-chan error) error {
	ticker := time.NewTicker(clockTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return w.cluster.explain("", err)
		case <-ticker.C:
		case n := <-seen:
			w.note(n)
		}
		if w.canaries == nil {
			continue
		}
		if c := w.one(); c != nil && !c.Ours() { // it was, when this began
			return checkOurs(c)
		}
		if err := w.draw(); err != nil {
			return err
		}
		if over, err := w.over(); over {
			return err
		}
	}
}

// note takes in what has changed.
func (w *watcher) note(n news) {
	if n.events != nil {
		w.events = named(n.events, func(e *corev1.Event) string { return e.InvolvedObject.Name }, w.options.Name)
	}
	if n.canaries == nil {
		return
	}
	w.lost = n.lost
	w.canaries = named(n.canaries, func(c *v1beta1.Canary) string { return c.Name }, w.options.Name)
	if w.options.Name == "" {
		w.canaries = slices.DeleteFunc(w.canaries, func(c *v1beta1.Canary) bool { return !c.Ours() })
	}
	if c := w.one(); c != nil {
		w.history.note(c)
		w.ending.note(c)
	}
}

// named drops what the API server would not have sent.
func named[T any](all []T, name func(T) string, wanted string) []T {
	return slices.DeleteFunc(all, func(o T) bool { return wanted != "" && name(o) != wanted })
}

// one is the Canary that was asked for, or nil.
func (w *watcher) one() *v1beta1.Canary {
	if w.options.Name == "" || len(w.canaries) == 0 {
		return nil
	}
	return w.canaries[0]
}

func (w *watcher) draw() error {
	if !w.pages() {
		return w.append()
	}
	var p page
	columns, _ := w.screen.size()
	switch c := w.one(); {
	case c != nil:
		p = canaryPage(c, w.events, w.history.p99, view{program: w.cluster.Program, now: time.Now(), columns: columns})
	case len(w.canaries) == 0:
		p = page{{plain(w.options.nothing(w.cluster))}}
	default:
		p = table(w.canaries, w.options.table(), time.Now())
	}
	if w.lost != nil {
		p = slices.Insert(p, 0, line{yellow("This may be old: " + w.lost.Error())})
	}
	var err error
	w.lines, err = w.screen.redraw(p, w.lines)
	return err
}

// append writes a line for each Canary that has changed.
func (w *watcher) append() error {
	for _, c := range w.canaries {
		key := c.Namespace + "/" + c.Name
		text, err := w.entry(c)
		if err != nil {
			return err
		}
		if w.written[key] == text {
			continue
		}
		w.written[key] = text
		if w.options.Output == "" || w.options.Output == "wide" {
			text = time.Now().UTC().Format(time.RFC3339) + " " + text
		}
		if _, err := fmt.Fprintln(w.screen.Out, text); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) entry(c *v1beta1.Canary) (string, error) {
	switch w.options.Output {
	case "json":
		data, err := json.Marshal(published(c))
		return string(data), err
	case "yaml":
		data, err := yaml.Marshal(published(c))
		return "---\n" + string(data), err
	default:
		return changeLine(c), nil
	}
}

// changeLine is a Canary in a line of a log.
func changeLine(c *v1beta1.Canary) string {
	text := fmt.Sprintf("%s/%s %s", c.Namespace, c.Name, phase(c))
	if s := stage(c); s != "" {
		text += "/" + string(s)
	}
	if running(c) {
		text += fmt.Sprintf(" %s at %d %%, check %d, failed %s", revision(c), c.Status.CanaryWeight, c.Status.Analysis.Check, failedChecks(c))
	}
	return clean(text + ": " + reason(c))
}

// over reports whether there is nothing more to watch.
func (w *watcher) over() (over bool, err error) {
	if w.options.Name == "" {
		return false, nil
	}
	c := w.one()
	if c == nil {
		return true, fmt.Errorf("canary %s was deleted", w.subject())
	}
	return w.ending.of(c)
}

// ending notices the end of a rollout that was seen under way.
type ending struct{ began bool }

func (e *ending) note(c *v1beta1.Canary) {
	e.began = e.began || running(c) || c.Status.Phase == v1beta1.PhaseFinalising
}

// of reports whether the rollout is over, and as an error that it failed.
func (e *ending) of(c *v1beta1.Canary) (over bool, err error) {
	switch {
	case !e.began:
		return false, nil
	case c.Status.Phase == v1beta1.PhaseFailed:
		return true, fmt.Errorf("the rollout of %s failed: %s", clean(revision(c)), clean(reason(c)))
	default:
		return c.Status.Phase == v1beta1.PhaseSucceeded || c.Status.Phase == v1beta1.PhaseInitialized, nil
	}
}

// history is the canary revision's p99 as it was published.
type history struct {
	revision string
	requests int64
	p99      []float64
}

func (h *history) note(c *v1beta1.Canary) {
	a := c.Status.Analysis
	if a == nil {
		return
	}
	if a.CanaryRevision != h.revision {
		*h = history{revision: a.CanaryRevision}
	}
	if a.Canary == nil || a.Canary.Requests == h.requests {
		return
	}
	h.requests = a.Canary.Requests
	h.p99 = append(h.p99, a.Canary.P99Milliseconds)
	h.p99 = h.p99[max(0, len(h.p99)-sparkColumns):]
}
