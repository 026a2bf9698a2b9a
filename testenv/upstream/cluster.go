package upstream

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// ClusterPrograms are the paths of what was built for a cluster with
// containers: all of it as released, nothing patched.
type ClusterPrograms struct {
	Etcd, APIServer, ControllerManager, Scheduler, Kubelet, KubeProxy, Kubectl string
	// The others run in containers.
	CoreDNS, Activator, Autoscaler, Controller, Queue, Webhook, Podinfo string
	Knative                                                             Knative
}

// KnativeVersions are the versions of Knative Serving that a cluster can have;
// the first is the one that environments without containers have, too.
func KnativeVersions() []string { return slices.Sorted(maps.Keys(knativeModules)) }

// knativeModules are the module files by the version that they pin.
var knativeModules = map[string]string{"v0.44.0": "knative", "v0.50.0": "knative-next"}

// BuildCluster is [Build] for a cluster with containers, with a version of
// Knative out of [KnativeVersions].
func BuildCluster(ctx context.Context, progress io.Writer, knative string) (*ClusterPrograms, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find a place for the cluster's programs: %w", err)
	}
	module, ok := knativeModules[knative]
	if !ok {
		return nil, fmt.Errorf("there is no Knative %q to build; take one of %v", knative, KnativeVersions())
	}
	cache := filepath.Join(root, "serin", "testenv")
	built := new(ClusterPrograms)
	all := built.wanted(knative, module)
	if err := buildAll(ctx, cache, progress, all); err != nil {
		return nil, err
	}
	folder, err := knativeProgram("controller", knative, module).folder(cache)
	built.Knative = Knative{folder}
	return built, err
}

func (c *ClusterPrograms) wanted(knative, module string) []wanted {
	stockPodinfo := podinfo
	stockPodinfo.stock = true
	all := []wanted{
		{etcd, &c.Etcd},
		{apiServer, &c.APIServer},
		{controllerManager, &c.ControllerManager},
		{kubernetesProgram("kube-scheduler"), &c.Scheduler},
		{kubernetesProgram("kubelet"), &c.Kubelet},
		{kubernetesProgram("kube-proxy"), &c.KubeProxy},
		{kubernetesProgram("kubectl"), &c.Kubectl},
		{program{name: "coredns", module: "coredns", pkg: "github.com/coredns/coredns", version: "v1.14.4"}, &c.CoreDNS},
		{stockPodinfo, &c.Podinfo},
	}
	for _, k := range []struct {
		name string
		path *string
	}{{"activator", &c.Activator}, {"autoscaler", &c.Autoscaler}, {"controller", &c.Controller}, {"queue", &c.Queue}, {"webhook", &c.Webhook}} {
		all = append(all, wanted{knativeProgram(k.name, knative, module), k.path})
	}
	return all
}

func kubernetesProgram(name string) program {
	return program{name: name, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/" + name, version: "v1.35.4", ldflags: kubernetesVersion}
}

func knativeProgram(name, version, module string) program {
	return program{name: name, module: module, pkg: "knative.dev/serving/cmd/" + name, version: version, stock: true}
}
