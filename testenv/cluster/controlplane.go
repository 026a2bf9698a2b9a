//go:build linux

package cluster

import (
	"context"
	"errors"
	"net/http"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/testenv/credentials"
	"github.com/serin-dev/serin/testenv/process"
)

const (
	etcdURL = "http://127.0.0.1:2379"
	apiURL  = "https://" + nodeAddress + ":6443"
)

func (n *node) startContainerd(ctx context.Context) error {
	containerd, err := n.run("containerd", "--config="+n.State.path("containerd.toml"), "--log-level=warn")
	if err != nil {
		return err
	}
	return containerd.Await(ctx, "containerd", func(ctx context.Context) error { return n.State.ctr(ctx, "version") })
}

func (n *node) startControlPlane(ctx context.Context) error {
	etcd, err := n.run(n.Programs.Etcd, "--name="+nodeName, "--data-dir="+n.State.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL, "--listen-peer-urls=http://127.0.0.1:2380")
	if err != nil {
		return err
	}
	if err := etcd.Await(ctx, "etcd", func(ctx context.Context) error { return process.Answers(ctx, http.DefaultClient, etcdURL+"/health") }); err != nil {
		return err
	}
	server, err := n.run(n.Programs.APIServer, "--etcd-servers="+etcdURL,
		"--advertise-address="+nodeAddress, "--bind-address=0.0.0.0", "--secure-port=6443", "--cert-dir="+n.State.path("apiserver"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+n.State.path("serviceaccounts.key"), "--service-account-signing-key-file="+n.State.path("serviceaccounts.key"),
		"--service-cluster-ip-range="+serviceRange, "--authorization-mode=Node,RBAC", "--token-auth-file="+n.State.path("tokens.csv"),
		"--kubelet-preferred-address-types=InternalIP", "--allow-privileged=true")
	if err != nil {
		return err
	}
	if err := server.Await(ctx, "kube-apiserver", n.connect); err != nil {
		return err
	}
	kubeconfigs := func(name string) []string {
		path := n.State.path(name + ".kubeconfig")
		return []string{"--kubeconfig=" + path, "--authentication-kubeconfig=" + path, "--authorization-kubeconfig=" + path, "--leader-elect=false", "--bind-address=127.0.0.1"}
	}
	_, managerErr := n.run(n.Programs.ControllerManager, append(kubeconfigs("kube-controller-manager"),
		"--kube-api-qps=200", "--kube-api-burst=400", // namespaces go side by side in the tests, hundreds of objects each
		"--root-ca-file="+n.authority(), "--service-account-private-key-file="+n.State.path("serviceaccounts.key"), "--use-service-account-credentials",
		"--cluster-cidr="+podRange, "--service-cluster-ip-range="+serviceRange)...)
	_, schedulerErr := n.run(n.Programs.Scheduler, kubeconfigs("kube-scheduler")...)
	n.say("Kubernetes' control plane is running")
	return errors.Join(managerErr, schedulerErr)
}

// authority is the certificate that the API server has signed for itself.
func (n *node) authority() string { return n.State.path("apiserver", "apiserver.crt") }

// connect writes the kubeconfigs and makes the client, when the API server is
// ready.
func (n *node) connect(ctx context.Context) error {
	authority, err := os.ReadFile(n.authority())
	if err != nil {
		return err
	}
	config := &rest.Config{Host: apiURL, BearerToken: n.users["kubeconfig"].Token, QPS: -1}
	config.CAData = authority
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	if err := process.Answers(ctx, c, apiURL+"/readyz"); err != nil {
		return err
	}
	for name, user := range n.users {
		if err := credentials.WriteKubeconfig(n.State.path(name), "serin", apiURL, authority, user.Token); err != nil {
			return err
		}
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme)); err != nil {
		return err
	}
	n.client, err = client.New(config, client.Options{Scheme: scheme})
	return err
}

func (n *node) startKubelet(ctx context.Context) error {
	kubelet, err := n.run(n.Programs.Kubelet, "--config="+n.State.path("kubelet.yaml"), "--kubeconfig="+n.State.path("kubelet.kubeconfig"),
		"--hostname-override="+nodeName, "--node-ip="+nodeAddress)
	if err != nil {
		return err
	}
	if _, err := n.run(n.Programs.KubeProxy, "--config="+n.State.path("kube-proxy.yaml")); err != nil {
		return err
	}
	if err := kubelet.Await(ctx, "kubelet", n.nodeReady); err != nil {
		return err
	}
	n.say("the node is ready")
	return nil
}
