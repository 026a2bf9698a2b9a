//go:build linux

// Command cluster brings up a real Kubernetes with Knative on this machine, and
// takes it down again. See `make cluster-up`, and package testenv/cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/serin-dev/serin/testenv/cluster"
	"github.com/serin-dev/serin/testenv/upstream"
)

const usage = `usage:
  cluster up [-knative VERSION] [ARCHIVE...]   start it, and load the images of the archives
  cluster load ARCHIVE...                      load more images
  cluster exec COMMAND [ARG...]                run a command in its network, with KUBECONFIG and SERIN_GATEWAY
  cluster down                                 end it, without a trace`

func main() {
	cluster.Inside(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	command, args := args[0], args[1:]
	switch {
	case command == "up":
		return up(ctx, args)
	case command == "load" && len(args) > 0:
		return cluster.Load(ctx, args)
	case command == "exec" && len(args) > 0:
		return cluster.Exec(args)
	case command == "down" && len(args) == 0:
		return cluster.Down(ctx)
	}
	return errors.New(usage)
}

func up(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("cluster up", flag.ContinueOnError)
	knative := flags.String("knative", "", "version of Knative Serving: "+strings.Join(upstream.KnativeVersions(), " or "))
	if err := flags.Parse(args); err != nil {
		return err
	}
	err := cluster.Up(ctx, cluster.Options{Knative: *knative, Images: flags.Args()})
	if err == nil {
		_, _ = fmt.Fprintln(os.Stdout, "bin/cluster exec kubectl get pods -A   shows what is running; make cluster-down ends it")
	}
	return err
}
