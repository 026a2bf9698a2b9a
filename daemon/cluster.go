package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// What has just been installed is described a little later. The check is
// repeated for clusterPatience before it fails.
const (
	clusterPatience = 20 * time.Second
	clusterPeriod   = 500 * time.Millisecond
)

// awaitCluster makes sure that what the daemon needs is installed.
func awaitCluster(ctx context.Context, cluster *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	ticker := time.NewTicker(clusterPeriod)
	defer ticker.Stop()
	for {
		err := checkCluster(cluster)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// checkCluster asks the API server's own description of itself, which
// everyone may read.
func checkCluster(cluster *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(cluster)
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	if paths["apis/"+servingv1.SchemeGroupVersion.String()] == nil {
		return errors.New("the cluster does not serve serving.knative.dev/v1: install Knative Serving")
	}
	canaries := paths["apis/"+v1beta1.GroupVersion.String()]
	if canaries == nil {
		return errors.New("the cluster does not serve flagger.app/v1beta1: kubectl apply -f chart/crds")
	}
	schema, err := canaries.Schema(runtime.ContentTypeJSON)
	if err != nil {
		return fmt.Errorf("read the schema of canaries.flagger.app: %w", err)
	}
	return checkSchema(schema)
}

// checkSchema refuses a definition without status.analysis: the API server
// would drop the daemon's memory without a word.
func checkSchema(openAPI []byte) error {
	type schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]schema `json:"properties"`
				Kinds      []struct {
					Kind string `json:"kind"`
				} `json:"x-kubernetes-group-version-kind"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(openAPI, &document); err != nil {
		return fmt.Errorf("read the schema of canaries.flagger.app: %w", err)
	}
	for _, s := range document.Components.Schemas {
		if len(s.Kinds) == 1 && s.Kinds[0].Kind == "Canary" && s.Properties["status"].Properties["analysis"] != nil {
			return nil
		}
	}
	return errors.New("the installed definition of canaries.flagger.app lacks status.analysis, it may be Flagger's own: " +
		"kubectl apply --server-side -f chart/crds (a superset, with which Flagger works too)")
}
