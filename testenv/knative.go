package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/testenv/process"
	"github.com/serin-dev/serin/testenv/upstream"
)

const (
	knativeNamespace = "knative-serving"
	fieldOwner       = client.FieldOwner("serin-testenv")
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
	var folders [3]string // serving, networking, caching
	for i, module := range []string{"knative.dev/serving", "knative.dev/networking", "knative.dev/caching"} {
		folder, err := programs.KnativeModule(ctx, module)
		if err != nil {
			return fmt.Errorf("find the manifests of %s: %w", module, err)
		}
		folders[i] = filepath.Join(folder, "config")
	}
	definitions := []string{
		filepath.Join(folders[0], "core", "300-resources"),
		filepath.Join(folders[1], "certificate.yaml"), filepath.Join(folders[1], "domain-claim.yaml"),
		filepath.Join(folders[1], "ingress.yaml"), filepath.Join(folders[1], "serverlessservice.yaml"),
		filepath.Join(folders[2], "image.yaml"),
	}
	namespace := new(unstructured.Unstructured)
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	namespace.SetName(knativeNamespace)
	if err := e.apply(ctx, namespace); err != nil {
		return err
	}
	for _, path := range append(definitions, e.options.CRDs...) {
		if err := e.Apply(ctx, path); err != nil {
			return err
		}
	}
	for _, path := range []string{filepath.Join(folders[0], "core", "configmaps"), filepath.Join(folders[1], "config-network.yaml")} {
		if err := e.Apply(ctx, path); err != nil {
			return err
		}
	}
	return e.awaitDefinitions(ctx)
}

// Apply applies the YAML documents of a file, or of all files of a folder, as
// kubectl apply --server-side does.
func (e *Env) Apply(ctx context.Context, path string) error {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
			return err
		}
	}
	for _, file := range files {
		content, err := os.Open(file)
		if err != nil {
			return err
		}
		err = e.applyAll(ctx, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("apply %s: %w", file, err)
		}
	}
	return nil
}

func (e *Env) applyAll(ctx context.Context, documents io.Reader) error {
	decoder := yaml.NewYAMLOrJSONDecoder(documents, 4096)
	for {
		object := new(unstructured.Unstructured)
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(object.Object) == 0 {
			continue // a separator with nothing behind it
		}
		if err := e.apply(ctx, object); err != nil {
			return err
		}
	}
}

func (e *Env) apply(ctx context.Context, object *unstructured.Unstructured) error {
	for key, value := range settings[object.GetName()] {
		if err := unstructured.SetNestedField(object.Object, value, "data", key); err != nil {
			return err
		}
	}
	return e.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
}

// awaitDefinitions waits until the API server serves all that was defined.
func (e *Env) awaitDefinitions(ctx context.Context) error {
	return await(ctx, "the definitions", e.processes[len(e.processes)-1], func(ctx context.Context) error {
		var all apiextensionsv1.CustomResourceDefinitionList
		if err := e.Client.List(ctx, &all); err != nil {
			return err
		}
		for i := range all.Items {
			if !established(&all.Items[i]) {
				return fmt.Errorf("%s is not established", all.Items[i].Name)
			}
		}
		return nil
	})
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range definition.Status.Conditions {
		if c.Type == apiextensionsv1.Established {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
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
	}, "-kubeconfig="+e.Kubeconfig)
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
