package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/serin-dev/serin/cli"
)

// completionTimeout bounds how long a shell waits for names.
const completionTimeout = 2 * time.Second

// user is which cluster a person means, as with kubectl.
type user struct {
	program   string
	rules     *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
	loader    clientcmd.ClientConfig
}

// newUser gives a command kubectl's flags. Only --server and --token are not
// the API server's: they are the daemon's.
func newUser(cmd *cobra.Command, program string) *user {
	u := &user{program: program, rules: clientcmd.NewDefaultClientConfigLoadingRules()}
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ClusterOverrideFlags.APIServer.LongName = ""
	names.ClusterOverrideFlags.DisableCompression.LongName = ""
	names.AuthOverrideFlags.Token.LongName = ""
	names.AuthOverrideFlags.Username.LongName = ""
	names.AuthOverrideFlags.Password.LongName = ""
	flags := cmd.PersistentFlags()
	flags.StringVar(&u.rules.ExplicitPath, "kubeconfig", "", "kubeconfig file (default $KUBECONFIG, then ~/.kube/config)")
	clientcmd.BindOverrideFlags(&u.overrides, flags, names)
	hideAllBut(flags, "kubeconfig", "context", "namespace")
	u.loader = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(u.rules, &u.overrides)
	return u
}

// hideAllBut keeps the help short: the flags work all the same.
func hideAllBut(flags *pflag.FlagSet, shown ...string) {
	flags.VisitAll(func(f *pflag.Flag) { f.Hidden = true })
	for _, name := range shown {
		flags.Lookup(name).Hidden = false
	}
}

// connect finds the cluster.
func (u *user) connect() (*cli.Cluster, error) {
	// What Kubernetes' libraries say of connections that come and go would be
	// written into the page.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	cluster, err := cli.Connect(u.loader, u.program)
	if err != nil {
		return nil, err
	}
	cluster.Config.UserAgent = "serin/" + version()
	return cluster, nil
}

// namespace is known without a cluster.
func (u *user) namespace() (string, error) {
	namespace, _, err := u.loader.Namespace()
	if clientcmd.IsEmptyConfig(err) {
		return "default", nil
	}
	if err != nil {
		return "", fmt.Errorf("find the current namespace: %w", err)
	}
	return namespace, nil
}

// canaries completes the first argument with the names of Canaries, and what
// follows with the given words.
func (u *user) canaries(then ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return then, cobra.ShellCompDirectiveNoFileComp
		}
		cluster, err := u.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := contextWithin(cmd, completionTimeout)
		defer cancel()
		names, err := cluster.Names(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// screen is where the command's pages are shown.
func screen(cmd *cobra.Command) cli.Screen { return cli.ScreenOf(cmd.OutOrStdout(), os.Getenv) }

// waitFlags say how long a command waits for the daemon.
func waitFlags(flags *pflag.FlagSet) func() cli.Wait {
	wait := flags.Bool("wait", true, "wait until the daemon has taken it up")
	timeout := flags.Duration("timeout", 10*time.Second, "how long to wait for that")
	return func() cli.Wait {
		if !*wait {
			return cli.Wait{}
		}
		return cli.Wait{For: *timeout}
	}
}

// outputFlag is -o with its words.
func outputFlag(cmd *cobra.Command, to *string, words ...string) {
	cmd.Flags().StringVarP(to, "output", "o", "", "print as "+strings.Join(words, " or "))
	// The only error is a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}
