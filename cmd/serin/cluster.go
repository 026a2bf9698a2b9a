package main

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// unlimited leaves it to the API server to keep its clients in bounds, which it
// does by priority and fairness: a limit of our own would delay a rollback that
// comes when twenty others do. The daemon reconciles few Canaries at once.
const unlimited = -1

// findCluster finds the cluster as kubectl does, or as a pod in it. The
// namespace is the kubeconfig's current one, or the pod's own.
func findCluster(kubeconfig string) (config *rest.Config, namespace string, err error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	if config, err = loader.ClientConfig(); err != nil {
		return nil, "", fmt.Errorf("find the cluster: %w: set --kubeconfig or $KUBECONFIG, or run in a pod", err)
	}
	if namespace, _, err = loader.Namespace(); err != nil {
		return nil, "", fmt.Errorf("find the current namespace: %w", err)
	}
	config.QPS = unlimited
	config.UserAgent = "serin/" + version()
	return config, namespace, nil
}
