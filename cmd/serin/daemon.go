package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/daemon"
	"github.com/serin-dev/serin/daemon/alert"
)

func newDaemon() *cobra.Command {
	var config daemon.Config
	var global alert.Provider
	var kubeconfig, logLevel, logFormat string
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Roll out new revisions of the Knative Services that have a Canary",
		Long: `Roll out new revisions of the Knative Services that have a Canary.

The daemon watches Canaries (flagger.app/v1beta1), sends both revisions of a
Service the same requests, and moves the live traffic by what it measures. It
ends with SIGTERM or SIGINT; the next one goes on where it stopped.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(cmd, logLevel, logFormat)
			if err != nil {
				return err
			}
			// What Kubernetes' libraries log through their global loggers.
			ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
			klog.SetSlogLogger(log)
			config.Log = log
			forgetOwnProxy(config.Tap)
			cluster, namespace, err := findCluster(kubeconfig)
			if err != nil {
				return err
			}
			config.Cluster, config.Version = cluster, version()
			if global.Type != "" {
				// Whoever has the address may post there, so it is no flag.
				global.Address, global.Token = os.Getenv("SERIN_ALERT_ADDRESS"), os.Getenv("SERIN_ALERT_TOKEN")
				config.Alert = &global
			}
			if config.LeaseNamespace == "" {
				config.LeaseNamespace = namespace
			}
			return daemon.Run(cmd.Context(), config)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig file (default $KUBECONFIG, then the pod's ServiceAccount, then ~/.kube/config)")
	flags.StringSliceVarP(&config.Namespaces, "namespace", "n", nil, "serve only these namespaces (default all)")
	flags.StringVar(&config.Gateway, "gateway", "", "reach revisions through this ingress, host:port (default: by their names in the cluster)")
	flags.StringVar(&config.Listen, "listen", "127.0.0.1:8080", "serve the page, the API, hooks, health and metrics on this host:port")
	flags.StringVar(&config.Tap, "tap", defaultTap, "measure requests by hand that come through a proxy on this host:port, on loopback; empty for none")
	flags.StringVar(&config.Hooks, "hooks", daemon.HooksOpen, "who may use the load tester's contract: open, token (who may patch the Canary) or off")
	flags.StringVar(&config.Loopback, "loopback", daemon.LoopbackOpen, "what it takes to change something over loopback: open (nothing) or token")
	flags.Float64Var(&config.MaxRate, "max-rate", 1000, "requests a second that all its loads may send together")
	addTargets(flags, &config)
	flags.StringSliceVar(&config.AllowExec, "allow-exec", nil, "programs that it may run, by absolute path, without a shell (default none)")
	flags.StringVar(&config.Reports, "reports", "", "keep the pages of rollouts below this folder (default: in a ConfigMap of each Canary)")
	flags.IntVar(&config.KeepReports, "keep-reports", 5, "pages to keep of each Canary")
	flags.BoolVar(&config.LeaderElection, "leader-elect", true, "let one of several daemons work at a time")
	flags.StringVar(&config.LeaseNamespace, "lease-namespace", "", "namespace of the Lease for it (default the pod's own, or the kubeconfig's current one)")
	flags.StringVar(&config.KnativeNamespace, "knative-namespace", "knative-serving", "namespace of Knative's configuration")
	flags.StringVar(&global.Type, "alert-type", "", "tell slack, msteams, discord, rocket, gchat or webhook of Canaries without alerts; its address is in $SERIN_ALERT_ADDRESS, a token in $SERIN_ALERT_TOKEN")
	flags.StringVar(&global.Channel, "alert-channel", "", "channel of --alert-type")
	flags.StringVar(&global.Username, "alert-username", "", "user name of --alert-type")
	flags.StringVar(&global.Proxy, "alert-proxy", "", "proxy of --alert-type")
	flags.StringVar((*string)(&global.Severity), "alert-severity", "", "send only warn and error, or only error (default info: all)")
	flags.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&logFormat, "log-format", "text", "text or json")
	return cmd
}

// addTargets adds the flags that say where connections may go.
func addTargets(flags *pflag.FlagSet, config *daemon.Config) {
	flags.StringSliceVar(&config.AllowTargets, "allow-target", nil, "hosts that its loads may go to besides the Services of Canaries: names, or *.suffix")
	flags.StringSliceVar(&config.DenyTargets, "deny-target", nil, "networks, such as 10.0.0.0/8, that no hook, alert or load may lead to, besides loopback, link-local and metadata addresses")
	flags.StringSliceVar(&config.AllowNetworks, "allow-network", nil, "networks that they may lead to all the same, such as 127.0.0.0/8 on a laptop; never the daemon itself")
}

func newLogger(cmd *cobra.Command, level, format string) (*slog.Logger, error) {
	var options slog.HandlerOptions
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level must be debug, info, warn or error, not %q", level)
	}
	options.Level = parsed
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &options)), nil
	}
	return nil, fmt.Errorf("--log-format must be text or json, not %q", format)
}
