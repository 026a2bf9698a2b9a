package main

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Requests a second to the API server, on average and in a burst: enough for a
// daemon that starts with a thousand Canaries.
const (
	apiQPS   = 50
	apiBurst = 100
)

// clusterConfig finds the cluster as kubectl does, or as a pod in it.
func clusterConfig(kubeconfig string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w: set --kubeconfig or $KUBECONFIG, or run in a pod", err)
	}
	config.QPS, config.Burst = apiQPS, apiBurst
	config.UserAgent = "serin/" + version()
	return config, nil
}
