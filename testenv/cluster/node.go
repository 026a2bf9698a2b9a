//go:build linux

package cluster

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/testenv/credentials"
	"github.com/serin-dev/serin/testenv/process"
)

//go:embed files
var files embed.FS

// node is a starting or running cluster, seen from inside.
type node struct {
	*plan
	begin     time.Time
	says      io.Writer // to whoever waits until it is ready
	watchdog  *process.Watchdog
	processes []*process.Process
	client    client.Client
	users     map[string]credentials.User // by the name of their kubeconfig
}

func (n *node) say(format string, args ...any) {
	_, _ = fmt.Fprintf(n.says, "%5.1fs  %s\n", time.Since(n.begin).Seconds(), fmt.Sprintf(format, args...))
}

func (n *node) start(ctx context.Context) error {
	if err := errors.Join(joinCgroups(), makeNetwork()); err != nil {
		return err
	}
	if err := errors.Join(n.mountAll(), n.writeFiles()); err != nil {
		return err
	}
	var err error
	if n.watchdog, err = process.NewWatchdog(); err != nil {
		return err
	}
	if err := n.startContainerd(ctx); err != nil {
		return err
	}
	// The slowest part of a warm start: beside the others.
	loaded := make(chan error, 1)
	go func() { loaded <- n.loadAll(ctx) }()
	if err := n.startControlPlane(ctx); err != nil {
		return err
	}
	if err := <-loaded; err != nil {
		return err
	}
	n.say("%d images are loaded", len(n.Images))
	if err := n.startKubelet(ctx); err != nil {
		return err
	}
	return n.install(ctx)
}

// variables are what stands in files as ${NAME}.
func (n *node) variables() map[string]string {
	return map[string]string{
		"STATE": string(n.State), "CGROUP": cgroupName, "CNI_PLUGINS": cniPlugins,
		"NODE_NAME": nodeName, "NODE_ADDRESS": nodeAddress, "DNS_ADDRESS": dnsAddress, "INGRESS_ADDRESS": ingressAddress, "POD_RANGE": podRange,
		"PAUSE": pauseImage, "COREDNS": corednsImage, "INGRESS": ingressImage,
	}
}

// file is one of the embedded files with its variables filled in.
func (n *node) file(name string) (string, error) {
	content, err := files.ReadFile("files/" + name)
	if err != nil {
		return "", err
	}
	variables := n.variables()
	return os.Expand(string(content), func(name string) string { return variables[name] }), nil
}

// writeFiles writes the configurations, and who may do what.
func (n *node) writeFiles() error {
	for name, path := range map[string]string{
		"containerd.toml": "containerd.toml", "cni.conflist": "cni/10-serin.conflist", "kubelet.yaml": "kubelet.yaml", "kube-proxy.yaml": "kube-proxy.yaml",
	} {
		content, err := n.file(name)
		if err != nil {
			return err
		}
		if err := write(n.State.path(path), content); err != nil {
			return err
		}
	}
	n.users = map[string]credentials.User{
		"kubeconfig":                         credentials.NewUser("admin", "system:masters"),
		"kubelet.kubeconfig":                 credentials.NewUser("system:node:"+nodeName, "system:nodes"),
		"kube-controller-manager.kubeconfig": credentials.NewUser("system:kube-controller-manager", ""),
		"kube-scheduler.kubeconfig":          credentials.NewUser("system:kube-scheduler", ""),
		"kube-proxy.kubeconfig":              credentials.NewUser("system:kube-proxy", ""),
	}
	var all []credentials.User
	for _, u := range n.users {
		all = append(all, u)
	}
	return errors.Join(
		write(n.State.path("resolv.conf"), ""),
		credentials.WriteKey(n.State.path("serviceaccounts.key")),
		credentials.WriteTokens(n.State.path("tokens.csv"), all...),
		n.linkKubectl(),
	)
}

// linkKubectl puts kubectl where Exec finds it.
func (n *node) linkKubectl() error {
	if err := os.MkdirAll(n.State.path("bin"), 0o755); err != nil {
		return err
	}
	return os.Symlink(n.Programs.Kubectl, n.State.path("bin", "kubectl"))
}

// run starts a program that is to run as long as the cluster.
func (n *node) run(path string, args ...string) (*process.Process, error) {
	p, err := process.Start(n.watchdog, process.Command{Path: path, Args: args, Log: n.State.log(filepath.Base(path))})
	if err != nil {
		return nil, err
	}
	n.processes = append(n.processes, p)
	return p, nil
}

// watch returns when a process has ended, which none should.
func (n *node) watch() error {
	ended := make(chan error, len(n.processes))
	for _, p := range n.processes {
		go func() {
			<-p.Done()
			ended <- fmt.Errorf("%w:\n%s", p.Ended(), p.Tail())
		}()
	}
	return <-ended
}

// nodeReady says nil when kubelet has reported that pods may come.
func (n *node) nodeReady(ctx context.Context) error {
	machine := new(corev1.Node)
	if err := n.client.Get(ctx, types.NamespacedName{Name: nodeName}, machine); err != nil {
		return err
	}
	var reasons []string
	for _, c := range machine.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return nil
		}
		reasons = append(reasons, c.Message)
	}
	return fmt.Errorf("the node is not ready: %s", strings.Join(reasons, "; "))
}
