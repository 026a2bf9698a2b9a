//go:build linux

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/testenv/manifest"
)

// Domain is that of the public hosts of Knative Services.
const Domain = "serin.test"

// settings are the values in Knative's ConfigMaps that differ from its own.
func (n *node) settings() map[string]map[string]string {
	return map[string]map[string]string{
		// Else the controller asks the registry for a digest, and fails.
		"config-deployment": {"registries-skipping-tag-resolving": "dev.local,ghcr.io", "queue-sidecar-image": n.knativeImage("queue")},
		"config-domain":     {Domain: ""},
		"config-network":    {"ingress-class": "serin-testenv.ingress.networking.knative.dev"},
	}
}

// install installs CoreDNS, Knative and the ingress, as one would by kubectl.
func (n *node) install(ctx context.Context) error {
	// Knative's manifests name main packages where others name images.
	var images []string
	for name := range n.knativePrograms() {
		images = append(images, "ko://knative.dev/serving/cmd/"+name, n.knativeImage(name))
	}
	set := manifest.Set{Client: n.client, Owner: "serin-cluster", Data: n.settings(), Replace: strings.NewReplacer(images...)}
	if err := n.applyOwn(ctx, set, "coredns.yaml"); err != nil {
		return err
	}
	for _, path := range append(slices.Clone(n.Files.Namespace), n.Files.Definitions...) {
		if err := set.Apply(ctx, path); err != nil {
			return err
		}
	}
	if err := poll(ctx, func() error { return manifest.Established(ctx, n.client) }); err != nil {
		return err
	}
	for _, path := range slices.Concat(n.Files.Configuration, n.Files.Rights, n.Files.Workloads, n.Files.Webhooks) {
		if err := set.Apply(ctx, path); err != nil {
			return err
		}
	}
	if err := n.applyOwn(ctx, set, "ingress.yaml"); err != nil {
		return err
	}
	return n.awaitDeployments(ctx)
}

func (n *node) applyOwn(ctx context.Context, set manifest.Set, name string) error {
	text, err := n.file(name)
	if err != nil {
		return err
	}
	if err := set.ApplyText(ctx, text); err != nil {
		return fmt.Errorf("apply %s: %w", name, err)
	}
	return nil
}

// awaitDeployments waits until all that was installed has its pods.
func (n *node) awaitDeployments(ctx context.Context) error {
	for _, name := range []types.NamespacedName{
		{Namespace: "kube-system", Name: "coredns"}, {Namespace: "knative-ingress", Name: "ingress"},
		{Namespace: "knative-serving", Name: "webhook"}, {Namespace: "knative-serving", Name: "controller"},
		{Namespace: "knative-serving", Name: "autoscaler"}, {Namespace: "knative-serving", Name: "activator"},
	} {
		if err := poll(ctx, func() error { return n.available(ctx, name) }); err != nil {
			return err
		}
		n.say("%s is ready", name.Name)
	}
	return nil
}

func (n *node) available(ctx context.Context, name types.NamespacedName) error {
	d := new(appsv1.Deployment)
	if err := n.client.Get(ctx, name, d); err != nil {
		return err
	}
	if d.Status.ObservedGeneration != d.Generation || d.Status.ReadyReplicas == 0 {
		return fmt.Errorf("no pod of Deployment %s is ready", name)
	}
	return nil
}
