package testenv

import (
	"context"
	"fmt"
	"slices"

	"github.com/serin-dev/serin/testenv/manifest"
	"github.com/serin-dev/serin/testenv/process"
	"github.com/serin-dev/serin/testenv/upstream"
)

const (
	knativeNamespace = "knative-serving"
	// ingressClass is what Knative is told to ask for.
	ingressClass = "serin-testenv.ingress.networking.knative.dev"
)

// settings are the values in Knative's ConfigMaps that differ from its own.
var settings = map[string]map[string]string{
	// Else the controller asks the registry for a digest, and fails.
	"config-deployment": {"registries-skipping-tag-resolving": "ghcr.io,index.docker.io", "queue-sidecar-image": "queue"},
	// Browsers and curl resolve names below localhost by themselves.
	"config-domain":  {"localhost": ""},
	"config-network": {"ingress-class": ingressClass},
}

// installKnative applies Knative's definitions and ConfigMaps, as its modules
// hold them, and what the options ask for.
func (e *Env) installKnative(ctx context.Context, programs *upstream.Programs) error {
	files, err := programs.Knative.Files(ctx)
	if err != nil {
		return err
	}
	set := e.manifests()
	set.Data = settings
	for _, path := range slices.Concat(files.Namespace, files.Definitions, e.options.CRDs, files.Configuration) {
		if err := set.Apply(ctx, path); err != nil {
			return err
		}
	}
	return e.processes[len(e.processes)-1].Await(ctx, "the definitions", func(ctx context.Context) error {
		return manifest.Established(ctx, e.Client)
	})
}

// Apply applies the YAML documents of a file, or of all files of a folder, as
// kubectl apply --server-side does.
func (e *Env) Apply(ctx context.Context, path string) error { return e.manifests().Apply(ctx, path) }

func (e *Env) manifests() manifest.Set {
	return manifest.Set{Client: e.Client, Owner: "serin-testenv"}
}

// startKnative starts the Knative controller. It is not waited for: it works
// off what it finds.
func (e *Env) startKnative(programs *upstream.Programs) error {
	_, err := e.run(programs.KnativeController, []string{
		"KUBECONFIG=" + e.Kubeconfig,
		"SYSTEM_NAMESPACE=" + knativeNamespace,
		"POD_NAME=controller", "POD_NAMESPACE=" + knativeNamespace,
		"CONFIG_LOGGING_NAME=config-logging", "CONFIG_OBSERVABILITY_NAME=config-observability",
		"METRICS_DOMAIN=knative.dev/serving",
		// Neither metrics nor profiles are asked for; their usual ports may be taken.
		"DEFAULT_METRICS_BACKEND=none", "PROFILING_PORT=0",
	}, "-kubeconfig="+e.Kubeconfig,
		// Its own limit, meant for production, makes tests that run at once wait.
		"-kube-api-qps=1000", "-kube-api-burst=2000")
	if err != nil {
		return err
	}
	for _, p := range e.processes {
		e.wg.Go(func() { e.watch(p) })
	}
	return nil
}

// watch reports a process that ends before the environment does.
func (e *Env) watch(p *process.Process) {
	select {
	case <-e.inside.Done():
	case <-p.Done():
		if e.inside.Err() == nil {
			e.fail(fmt.Errorf("%w:\n%s", p.Ended(), p.Tail()))
		}
	}
}
