package main

import (
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/serin-dev/serin/cli"
)

func newFault(program string) *cobra.Command {
	fault := &cobra.Command{
		Use:   "fault",
		Short: "Let Serin's own requests meet faults",
		Long: `Let Serin's own requests meet faults.

Only the requests that Serin sends itself are touched, never those of users. The
daemon is reached at --server or $SERIN_SERVER, or else by a port-forward to its
pod, which needs the right to create pods/portforward.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	u := newUser(fault, program)
	daemon := accessFlags(fault.PersistentFlags(), u)
	fault.AddCommand(newFaultList(u, daemon), newFaultAdd(u, daemon), newFaultEnd(u, daemon))
	return fault
}

// accessFlags say how to reach the daemon.
func accessFlags(flags *pflag.FlagSet, u *user) func() (*cli.Daemon, error) {
	access := cli.Access{InPod: os.Getenv("KUBERNETES_SERVICE_HOST") != ""}
	flags.StringVar(&access.Server, "server", "", "URL of the daemon (default $SERIN_SERVER, then a port-forward to its pod)")
	flags.StringVar(&access.Token, "token", "", "bearer token for the daemon (default the kubeconfig's, for a --server with https)")
	flags.BoolVar(&access.InsecureToken, "insecure-token", false, "send --token over plain http as well")
	flags.StringVar(&access.Namespace, "serin-namespace", "", "namespace of the daemon's pod (default the canary's, then all)")
	return func() (*cli.Daemon, error) {
		if access.Server == "" {
			access.Server = os.Getenv("SERIN_SERVER")
		}
		namespace, err := u.namespace()
		if err != nil {
			return nil, err
		}
		return cli.Reach(access, namespace, u.connect)
	}
}

// faultFlags are what goes wrong.
func faultFlags(flags *pflag.FlagSet, f *cli.FaultFlags) {
	flags.StringVar(&f.Target, "target", "canary", "revision that fails: canary, primary or both")
	flags.Float64Var(&f.Percent, "percent", 100, "percent of the requests that meet the fault")
	flags.StringVar(&f.PathPrefix, "path", "", "only requests whose path begins so")
	flags.IntVar(&f.Status, "status", 0, "answer with this status")
	flags.DurationVar(&f.Delay, "delay", 0, "delay of each answer")
	flags.StringVar(&f.Uniform, "delay-uniform", "", "delay between two durations: 100ms,2s")
	flags.StringVar(&f.Normal, "delay-normal", "", "normally distributed delay, mean and standard deviation: 500ms,100ms")
	flags.StringVar(&f.Pareto, "delay-pareto", "", "Pareto distributed delay, scale and shape: 100ms,1.5")
	flags.BoolVar(&f.Reset, "reset", false, "reset the connection")
	flags.BoolVar(&f.Timeout, "timeout", false, "do not answer")
	flags.BoolVar(&f.Truncate, "truncate", false, "end the answer too soon")
	flags.StringVar(&f.Bandwidth, "bandwidth", "", "bytes a second of an answer: 10kB")
	flags.StringVar(&f.Request, "request", "", "send this request instead: /status/500, or 'POST /status/500'")
}

func newFaultList(u *user, daemon func() (*cli.Daemon, error)) *cobra.Command {
	var output string
	var all bool
	cmd := &cobra.Command{
		Use: "list [NAME]", Aliases: []string{"ls"}, Short: "List the faults of a namespace or a canary",
		Args: atMost(1, "NAME"), ValidArgsFunction: u.canaries(),
		RunE: func(cmd *cobra.Command, args []string) error {
			namespace, err := u.namespace()
			if err != nil {
				return err
			}
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			if all && name != "" {
				return errors.New("a name is of one namespace: leave out the name or -A")
			}
			if all {
				namespace = ""
			}
			d, err := daemon()
			if err != nil {
				return err
			}
			defer d.Close()
			return cli.ListFaults(cmd.Context(), d, namespace, name, output, screen(cmd))
		},
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list the faults of all namespaces")
	outputFlag(cmd, &output, "json", "yaml")
	return cmd
}

func newFaultAdd(u *user, daemon func() (*cli.Daemon, error)) *cobra.Command {
	var f cli.FaultFlags
	var output string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Let the requests to a canary's revisions meet a fault",
		Args: exactly("NAME"), ValidArgsFunction: u.canaries(),
		RunE: func(cmd *cobra.Command, args []string) error {
			namespace, err := u.namespace()
			if err != nil {
				return err
			}
			fault, err := f.Fault(namespace, args[0])
			if err != nil {
				return err
			}
			d, err := daemon()
			if err != nil {
				return err
			}
			defer d.Close()
			return cli.AddFault(cmd.Context(), d, fault, output, cmd.OutOrStdout())
		},
	}
	faultFlags(cmd.Flags(), &f)
	cmd.Flags().DurationVar(&f.For, "for", 5*time.Minute, "how long the fault lasts")
	outputFlag(cmd, &output, "json", "yaml")
	return cmd
}

func newFaultEnd(u *user, daemon func() (*cli.Daemon, error)) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "end ID... | --all [NAME]", Short: "End faults",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !all && len(args) == 0:
				return errors.New("say which: the ids of faults, or --all for those of the namespace or of one canary")
			case all && len(args) > 1:
				return errors.New("--all takes one canary's name at most")
			}
			namespace, err := u.namespace()
			if err != nil {
				return err
			}
			d, err := daemon()
			if err != nil {
				return err
			}
			defer d.Close()
			if !all {
				return cli.EndFaults(cmd.Context(), d, args, cmd.OutOrStdout())
			}
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			return cli.EndAllFaults(cmd.Context(), d, namespace, name, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "end all faults of the namespace, or of a canary")
	return cmd
}

func newDrill(program string) *cobra.Command {
	var drill cli.Drill
	cmd := &cobra.Command{
		Use:   "drill NAME",
		Short: "Rehearse: see a rollout that is under way stop because of a fault",
		Long: `Rehearse: see a rollout that is under way stop because of a fault.

Serin's own requests to the canary revision meet the fault (without a flag:
status 500), until the rollout stops or --within is over. The fault ends with
the drill, in every case. The exit status is 0 when the rollout stopped in time.`,
		Args: exactly("NAME"),
	}
	u := newUser(cmd, program)
	daemon := accessFlags(cmd.Flags(), u)
	faultFlags(cmd.Flags(), &drill.Fault)
	cmd.Flags().DurationVar(&drill.Wait, "wait", 10*time.Minute, "how long to wait for a rollout")
	cmd.Flags().DurationVar(&drill.Within, "within", 5*time.Minute, "how soon the rollout should stop")
	outputFlag(cmd, &drill.Output, "json")
	cmd.ValidArgsFunction = u.canaries()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		drill.Name = args[0]
		if !drill.Fault.Given() {
			drill.Fault.Status = 500
		}
		if err := drill.Validate(); err != nil {
			return err
		}
		d, err := daemon()
		if err != nil {
			return err
		}
		defer d.Close()
		cluster, err := u.connect()
		if err != nil {
			return err
		}
		return drill.Run(cmd.Context(), cluster, d, cmd.OutOrStdout())
	}
	return cmd
}
