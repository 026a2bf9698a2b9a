// Command scale measures one daemon with many Canaries on a real control plane
// without containers: `make bench-scale`. Each Service runs a process of some
// 15 MB; a thousand of them want 20 GB.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	out               io.Writer
	canaries, rolling int
	idle              time.Duration // how long nothing happens
	every             time.Duration // between revisions that do not come at once
	serin             string        // the program

	env    *testenv.Env
	daemon *process
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	ctrl.SetLogger(logr.Discard())
	b := &bench{out: out}
	set := flag.NewFlagSet("scale", flag.ContinueOnError)
	set.IntVar(&b.canaries, "canaries", 1000, "Canaries, each with a Service")
	set.IntVar(&b.rolling, "rolling", 20, "of them that roll out at once")
	set.DurationVar(&b.idle, "idle", 2*time.Minute, "how long nothing happens")
	set.DurationVar(&b.every, "every", 3*time.Second, "pause between revisions that do not come at once")
	set.StringVar(&b.serin, "serin", "bin/serin", "the serin program")
	crds := set.String("crds", "chart/crds", "folder of Serin's resource definitions")
	if err := set.Parse(args); err != nil {
		return err
	}
	if 2*b.rolling > b.canaries || b.rolling < 1 {
		return fmt.Errorf("-rolling must be between 1 and half of -canaries, not %d", b.rolling)
	}
	b.env, err = testenv.Start(ctx, testenv.Options{CRDs: []string{*crds}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.env.Stop()) }()
	return b.measure(ctx)
}

func (b *bench) measure(ctx context.Context) error {
	begin := time.Now()
	if err := b.createServices(ctx); err != nil {
		return err
	}
	b.printf("%d Services were ready after %s\n", b.canaries, time.Since(begin).Round(time.Second))
	var err error
	if b.daemon, err = startDaemon(ctx, b.serin, b.env); err != nil {
		return err
	}
	defer b.daemon.stop()
	begin = time.Now()
	if err := b.createCanaries(ctx); err != nil {
		return err
	}
	b.printf("%d Canaries were initialized after %s\n\n", b.canaries, time.Since(begin).Round(time.Second))
	b.printf("| %d Canaries | CPU, of a core | memory, most | API requests a minute |\n|---|---|---|---|\n", b.canaries)
	// What has changed at the end is still being told by the watches.
	if _, err := b.over(ctx, 10*time.Second, nil); err != nil {
		return err
	}
	idle, err := b.over(ctx, b.idle, nil)
	if err != nil {
		return err
	}
	b.row("idle", idle)
	from := 0
	var atOnce, inTurn *times
	for _, run := range []struct {
		what  string
		pause time.Duration
		into  **times
	}{{"all at once", 0, &atOnce}, {fmt.Sprintf("one every %s", b.every), b.every, &inTurn}} {
		used, err := b.over(ctx, 0, func() (err error) {
			*run.into, err = b.rollOut(ctx, from, run.pause)
			return err
		})
		if err != nil {
			return err
		}
		from += b.rolling
		b.row(fmt.Sprintf("%d rolling out, %s, 10 requests/s to each revision", b.rolling, run.what), used)
	}
	b.table(fmt.Sprintf("%d revisions at once", b.rolling), atOnce)
	b.table(fmt.Sprintf("%d revisions, one every %s", b.rolling, b.every), inTurn)
	return nil
}

// table shows how long the parts of the rollouts took.
func (b *bench) table(what string, t *times) {
	b.printf("\n| %s | p50 | p99 |\n|---|---|---|\n", what)
	for _, line := range []struct {
		what string
		took []time.Duration
	}{
		{"created until detected", t.between(t.created, t.detected)},
		{"created until Knative says that it is ready", t.between(t.created, t.ready)},
		{"ready until its first session, Knative's Route included", t.between(t.ready, t.measured)},
		{"created until its first session", t.between(t.created, t.measured)},
	} {
		b.printf("| %s | %s | %s |\n", line.what, quantile(line.took, 0.5), quantile(line.took, 0.99))
	}
}

func (b *bench) printf(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format, args...) }

func (b *bench) row(what string, u usage) {
	b.printf("| %s | %.1f %% | %.0f MB | %.0f |\n", what, 100*u.cpu, u.memory, u.requests)
}
