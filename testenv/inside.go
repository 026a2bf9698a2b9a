package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	autoscalingv1alpha1 "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/testenv/admission"
	"github.com/serin-dev/serin/testenv/ingress"
	"github.com/serin-dev/serin/testenv/node"
	"github.com/serin-dev/serin/testenv/upstream"
)

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme,
		servingv1.AddToScheme, autoscalingv1alpha1.AddToScheme, netv1alpha1.AddToScheme,
		v1beta1.AddToScheme,
	} {
		utilruntime.Must(add(scheme)) // only a type that is registered twice differently fails
	}
	return scheme
}

// startInside starts what runs in this process: node, ingress and admission.
func (e *Env) startInside(ctx context.Context, programs *upstream.Programs) error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	webhook, err := admission.New(e.dir, ports[0])
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(e.Config, ctrl.Options{
		Scheme:        newScheme(),
		Logger:        logr.FromSlogHandler(e.options.Log.Handler()),
		Metrics:       metricsserver.Options{BindAddress: "0"},
		WebhookServer: webhook.Server(),
		// Several environments may run in one process, and the priority queue
		// leaves a goroutine behind when it stops.
		Controller: config.Controller{SkipNameValidation: new(true), UsePriorityQueue: new(false)},
	})
	if err != nil {
		return fmt.Errorf("set up node and ingress: %w", err)
	}
	if err := mgr.Add(webhook.Server()); err != nil {
		return err
	}
	if err := e.addNode(mgr, programs); err != nil {
		return err
	}
	if err := e.addIngress(mgr); err != nil {
		return err
	}
	e.wg.Go(func() {
		if err := mgr.Start(e.inside); err != nil {
			e.fail(fmt.Errorf("node and ingress: %w", err))
		}
	})
	// The API server must not ask before the webhook answers.
	if err := e.processes[0].Await(ctx, "the admission webhook", func(context.Context) error {
		return webhook.Server().StartedChecker()(nil)
	}); err != nil {
		return err
	}
	return webhook.Install(ctx, e.Client)
}

func (e *Env) addNode(mgr manager.Manager, programs *upstream.Programs) error {
	e.Node = node.New(node.Config{
		Watchdog: e.watchdog, Dir: e.dir,
		Catalogue: node.Catalogue{"podinfo": {
			Path: programs.Podinfo, PortVariables: []string{"PODINFO_PORT"}, Env: []string{"PODINFO_HOST=" + loopback},
		}},
	})
	if err := mgr.Add(manager.RunnableFunc(e.Node.Run)); err != nil {
		return err
	}
	return (&node.Reconciler{Client: mgr.GetClient(), Node: e.Node, Grace: e.options.Grace}).Setup(mgr)
}

func (e *Env) addIngress(mgr manager.Manager) error {
	proxy := ingress.NewProxy(e.Node.Endpoints, e.options.Log)
	proxy.Activating = e.Node.Activating
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return fmt.Errorf("listen for the gateway: %w", err)
	}
	e.Gateway = listener.Addr().String()
	server := ingress.NewServer(proxy)
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stopped()
		defer proxy.Close()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}))
	if err != nil {
		return err
	}
	return (&ingress.Reconciler{Client: mgr.GetClient(), Proxy: proxy, Domain: "gateway.localhost"}).Setup(mgr)
}
