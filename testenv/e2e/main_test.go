package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// cluster is what the environment says about it.
type cluster struct {
	client                           client.Client
	kubeconfig, gateway, image, helm string
	root                             string // of the repository
}

var the cluster

func TestMain(m *testing.M) {
	kubeconfig := os.Getenv("E2E_KUBECONFIG")
	if kubeconfig == "" {
		_, _ = fmt.Fprintln(os.Stdout, "testenv/e2e: skipped, there is no cluster; `make e2e` brings one up, E2E_KUBECONFIG names yours")
		return
	}
	ctrl.SetLogger(logr.Discard())
	if err := connect(kubeconfig); err != nil {
		fmt.Fprintln(os.Stderr, "testenv/e2e:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := awaitEndings(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv/e2e: a deletion hangs:", err)
		code = 1
	}
	os.Exit(code)
}

func connect(kubeconfig string) (err error) {
	the = cluster{kubeconfig: kubeconfig, gateway: os.Getenv("E2E_GATEWAY"), image: os.Getenv("E2E_IMAGE"), helm: os.Getenv("E2E_HELM")}
	if the.gateway == "" {
		return errors.New("E2E_GATEWAY is empty: it has to be the host:port of the cluster's ingress, through which users come")
	}
	if the.root, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		return err
	}
	if the.helm == "" {
		the.helm = filepath.Join(the.root, "bin", "helm")
	}
	for _, program := range []string{the.helm, "kubectl"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), servingv1.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return err
	}
	the.client, err = client.New(config, client.Options{Scheme: scheme})
	return err
}
