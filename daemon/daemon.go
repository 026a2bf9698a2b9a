package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/alert"
	"github.com/serin-dev/serin/daemon/controller"
	"github.com/serin-dev/serin/daemon/hook"
	"github.com/serin-dev/serin/daemon/httpapi"
	"github.com/serin-dev/serin/daemon/metrics"
	"github.com/serin-dev/serin/daemon/session"
)

// Config is what a daemon needs to know.
type Config struct {
	// Cluster is how to reach the API server. Required.
	Cluster *rest.Config
	// Namespaces to serve; empty for all.
	Namespaces []string
	// Gateway is the host:port of the ingress through which revisions are
	// reached; empty to reach them by their names in the cluster.
	Gateway string
	// Listen is the host:port of the HTTP surface. Default 127.0.0.1:8080.
	Listen string
	// LeaderElection lets one of several daemons work at a time, by a Lease
	// named serin in LeaseNamespace.
	LeaderElection bool
	LeaseNamespace string
	// KnativeNamespace is where Knative's configuration is. Default
	// knative-serving.
	KnativeNamespace string
	// Alert is told of rollouts whose Canary has no alerts; nil for nobody.
	Alert *alert.Provider
	// SeveralInOneProcess allows more than one daemon in a process, as tests
	// need it.
	SeveralInOneProcess bool

	// Version is the daemon's own, for a metric.
	Version string

	Log *slog.Logger
}

const (
	defaultListen           = "127.0.0.1:8080"
	defaultKnativeNamespace = "knative-serving"
	leaseName               = "serin"
)

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.KnativeNamespace == "" {
		c.KnativeNamespace = defaultKnativeNamespace
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports, joined, all that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Cluster == nil {
		errs = append(errs, errors.New("no cluster is configured"))
	}
	if c.LeaderElection && c.LeaseNamespace == "" {
		errs = append(errs, errors.New("leader election needs a namespace for its Lease"))
	}
	for name, address := range map[string]string{"gateway": c.Gateway, "listen": c.Listen} {
		if address == "" {
			continue
		}
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			errs = append(errs, fmt.Errorf("%s must be host:port, not %q", name, address))
		}
	}
	return errors.Join(errs...)
}

// Run runs a daemon until ctx ends, and returns when everything it started
// has ended. Rollouts under way are taken up by the next daemon.
func Run(ctx context.Context, config Config) error {
	if err := config.Validate(); err != nil {
		return err
	}
	config = config.withDefaults()
	if err := awaitCluster(ctx, config.Cluster); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("listen for http: %w", err)
	}
	defer func() { _ = listener.Close() }() // the server closes it too
	mgr, err := newManager(config)
	if err != nil {
		return err
	}
	if err := assemble(ctx, mgr, config, listener); err != nil {
		return err
	}
	config.Log.InfoContext(ctx, "serin is starting", "listen", listener.Addr().String(), "gateway", config.Gateway, "namespaces", config.Namespaces)
	return mgr.Start(ctx)
}

func newManager(config Config) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, servingv1.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	options := ctrl.Options{
		Scheme:                        scheme,
		Logger:                        logr.FromSlogHandler(config.Log.Handler()),
		Metrics:                       metricsserver.Options{BindAddress: "0"}, // httpapi serves them
		Cache:                         cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		LeaderElection:                config.LeaderElection,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       config.LeaseNamespace,
		LeaderElectionReleaseOnCancel: true, // Run returns right after
	}
	if len(config.Namespaces) > 0 {
		options.Cache.DefaultNamespaces = make(map[string]cache.Config, len(config.Namespaces))
		for _, n := range config.Namespaces {
			options.Cache.DefaultNamespaces[n] = cache.Config{}
		}
	}
	mgr, err := ctrl.NewManager(config.Cluster, options)
	if err != nil {
		return nil, fmt.Errorf("set up the controller: %w", err)
	}
	return mgr, nil
}

// assemble hands everything that runs to the manager, which owns it from then
// on.
func assemble(ctx context.Context, mgr manager.Manager, config Config, listener net.Listener) error {
	recorder, stopRecorder, err := newRecorder(mgr.GetConfig(), mgr.GetScheme())
	if err != nil {
		return err
	}
	verdicts := make(controller.Verdicts)
	registry := prometheus.NewRegistry()
	recorded := metrics.New(registry, config.Version)
	sessions := session.New(session.Config{Gateway: config.Gateway, Notify: verdicts.Notify, Measured: recorded.Measured, Log: config.Log})
	hooks := hook.New(hook.Config{Notify: verdicts.Notify, Answered: recorded.Hook, Log: config.Log})
	alerts, err := newAlerts(mgr, config)
	if err != nil {
		return err
	}
	reconciler := &controller.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(),
		Recorder: recorder, Sessions: sessions, Hooks: hooks, Alerts: alerts, Metrics: recorded,
		KnativeNamespace: config.KnativeNamespace, Log: config.Log,
	}
	if err := reconciler.Setup(ctx, mgr, verdicts, config.SeveralInOneProcess); err != nil {
		return err
	}
	server := &httpapi.Server{Listener: listener, Metrics: prometheus.Gatherers{ctrlmetrics.Registry, registry}, Log: config.Log, Ready: func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}}
	for _, runnable := range []manager.Runnable{
		server, stopRecorder,
		manager.RunnableFunc(sessions.Run), manager.RunnableFunc(hooks.Run), manager.RunnableFunc(alerts.Run),
	} {
		if err := mgr.Add(runnable); err != nil {
			return fmt.Errorf("set up the daemon: %w", err)
		}
	}
	return nil
}

func newAlerts(mgr manager.Manager, config Config) (*alert.Alerts, error) {
	c := alert.Config{Reader: mgr.GetAPIReader(), Global: config.Alert, Log: config.Log}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	return alert.New(c), nil
}
