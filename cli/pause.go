package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// SetPaused holds the rollouts of a Canary where they are, or lets them go on,
// and writes what has come of it.
func SetPaused(ctx context.Context, c *Cluster, name string, pause bool, wait Wait, out io.Writer) error {
	canary, err := c.canary(ctx, name)
	if err != nil {
		return err
	}
	verb, yes := "resume", "true"
	value := (*string)(nil)
	if pause {
		verb, value = "pause", &yes
	}
	if canary.Paused() != pause {
		if err := c.annotate(ctx, name, v1beta1.PauseAnnotation, value); err != nil {
			return err
		}
		if wait.For > 0 && holdable(canary) {
			canary, err = c.await(ctx, name, wait.For, func(now *v1beta1.Canary) bool {
				return pausedNow(now) == pause || !holdable(now)
			})
		}
		if errors.Is(err, errLate) {
			return fmt.Errorf("%s of %s/%s is asked for, but was not taken up within %s: is the daemon running?", verb, c.Namespace, name, wait.For)
		}
		if err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(out, clean(pauseText(canary, pause)))
	return err
}

// holdable reports whether a pause would hold anything now.
func holdable(c *v1beta1.Canary) bool { return running(c) && !rollingBack(c) && !c.Spec.Suspend }

// pausedNow reports whether the daemon has seen the pause.
func pausedNow(c *v1beta1.Canary) bool {
	return c.Status.Analysis != nil && strings.HasPrefix(c.Status.Analysis.Message, "paused by annotation")
}

func pauseText(c *v1beta1.Canary, pause bool) string {
	switch {
	case pause && holdable(c):
		return fmt.Sprintf("%s is held at %d %% (%s)", revision(c), c.Status.Analysis.Weight, stage(c))
	case pause && rollingBack(c):
		return fmt.Sprintf("%s is paused; the rollback that is under way is not held", c.Name)
	case pause:
		return fmt.Sprintf("%s is paused; no rollout is under way, and the next one is held at its start", c.Name)
	case holdable(c):
		return fmt.Sprintf("%s goes on at %d %% (%s)", revision(c), c.Status.Analysis.Weight, stage(c))
	default:
		return fmt.Sprintf("%s is not paused", c.Name)
	}
}
