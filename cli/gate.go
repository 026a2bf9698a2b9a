package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Gate is a place where rollouts can be made to wait.
type Gate string

// The gates, in the order in which a rollout reaches them.
const (
	RolloutGate         Gate = "rollout"
	TrafficIncreaseGate Gate = "traffic-increase"
	PromotionGate       Gate = "promotion"
)

var gates = []Gate{RolloutGate, TrafficIncreaseGate, PromotionGate}

// hook is the type of the webhooks that are asked at the gate.
func (g Gate) hook() string { return "confirm-" + string(g) }

// GateNames are the names of the gates.
func GateNames() []string {
	names := make([]string, 0, len(gates))
	for _, g := range gates {
		names = append(names, string(g))
	}
	return names
}

// ParseGates reads names of gates; none means all of them.
func ParseGates(names []string) ([]Gate, error) {
	if len(names) == 0 {
		return gates, nil
	}
	var parsed []Gate
	for _, name := range names {
		if !slices.Contains(gates, Gate(name)) {
			return nil, fmt.Errorf("there is no gate %q: the gates are %s", name, strings.Join(GateNames(), ", "))
		}
		parsed = append(parsed, Gate(name))
	}
	return parsed, nil
}

// SetGates opens or closes gates of a Canary, and writes how all of them are
// then. A rollout that waits at one that is opened goes on.
func SetGates(ctx context.Context, c *Cluster, name string, chosen []Gate, closed bool, out io.Writer) error {
	var canary *v1beta1.Canary
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() (err error) {
		if canary, err = c.canary(ctx, name); err != nil {
			return err
		}
		before := canary.DeepCopy()
		setHalt(canary, chosen, closed)
		// Two people who edit the list at once shall not undo each other.
		lock := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if before.Annotations[v1beta1.HaltAnnotation] == canary.Annotations[v1beta1.HaltAnnotation] {
			return nil
		}
		return c.Client.Patch(ctx, canary, lock)
	})
	if err != nil {
		return fmt.Errorf("set gates of %s/%s: %w", c.Namespace, name, err)
	}
	_, err = io.WriteString(out, describeGates(canary))
	return err
}

// setHalt edits the annotation, and drops it when no gate is closed.
func setHalt(canary *v1beta1.Canary, chosen []Gate, closed bool) {
	var words []string
	for _, g := range gates {
		is := canary.Halted(g.hook())
		if slices.Contains(chosen, g) {
			is = closed
		}
		if is {
			words = append(words, string(g))
		}
	}
	if len(words) == 0 {
		delete(canary.Annotations, v1beta1.HaltAnnotation)
		return
	}
	if canary.Annotations == nil {
		canary.Annotations = make(map[string]string)
	}
	canary.Annotations[v1beta1.HaltAnnotation] = strings.Join(words, ",")
}

// describeGates is a line for each gate.
func describeGates(canary *v1beta1.Canary) string {
	var b strings.Builder
	for _, g := range gates {
		state := "open"
		if canary.Halted(g.hook()) {
			state = "closed"
		}
		fmt.Fprintf(&b, "%s %s", pad(string(g), len(TrafficIncreaseGate)), state)
		if hooks := canary.Spec.Analysis.HooksOf(g.hook()); len(hooks) > 0 {
			fmt.Fprintf(&b, ", and hook %s is asked", clean(hooks[0].Name))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
