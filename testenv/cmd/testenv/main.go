// Command testenv leaves a Knative on this machine running until it is
// interrupted. See `make testenv`.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("testenv", flag.ContinueOnError)
	flags.SetOutput(stderr)
	crds := flags.String("crds", "", "comma-separated files or folders of definitions to install besides Knative's")
	verbose := flags.Bool("v", false, "log what node, ingress and admission do")
	if err := flags.Parse(args); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if *verbose {
		log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	options := testenv.Options{Progress: stderr, Log: log}
	if *crds != "" {
		options.CRDs = strings.Split(*crds, ",")
	}
	env, err := testenv.Start(ctx, options)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "export KUBECONFIG=%s\nexport SERIN_GATEWAY=%s\n", env.Kubeconfig, env.Gateway)
	select {
	case <-ctx.Done():
		return env.Stop()
	case err := <-env.Failed():
		_ = env.Stop()
		return err
	}
}
