// Command demo tells the whole canary story on one machine: it starts a test
// environment and a Serin daemon as separate processes, and then does what a
// user would do. See `make demo`.
//
// It ends with status 0 only when one revision was promoted and two were
// rolled back, each for its own reason.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	ctrl.SetLogger(logr.Discard())
	var b binaries
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&b.testenv, "testenv", "bin/testenv", "the testenv program")
	flags.StringVar(&b.serin, "serin", "bin/serin", "the serin program")
	crds := flags.String("crds", "chart/crds", "folder of Serin's resource definition")
	examples := flags.String("examples", "examples/podinfo", "folder of the Service and the Canary")
	if err := flags.Parse(args); err != nil {
		return err
	}
	start := time.Now()
	out := narrator{stdout}
	out.say("Serin's demo: a real Knative on this machine, a real Canary, one promotion and two rollbacks.")

	stage, err := raise(ctx, out, b, *crds, stderr)
	if err != nil {
		return err
	}
	defer stage.fall()
	results, err := play(ctx, out, stage, *examples)
	if err != nil {
		return fmt.Errorf("%w\nthe daemon's log ends:\n%s", err, stage.daemonLog())
	}
	out.table(results)
	out.say("\nThe demo took %s.", time.Since(start).Round(time.Second))
	return judge(results)
}
