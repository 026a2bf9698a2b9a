package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/cli"
)

// contextWithin bounds a command's context. Completion has none.
func contextWithin(cmd *cobra.Command, d time.Duration) (context.Context, context.CancelFunc) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithTimeout(ctx, d)
}

func newStatus(program string) *cobra.Command {
	var o cli.StatusOptions
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show where rollouts are, and why",
		Long: `Show where rollouts are, and why.

With --watch it goes on, drawn over on a terminal and with a line for each
change elsewhere, until Ctrl-C. With a NAME it also ends when a rollout does
that it saw under way: with exit status 0 when the revision was promoted, and 1
when it was rolled back. If none is under way it waits for the next one.`,
		Args: atMost(1, "NAME"),
	}
	u := newUser(cmd, program)
	flags := cmd.Flags()
	flags.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "show the canaries of all namespaces")
	flags.BoolVarP(&o.Watch, "watch", "w", false, "go on showing what changes")
	flags.DurationVar(&o.Timeout, "timeout", 0, "end --watch after this time, with exit status 1 (default never)")
	outputFlag(cmd, &o.Output, "wide", "json", "yaml")
	cmd.ValidArgsFunction = u.canaries()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			o.Name = args[0]
		}
		if err := o.Validate(); err != nil {
			return err
		}
		cluster, err := u.connect()
		if err != nil {
			return err
		}
		return cli.Status(cmd.Context(), cluster, screen(cmd), o)
	}
	return cmd
}

// newCommands are the commands about one Canary that have no words of their
// own.
func newCommands(program string) []*cobra.Command {
	do := func(verb cli.Verb) action {
		return func(ctx context.Context, c *cli.Cluster, name string, wait cli.Wait, cmd *cobra.Command) error {
			return cli.Do(ctx, c, verb, name, wait, cmd.OutOrStdout())
		}
	}
	pause := func(pause bool) action {
		return func(ctx context.Context, c *cli.Cluster, name string, wait cli.Wait, cmd *cobra.Command) error {
			return cli.SetPaused(ctx, c, name, pause, wait, cmd.OutOrStdout())
		}
	}
	return []*cobra.Command{
		newCommand(program, "promote", "Promote the revision under way now, without further checks", do(cli.Promote)),
		newCommand(program, "abort", "Roll the revision under way back now", do(cli.Abort)),
		newCommand(program, "rollback", "Put the revision that was promoted before back now, during a rollout or after it", do(cli.Rollback)),
		newCommand(program, "pause", "Hold the rollout where it is", pause(true)),
		newCommand(program, "resume", "Let a paused rollout go on", pause(false)),
		newCommand(program, "retry", "Roll a revision that failed or was rolled back out again", do(cli.Retry)),
		newCommand(program, "approve", "Let the rollout pass the gate at which it waits", do(cli.Approve)),
	}
}

// action is what a command does to one Canary.
type action func(ctx context.Context, c *cli.Cluster, name string, wait cli.Wait, cmd *cobra.Command) error

func newCommand(program, name, short string, act action) *cobra.Command {
	cmd := &cobra.Command{Use: name + " NAME", Short: short, Args: exactly("NAME")}
	u := newUser(cmd, program)
	wait := waitFlags(cmd.Flags())
	cmd.ValidArgsFunction = u.canaries()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cluster, err := u.connect()
		if err != nil {
			return err
		}
		return act(cmd.Context(), cluster, args[0], wait(), cmd)
	}
	return cmd
}

func newGate(program string) *cobra.Command {
	gate := &cobra.Command{
		Use:   "gate",
		Short: "Open or close gates, and approve at them",
		Long: `Open or close gates, and approve at them.

The gates are rollout (before anything is done), traffic-increase (before each
step) and promotion; without a name all are meant. A rollout waits at a closed
one, and its checks go on.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, g := range []struct {
		verb, short string
		closed      bool
	}{{"close", "Let rollouts wait at gates", true}, {"open", "Let rollouts pass gates", false}} {
		cmd := &cobra.Command{Use: g.verb + " NAME [GATE...]", Short: g.short, Args: atLeast("NAME")}
		u := newUser(cmd, program)
		cmd.ValidArgsFunction = u.canaries(cli.GateNames()...)
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			gates, err := cli.ParseGates(args[1:])
			if err != nil {
				return err
			}
			cluster, err := u.connect()
			if err != nil {
				return err
			}
			return cli.SetGates(cmd.Context(), cluster, args[0], gates, g.closed, cmd.OutOrStdout())
		}
		gate.AddCommand(cmd)
	}
	approve := func(ctx context.Context, c *cli.Cluster, name string, wait cli.Wait, cmd *cobra.Command) error {
		return cli.Do(ctx, c, cli.Approve, name, wait, cmd.OutOrStdout())
	}
	gate.AddCommand(newCommand(program, "approve", "Let the rollout pass the gate at which it waits", approve))
	return gate
}

// exactly wants the arguments that the usage names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return fmt.Errorf("%s is missing: %s", names[len(args)], cmd.UseLine())
		}
		return atMost(len(names), names[len(names)-1])(cmd, args)
	}
}

func atMost(n int, last string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return fmt.Errorf("there is nothing after %s, but %q is given: %s", last, args[n], cmd.UseLine())
		}
		return nil
	}
}

func atLeast(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return fmt.Errorf("%s is missing: %s", names[len(args)], cmd.UseLine())
		}
		return nil
	}
}

// noCommand is for commands that only have others.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q: %s --help lists those that there are", args[0], cmd.CommandPath())
	}
	return nil
}
