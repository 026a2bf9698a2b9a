package main

import (
	"fmt"
	"log/slog"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/daemon"
)

func newDaemon() *cobra.Command {
	var config daemon.Config
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
			cluster, namespace, err := findCluster(kubeconfig)
			if err != nil {
				return err
			}
			config.Cluster = cluster
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
	flags.StringVar(&config.Listen, "listen", "127.0.0.1:8080", "serve health, readiness and metrics on this host:port")
	flags.BoolVar(&config.LeaderElection, "leader-elect", true, "let one of several daemons work at a time")
	flags.StringVar(&config.LeaseNamespace, "lease-namespace", "", "namespace of the Lease for it (default the pod's own, or the kubeconfig's current one)")
	flags.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&logFormat, "log-format", "text", "text or json")
	return cmd
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
