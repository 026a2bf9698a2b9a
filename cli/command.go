package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Wait says how long to wait for the daemon to take a command up; not at all
// where it is 0.
type Wait struct{ For time.Duration }

// refusalPatience is how long after the daemon has dropped a command its event
// is waited for.
const refusalPatience = 3 * time.Second

// errLate ends a wait that was in vain.
var errLate = errors.New("not in time")

// Do gives a command about the rollout of a Canary, and writes what has come of
// it. It is refused when there is nothing that it could be about.
func Do(ctx context.Context, c *Cluster, verb Verb, name string, wait Wait, out io.Writer) error {
	canary, err := c.canary(ctx, name)
	if err != nil {
		return err
	}
	annotation, value, err := canary.Give(string(verb), time.Now())
	if err != nil {
		return fmt.Errorf("cannot %s %s/%s: %s", verb, c.Namespace, name, clean(err.Error()))
	}
	before := versions(c.recent(ctx, name))
	target := revision(canary)
	if err := c.annotate(ctx, name, annotation, value); err != nil {
		return err
	}
	if wait.For <= 0 {
		_, err := fmt.Fprintf(out, "%s of %s is asked for\n", verb, clean(target))
		return err
	}
	last, err := c.await(ctx, name, wait.For, func(now *v1beta1.Canary) bool {
		return now.Status.Commands[annotation] == *value || movedOn(now, target)
	})
	if errors.Is(err, errLate) {
		return fmt.Errorf("%s of %s is asked for, but was not taken up within %s: %s", verb, clean(target), wait.For, clean(verb.delay(last)))
	}
	if err != nil {
		return err
	}
	if said := verb.outcome(last, target); said != "" {
		_, err := fmt.Fprintln(out, clean(said))
		return err
	}
	return c.refused(ctx, verb, last, target, before)
}

// movedOn reports whether the Canary is about another revision now.
func movedOn(now *v1beta1.Canary, target string) bool {
	return revision(now) != target && now.Status.LastAppliedSpec != target
}

// annotate sets or removes one annotation, and nothing else: no version is
// given, as it holds whatever else was written meanwhile.
func (c *Cluster) annotate(ctx context.Context, name, annotation string, value *string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]*string{annotation: value}}})
	if err != nil {
		return fmt.Errorf("annotate %s: %w", name, err)
	}
	canary := new(v1beta1.Canary)
	canary.Namespace, canary.Name = c.Namespace, name
	return c.explain(name, c.Client.Patch(ctx, canary, client.RawPatch(types.MergePatchType, patch)))
}

// await returns the Canary once it is so, and with errLate as it is when it was
// not so in time.
func (c *Cluster) await(ctx context.Context, name string, within time.Duration, so func(*v1beta1.Canary) bool) (last *v1beta1.Canary, err error) {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	last = new(v1beta1.Canary)
	gone := false
	err = follow(bounded, c.Client, &v1beta1.CanaryList{}, func(now []*v1beta1.Canary, lost error) bool {
		now = named(now, func(c *v1beta1.Canary) string { return c.Name }, name)
		if gone = len(now) == 0 && lost == nil; gone || len(now) == 0 {
			return gone
		}
		last = now[0]
		return !last.Ours() || so(last)
	}, c.one(name)...)
	switch {
	case gone:
		return nil, fmt.Errorf("canary %s/%s was deleted", c.Namespace, name)
	case err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return last, errLate
	case err != nil:
		return last, c.explain(name, err)
	default:
		return last, checkOurs(last)
	}
}

// refused finds the event in which the daemon says why it dropped a command.
func (c *Cluster) refused(ctx context.Context, verb Verb, canary *v1beta1.Canary, target string, before map[types.UID]string) error {
	ctx, cancel := context.WithTimeout(ctx, refusalPatience)
	defer cancel()
	why := fmt.Sprintf("%s is %s now", canary.Name, phaseAndStage(canary))
	if movedOn(canary, target) {
		why = fmt.Sprintf("%s has been replaced by %s meanwhile", target, revision(canary))
	}
	// Whoever may not read events is told what the status says.
	_ = follow(ctx, c.Client, &corev1.EventList{}, func(now []*corev1.Event, _ error) bool {
		for _, e := range now {
			if e.InvolvedObject.Name == canary.Name && before[e.UID] != e.ResourceVersion &&
				strings.HasPrefix(e.Message, "Ignoring annotation "+verb.annotation()+":") {
				why = e.Message
				return true
			}
		}
		return false
	}, c.eventsOf(canary.Name)...)
	return fmt.Errorf("%s of %s was refused: %s", verb, clean(target), clean(why))
}

// versions tells events that were there before from newer ones. Clocks could
// not: the daemon has another.
func versions(events []*corev1.Event) map[types.UID]string {
	seen := make(map[types.UID]string, len(events))
	for _, e := range events {
		seen[e.UID] = e.ResourceVersion
	}
	return seen
}
