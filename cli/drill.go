package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Drill is a rehearsal: a rollout that is under way meets a fault, and should
// stop. Nothing happens to the workload; the fault is in Serin's own requests.
type Drill struct {
	Name string
	// Wait is how long a rollout that can be tried is waited for.
	Wait time.Duration
	// Within is how soon it should stop.
	Within time.Duration
	Fault  FaultFlags
	// Output is text or json; empty is text.
	Output string
}

// Rehearsal is what came of a drill.
type Rehearsal struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Revision  string `json:"revision"`
	Fault     Fault  `json:"fault"`
	// Stopped says whether the rollout was rolled back, in time and under the
	// fault.
	Stopped bool `json:"stopped"`
	// StoppedAfterSeconds is the time from the first request that met the fault
	// to the decision to roll back.
	StoppedAfterSeconds float64 `json:"stoppedAfterSeconds,omitempty"`
	// Reason is why it stopped, or why the drill ended without that.
	Reason string `json:"reason"`
	// Hits is how many requests met the fault.
	Hits int64 `json:"hits"`
}

const (
	// hitsLook is how often the daemon is asked whether a request has met the
	// fault, until one has, and gone how often whether the fault still is.
	hitsLook = 250 * time.Millisecond
	goneLook = 2 * time.Second
	// overhang is how much longer than the drill the fault is set to last, if
	// nobody is left to end it.
	overhang = 10 * time.Second
	// endPatience is how long the end of the fault is tried for.
	endPatience = 20 * time.Second
)

// Validate reports what the drill cannot be held with.
func (d *Drill) Validate() error {
	switch {
	case d.Output != "" && d.Output != "json":
		return fmt.Errorf("--output must be json, not %q", d.Output)
	case d.Within <= 0:
		return fmt.Errorf("--within must be longer than nothing, not %s", d.Within)
	case d.Wait <= 0:
		return fmt.Errorf("--wait must be longer than nothing, not %s", d.Wait)
	}
	_, err := d.fault("")
	return err
}

// fault is the rule; it ends by itself where nobody is left to end it.
func (d *Drill) fault(namespace string) (Fault, error) {
	flags := d.Fault
	flags.For = d.Within + overhang
	return flags.Fault(namespace, d.Name)
}

// Run holds the drill and writes what came of it. Its error is nil only if the
// rollout stopped. The fault has ended when Run returns, also when ctx has.
func (d *Drill) Run(ctx context.Context, c *Cluster, daemon *Daemon, out io.Writer) error {
	if err := d.Validate(); err != nil {
		return err
	}
	fault, err := d.fault(c.Namespace)
	if err != nil {
		return err
	}
	canary, err := d.await(ctx, c, out)
	if err != nil {
		return err
	}
	run := &rehearsal{cluster: c, daemon: daemon, drill: d, result: Rehearsal{Namespace: c.Namespace, Name: d.Name, Revision: revision(canary)}}
	if err := run.run(ctx, fault, out); err != nil {
		return err
	}
	return run.report(out)
}

// say tells a person what happens; programs wait for the result.
func (d *Drill) say(out io.Writer, format string, args ...any) error {
	if d.Output != "" {
		return nil
	}
	_, err := fmt.Fprintln(out, clean(fmt.Sprintf(format, args...)))
	return err
}

// await waits for a rollout that is sent requests.
func (d *Drill) await(ctx context.Context, c *Cluster, out io.Writer) (*v1beta1.Canary, error) {
	canary, err := c.canary(ctx, d.Name)
	if err != nil || measured(canary) {
		return canary, err
	}
	if err := d.say(out, "%s/%s is %s: waiting for a rollout that is measured, for %s at most", c.Namespace, d.Name, phaseAndStage(canary), d.Wait); err != nil {
		return nil, err
	}
	canary, err = c.await(ctx, d.Name, d.Wait, measured)
	if errors.Is(err, errLate) {
		return nil, fmt.Errorf("no rollout of %s/%s was measured within %s: push a revision, or look at %s status %s -n %s", c.Namespace, d.Name, d.Wait, c.Program, d.Name, c.Namespace)
	}
	return canary, err
}

// measured reports whether requests are sent to the canary revision, and judged.
func measured(c *v1beta1.Canary) bool {
	if !running(c) || c.Paused() || c.Spec.Suspend || c.DeletionTimestamp != nil {
		return false
	}
	switch stage(c) {
	case v1beta1.StageMeasuring, v1beta1.StageConfirmTrafficIncrease, v1beta1.StageConfirmPromotion, v1beta1.StageWatching:
		return true
	default:
		return false
	}
}

// rehearsal is a drill that is held.
type rehearsal struct {
	cluster *Cluster
	daemon  *Daemon
	drill   *Drill
	result  Rehearsal

	id    string
	began time.Time // the fault, by the daemon's clock
	local time.Time // the same instant by ours
	hit   time.Time // when a request met it first, by the daemon's clock; zero for never
}

// run begins the fault, sees what happens, and ends the fault.
func (r *rehearsal) run(ctx context.Context, fault Fault, out io.Writer) (err error) {
	// Ctrl-C shall not come between the fault and its id.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	added, err := r.daemon.Add(whole, fault)
	if err != nil {
		return err
	}
	r.result.Fault, r.id = *added, added.ID
	r.local = time.Now()
	r.began = r.local
	if added.Started != nil {
		r.began = *added.Started
	}
	defer func() { err = errors.Join(err, r.end(ctx)) }()
	if err := r.drill.say(out, "%s: %s, until it stops or for %s", r.result.Revision, added, r.drill.Within); err != nil {
		return err
	}
	return r.watch(ctx)
}

// end ends the fault, whatever has ended already. One that the daemon does not
// know has ended.
func (r *rehearsal) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	defer r.daemon.Close()
	if last, err := r.daemon.Fault(ctx, r.id); err == nil {
		r.result.Hits = last.Hits
	}
	err := r.daemon.End(ctx, r.id)
	if _, gone := errors.AsType[goneError](err); err == nil || gone {
		return nil
	}
	return fmt.Errorf("fault %s may still act, until %s after it began: %w", r.id, r.result.Fault.Duration, err)
}

// watch follows the rollout until its end, that of the fault, or that of the
// time.
func (r *rehearsal) watch(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, r.drill.Within)
	var wg sync.WaitGroup
	var gone error
	wg.Go(func() {
		gone = r.watchFault(bounded)
		if gone != nil {
			cancel()
		}
	})
	var over string
	var decided time.Time
	err := follow(bounded, r.cluster.Client, &v1beta1.CanaryList{}, func(now []*v1beta1.Canary, lost error) bool {
		now = named(now, func(c *v1beta1.Canary) string { return c.Name }, r.drill.Name)
		switch {
		case lost != nil:
			return false
		case len(now) == 0:
			over = "the canary was deleted"
			return true
		case !now[0].Ours():
			over = checkOurs(now[0]).Error()
			return true
		}
		over, decided = r.judge(now[0])
		return over != "" || !decided.IsZero()
	}, r.cluster.one(r.drill.Name)...)
	cancel()
	wg.Wait()
	switch {
	case !decided.IsZero():
		r.stopped(decided)
	case ctx.Err() != nil:
		return errors.New("the drill was interrupted")
	case over != "":
		r.result.Reason = over
	case gone != nil:
		r.result.Reason = gone.Error()
	case errors.Is(err, context.DeadlineExceeded):
		r.result.Reason = fmt.Sprintf("the rollout did not stop within %s", r.drill.Within)
	default:
		return r.cluster.explain(r.drill.Name, err)
	}
	return nil
}

// watchFault notes when the fault is met first, and returns an error when it has
// ended too soon.
func (r *rehearsal) watchFault(ctx context.Context) error {
	for pause := hitsLook; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		now, err := r.daemon.Fault(ctx, r.id)
		if _, gone := errors.AsType[goneError](err); gone {
			return fmt.Errorf("fault %s ended before the rollout stopped: the daemon was restarted, or somebody ended it", r.id)
		}
		if err != nil {
			continue // the next look may reach it
		}
		r.result.Hits = now.Hits
		if r.hit.IsZero() && now.Hits > 0 {
			r.hit = r.began.Add(time.Since(r.local))
			pause = goneLook
		}
	}
}

// judge says why there is nothing more to see, or when it was decided to roll
// back.
func (r *rehearsal) judge(c *v1beta1.Canary) (over string, decided time.Time) {
	a := c.Status.Analysis
	switch {
	case a == nil || a.CanaryRevision != r.result.Revision:
		return fmt.Sprintf("%s was replaced before it stopped", r.result.Revision), time.Time{}
	case rollingBack(c) || c.Status.Phase == v1beta1.PhaseFailed:
		r.result.Reason = fmt.Sprintf("Rolling back %s.%s %s", c.Name, c.Namespace, reason(c))
		if a.DecisionTime != nil {
			return "", a.DecisionTime.Time
		}
		return "", r.began.Add(time.Since(r.local))
	case !running(c):
		return fmt.Sprintf("%s is %s: the rollout did not stop", r.result.Revision, phase(c)), time.Time{}
	default:
		return "", time.Time{}
	}
}

// stopped counts from the first request that met the fault, or, where none was
// seen, from the fault's beginning. What is decided before the fault is not the
// drill's doing.
func (r *rehearsal) stopped(decided time.Time) {
	since := r.hit
	if since.IsZero() {
		since = r.began
	}
	if decided.Before(r.began) {
		r.result.Reason = "the rollout had stopped before the fault began: " + r.result.Reason
		return
	}
	r.result.Stopped = true
	r.result.StoppedAfterSeconds = max(decided.Sub(since).Seconds(), 0)
}

// report writes the result, and returns an error where it is not the wanted
// one.
func (r *rehearsal) report(out io.Writer) error {
	if r.drill.Output == "json" {
		if err := write(out, &r.result, "json"); err != nil {
			return err
		}
	}
	if !r.result.Stopped {
		return fmt.Errorf("drill of %s: %s; %d requests met the fault, which has ended", clean(r.result.Revision), clean(r.result.Reason), r.result.Hits)
	}
	from := "first failing request"
	if r.hit.IsZero() {
		from = "beginning of the fault"
	}
	if err := r.drill.say(out, "the rollout stopped %.1f s after the %s: %s", r.result.StoppedAfterSeconds, from, r.result.Reason); err != nil {
		return err
	}
	return r.drill.say(out, "%d requests met the fault, which has ended", r.result.Hits)
}
