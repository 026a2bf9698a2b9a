package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// StatusOptions say what of the rollouts is shown, and how.
type StatusOptions struct {
	// Name of a Canary; empty for all of the namespace, or of all namespaces.
	Name          string
	AllNamespaces bool
	// Output is text, wide, json or yaml; empty is text.
	Output string
	// Watch goes on until ctx has ended or, with a Name, until a rollout has.
	Watch bool
	// Timeout bounds a Watch; 0 for no bound.
	Timeout time.Duration
}

// Validate reports what does not go together.
func (o StatusOptions) Validate() error {
	switch o.Output {
	case "", "wide", "json", "yaml":
	default:
		return fmt.Errorf("--output must be wide, json or yaml, not %q", o.Output)
	}
	switch {
	case o.Name != "" && o.AllNamespaces:
		return fmt.Errorf("a name is of one namespace: leave out %q or -A", o.Name)
	case o.Timeout < 0 || o.Timeout > 0 && !o.Watch:
		return fmt.Errorf("--timeout bounds --watch, and must not be negative")
	}
	return nil
}

// Status shows where rollouts are. With Watch and a Name its error tells
// whether the rollout failed.
func Status(ctx context.Context, c *Cluster, s Screen, o StatusOptions) error {
	if err := o.Validate(); err != nil {
		return err
	}
	switch {
	case o.Watch:
		return watchStatus(ctx, c, s, o)
	case o.Name == "":
		return listStatus(ctx, c, s, o)
	default:
		return oneStatus(ctx, c, s, o)
	}
}

func listStatus(ctx context.Context, c *Cluster, s Screen, o StatusOptions) error {
	var list v1beta1.CanaryList
	if err := c.Client.List(ctx, &list, o.selected(c)...); err != nil {
		return c.explain("", err)
	}
	items := onlyOurs(list.Items)
	canaries := make([]*v1beta1.Canary, 0, len(items))
	for i := range items {
		canaries = append(canaries, &items[i])
	}
	if o.Output == "json" || o.Output == "yaml" {
		return writeList(s.Out, canaries, o.Output)
	}
	if len(canaries) == 0 {
		_, err := fmt.Fprintln(s.Out, o.nothing(c))
		return err
	}
	return s.show(table(canaries, o.table(), time.Now()))
}

func oneStatus(ctx context.Context, c *Cluster, s Screen, o StatusOptions) error {
	canary, err := c.canary(ctx, o.Name)
	if err != nil {
		return err
	}
	if o.Output == "json" || o.Output == "yaml" {
		return writeObject(s.Out, canary, o.Output)
	}
	columns, _ := s.size()
	p := canaryPage(canary, c.recent(ctx, canary.Name), nil, view{program: c.Program, now: time.Now(), columns: columns})
	return s.show(p)
}

// selected are list options that select what is shown.
func (o StatusOptions) selected(c *Cluster) []client.ListOption {
	switch {
	case o.Name != "":
		return c.one(o.Name)
	case o.AllNamespaces:
		return nil
	default:
		return []client.ListOption{client.InNamespace(c.Namespace)}
	}
}

func (o StatusOptions) table() tableOptions {
	return tableOptions{namespaces: o.AllNamespaces, wide: o.Output == "wide"}
}

func (o StatusOptions) nothing(c *Cluster) string {
	if o.AllNamespaces {
		return "There are no canaries."
	}
	return fmt.Sprintf("There are no canaries in namespace %q; -A shows those of all namespaces.", c.Namespace)
}

// recent reads the events of a Canary. Who may not read them is shown the page
// without.
func (c *Cluster) recent(ctx context.Context, name string) []*corev1.Event {
	var list corev1.EventList
	if err := c.Client.List(ctx, &list, c.eventsOf(name)...); err != nil {
		return nil
	}
	events := make([]*corev1.Event, 0, len(list.Items))
	for i := range list.Items {
		events = append(events, &list.Items[i])
	}
	return events
}

func writeList(out io.Writer, canaries []*v1beta1.Canary, format string) error {
	list := v1beta1.CanaryList{Items: []v1beta1.Canary{}}
	list.TypeMeta = metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "CanaryList"}
	for _, c := range canaries {
		list.Items = append(list.Items, *published(c))
	}
	return write(out, &list, format)
}

func writeObject(out io.Writer, canary *v1beta1.Canary, format string) error {
	return write(out, published(canary), format)
}

// published is a Canary as kubectl shows it: with its kind, and without the
// record of who wrote which field.
func published(canary *v1beta1.Canary) *v1beta1.Canary {
	c := canary.DeepCopy()
	c.TypeMeta = metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "Canary"}
	c.ManagedFields = nil
	return c
}
