package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/alert"
	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/knative"
	"github.com/serin-dev/serin/daemon/tap"
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
	// Tap is the host:port, on loopback, of the proxy for requests by hand;
	// empty for none.
	Tap string
	// Hooks says who may use the load tester's contract: HooksOpen (the
	// default), HooksToken or HooksOff.
	Hooks string
	// Loopback says what whoever reaches Listen over loopback needs to change
	// something: nothing with LoopbackOpen (the default), or LoopbackToken.
	Loopback string
	// MaxRate is how many requests a second the loads that it starts may send
	// together. Default 1000. AllowTargets are more hosts that they may go to,
	// and AllowExec are programs that it may run, by absolute path.
	MaxRate                 float64
	AllowTargets, AllowExec []string
	// DenyTargets are networks, in CIDR notation, to which no hook, alert or
	// load may lead. AllowNetworks are those to which they may although that is
	// refused by default: loopback and link-local addresses, for example, for a
	// daemon on a laptop. In a pod, whoever is on loopback is somebody inside,
	// so there the default is the safe one, and it is the same everywhere. The
	// daemon's own Listen and Tap are refused in any case. See package egress.
	DenyTargets, AllowNetworks []string
	// Reports is a folder for the pages of rollouts that have ended; empty to
	// keep them in ConfigMaps. KeepReports is how many of each Canary. Default 5.
	Reports     string
	KeepReports int
	// LeaderElection lets one of several daemons work at a time, by a Lease
	// named serin in LeaseNamespace.
	LeaderElection bool
	LeaseNamespace string
	// Identity tells this daemon from others that may serve the same Canaries;
	// of those that differ, one acts. It must outlive the process. Default: the
	// Lease with LeaderElection, which all replicas share, or else the machine's
	// name and Listen.
	Identity string
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

// Who may use the load tester's contract.
const (
	HooksOpen  = "open"  // who reaches the daemon
	HooksToken = "token" // who has the right to patch the Canary
	HooksOff   = "off"   // nobody
)

// What is needed over loopback, where no proxy has forwarded the request.
const (
	LoopbackOpen  = "open"  // nothing
	LoopbackToken = "token" // a token, as elsewhere
)

const (
	defaultListen           = "127.0.0.1:8080"
	defaultKnativeNamespace = "knative-serving"
	defaultKeepReports      = 5
	leaseName               = "serin"
)

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.KnativeNamespace == "" {
		c.KnativeNamespace = defaultKnativeNamespace
	}
	if c.Identity == "" {
		c.Identity = c.defaultIdentity()
	}
	if c.Hooks == "" {
		c.Hooks = HooksOpen
	}
	if c.Loopback == "" {
		c.Loopback = LoopbackOpen
	}
	if c.KeepReports == 0 {
		c.KeepReports = defaultKeepReports
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) defaultIdentity() string {
	if c.LeaderElection {
		return c.LeaseNamespace + "/" + leaseName
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown"
	}
	return machine + "/" + c.Listen
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
	if c.Tap != "" {
		if err := tap.CheckListen(c.Tap); err != nil {
			errs = append(errs, fmt.Errorf("tap %w", err))
		}
	}
	switch c.Hooks {
	case "", HooksOpen, HooksToken, HooksOff:
	default:
		errs = append(errs, fmt.Errorf("hooks must be open, token or off, not %q", c.Hooks))
	}
	switch c.Loopback {
	case "", LoopbackOpen, LoopbackToken:
	default:
		errs = append(errs, fmt.Errorf("loopback must be open or token, not %q", c.Loopback))
	}
	for name, networks := range map[string][]string{"denied target": c.DenyTargets, "allowed network": c.AllowNetworks} {
		if _, err := egress.ParseNetworks(networks); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if c.KeepReports < 0 {
		errs = append(errs, fmt.Errorf("keep reports must not be negative, not %d", c.KeepReports))
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
	doors, err := listen(ctx, config)
	if err != nil {
		return err
	}
	defer doors.close()
	mgr, err := newManager(config)
	if err != nil {
		return err
	}
	house := &house{Config: config, doors: doors, manager: mgr}
	defer house.close()
	if err := house.assemble(ctx); err != nil {
		return err
	}
	config.Log.InfoContext(ctx, "serin is starting", "listen", doors.http.Addr().String(), "gateway", config.Gateway, "namespaces", config.Namespaces)
	return mgr.Start(ctx)
}

// doors are where requests come in.
type doors struct {
	http net.Listener
	tap  net.Listener // nil for none
}

func listen(ctx context.Context, config Config) (d doors, err error) {
	var listener net.ListenConfig
	if d.http, err = listener.Listen(ctx, "tcp", config.Listen); err != nil {
		return d, fmt.Errorf("listen for http: %w", err)
	}
	if config.Tap == "" {
		return d, nil
	}
	if d.tap, err = listener.Listen(ctx, "tcp", config.Tap); err != nil {
		d.close()
		return d, fmt.Errorf("listen for the proxy: %w", err)
	}
	return d, nil
}

// ports are those that the daemon listens on.
func (d doors) ports() (ports []uint16) {
	for _, l := range []net.Listener{d.http, d.tap} {
		if l == nil {
			continue
		}
		if address, ok := l.Addr().(*net.TCPAddr); ok {
			ports = append(ports, uint16(address.Port))
		}
	}
	return ports
}

// close closes what a server may have closed already.
func (d doors) close() {
	_ = d.http.Close()
	if d.tap != nil {
		_ = d.tap.Close()
	}
}

// remarks logs what the API server remarks on a write that it took. That is about
// the user's own template, again and again; whoever applies it is told as well.
type remarks struct{ log *slog.Logger }

func (r remarks) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	if code == 299 && text != "" { // the one code that Kubernetes uses
		r.log.DebugContext(ctx, "the API server remarks", "remark", text)
	}
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
		Cache:                         cache.Options{DefaultTransform: knative.Trim},
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
	cluster := rest.CopyConfig(config.Cluster)
	cluster.WarningHandlerWithContext = remarks{config.Log}
	mgr, err := ctrl.NewManager(cluster, options)
	if err != nil {
		return nil, fmt.Errorf("set up the controller: %w", err)
	}
	return mgr, nil
}
