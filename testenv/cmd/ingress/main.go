// Command ingress is the ingress of a test environment as a program of its own,
// for a cluster with pods: see testenv/cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/serin-dev/serin/testenv/ingress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ingress:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("ingress", flag.ContinueOnError)
	listen := flags.String("listen", ":8080", "address for requests")
	probes := flags.String("probes", ":8081", "address that answers /readyz")
	domain := flags.String("domain", "", "name under which pods reach this ingress")
	if err := flags.Parse(args); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	mgr, err := newManager(log, *probes)
	if err != nil {
		return err
	}
	resolve, err := ingress.NewSliceResolver(ctx, mgr, log)
	if err != nil {
		return err
	}
	proxy := ingress.NewProxy(resolve, log)
	if err := (&ingress.Reconciler{Client: mgr.GetClient(), Proxy: proxy, Domain: *domain}).Setup(mgr); err != nil {
		return err
	}
	if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return serve(ctx, *listen, proxy) })); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func newManager(log *slog.Logger, probes string) (manager.Manager, error) {
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), netv1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: probes,
	})
	if err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("cache", func(r *http.Request) error {
		// Waiting is the check: it returns at once where the cache is filled.
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the cache is not filled yet")
		}
		return nil
	})
}

// drain bounds how long requests under way may go on.
const drain = 20 * time.Second

func serve(ctx context.Context, listen string, proxy *ingress.Proxy) error {
	server := ingress.NewServer(proxy)
	server.Addr = listen
	defer proxy.Close()
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		ended <- server.Shutdown(ctx)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
