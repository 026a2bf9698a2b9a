package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/testenv/credentials"
	"github.com/serin-dev/serin/testenv/process"
	"github.com/serin-dev/serin/testenv/upstream"
)

const loopback = "127.0.0.1"

// attempts is how often the control plane is started when another process
// takes one of its ports first.
const attempts = 3

// freePorts finds n different free ports.
func freePorts(n int) ([]int, error) {
	found := make([]int, n)
	for i := range found {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // all at the end, so that all differ
		found[i] = l.Addr().(*net.TCPAddr).Port
	}
	return found, nil
}

func (e *Env) startControlPlane(ctx context.Context, programs *upstream.Programs) error {
	if err := e.writeKeys(); err != nil {
		return err
	}
	var err error
	for range attempts {
		if err = e.tryControlPlane(ctx, programs); err == nil || ctx.Err() != nil {
			break
		}
		for _, p := range e.processes {
			p.Kill()
		}
		e.processes = nil
	}
	if err != nil {
		return err
	}
	e.Client, err = client.New(e.Config, client.Options{Scheme: newScheme()})
	return err
}

// startControllerManager starts, of the controller manager, only what is of use without
// machines: what removes the belongings of deleted owners and of deleted
// namespaces, and what fills in the roles that consist of others, such as view.
// It comes after all definitions, for it looks for new ones every 30 s only.
func (e *Env) startControllerManager(programs *upstream.Programs) error {
	_, err := e.run(programs.ControllerManager, nil, "--kubeconfig="+e.Kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=1000", "--kube-api-burst=2000", // as for Knative's controller
		"--controllers=garbage-collector-controller,namespace-controller,clusterrole-aggregation-controller")
	return err
}

// writeKeys makes the key that signs ServiceAccounts' tokens and the token of
// the administrator.
func (e *Env) writeKeys() error {
	admin := credentials.NewUser("admin", "system:masters")
	e.Config = &rest.Config{BearerToken: admin.Token, QPS: -1}
	return errors.Join(
		credentials.WriteKey(e.path("serviceaccounts.key")),
		credentials.WriteTokens(e.path("tokens.csv"), admin),
	)
}

func (e *Env) tryControlPlane(ctx context.Context, programs *upstream.Programs) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	etcd := "http://" + net.JoinHostPort(loopback, strconv.Itoa(ports[0]))
	peers := "http://" + net.JoinHostPort(loopback, strconv.Itoa(ports[1]))
	store, err := e.run(programs.Etcd, nil, "--data-dir="+e.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, "--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	if err != nil {
		return err
	}
	if err := store.Await(ctx, "etcd", func(ctx context.Context) error { return process.Answers(ctx, http.DefaultClient, etcd+"/health") }); err != nil {
		return err
	}
	api, err := e.run(programs.APIServer, nil, "--etcd-servers="+etcd,
		"--bind-address="+loopback, "--secure-port="+strconv.Itoa(ports[2]), "--cert-dir="+e.path("apiserver"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+e.path("serviceaccounts.key"), "--service-account-signing-key-file="+e.path("serviceaccounts.key"),
		"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--token-auth-file="+e.path("tokens.csv"),
		// There is no controller that makes them.
		"--disable-admission-plugins=ServiceAccount")
	if err != nil {
		return err
	}
	e.Config.Host = "https://" + net.JoinHostPort(loopback, strconv.Itoa(ports[2]))
	// The API server signs its own certificate.
	e.Config.CAFile = e.path("apiserver", "apiserver.crt")
	return api.Await(ctx, "kube-apiserver", e.apiServerReady)
}

func (e *Env) apiServerReady(ctx context.Context) error {
	authority, err := os.ReadFile(e.Config.CAFile)
	if err != nil {
		return err
	}
	c, err := rest.HTTPClientFor(e.Config)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	if err := process.Answers(ctx, c, e.Config.Host+"/readyz"); err != nil {
		return err
	}
	e.Kubeconfig = e.path("kubeconfig")
	return credentials.WriteKubeconfig(e.Kubeconfig, "serin-testenv", e.Config.Host, authority, e.Config.BearerToken)
}
