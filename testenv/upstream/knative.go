package upstream

import (
	"context"
	"fmt"
	"path/filepath"
)

// Knative is a Knative Serving that was built.
type Knative struct {
	folder string // of the module file that it was built from
}

// KnativeFiles are the manifests that a Knative is installed with, files or
// folders of them, in the order of the fields.
type KnativeFiles struct {
	Namespace, Definitions, Configuration, Rights, Workloads, Webhooks []string
}

// Files finds Knative's manifests in its modules. A module's archive has no
// symbolic links: what serving only links to comes from where it really is.
func (k Knative) Files(ctx context.Context) (KnativeFiles, error) {
	var folders [3]string
	for i, module := range []string{"knative.dev/serving", "knative.dev/networking", "knative.dev/caching"} {
		dir, err := moduleDir(ctx, k.folder, module)
		if err != nil {
			return KnativeFiles{}, fmt.Errorf("find the manifests of %s in the module cache: %w", module, err)
		}
		folders[i] = filepath.Join(dir, "config")
	}
	core, networking, caching := filepath.Join(folders[0], "core"), folders[1], folders[2]
	return KnativeFiles{
		Namespace: []string{filepath.Join(core, "100-namespace.yaml")},
		Definitions: []string{
			filepath.Join(core, "300-resources"),
			filepath.Join(networking, "certificate.yaml"), filepath.Join(networking, "domain-claim.yaml"),
			filepath.Join(networking, "ingress.yaml"), filepath.Join(networking, "serverlessservice.yaml"),
			filepath.Join(caching, "image.yaml"),
		},
		Configuration: []string{filepath.Join(core, "configmaps"), filepath.Join(networking, "config-network.yaml")},
		Rights:        []string{filepath.Join(core, "200-serviceaccount.yaml"), filepath.Join(core, "200-roles")},
		Workloads: []string{
			filepath.Join(core, "deployments", "activator.yaml"), filepath.Join(core, "deployments", "autoscaler.yaml"),
			filepath.Join(core, "deployments", "controller.yaml"), filepath.Join(core, "deployments", "webhook.yaml"),
		},
		Webhooks: []string{filepath.Join(core, "webhooks")},
	}, nil
}
