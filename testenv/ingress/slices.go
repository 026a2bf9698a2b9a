package ingress

import (
	"context"
	"log/slog"
	"net"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// serviceIndex finds the EndpointSlices of a Kubernetes Service in a cache.
const serviceIndex = "service"

// NewSliceResolver returns a resolver for a cluster, which reads EndpointSlices
// from a manager's cache. What they hold for a revision is its pods, or the
// activator: Knative decides.
func NewSliceResolver(ctx context.Context, mgr manager.Manager, log *slog.Logger) (Resolver, error) {
	err := mgr.GetFieldIndexer().IndexField(ctx, &discoveryv1.EndpointSlice{}, serviceIndex, func(o client.Object) []string {
		return []string{o.GetLabels()[discoveryv1.LabelServiceName]}
	})
	if err != nil {
		return nil, err
	}
	return func(namespace, service string) []string {
		var all discoveryv1.EndpointSliceList
		err := mgr.GetClient().List(ctx, &all, client.InNamespace(namespace), client.MatchingFields{serviceIndex: service}, client.UnsafeDisableDeepCopy)
		if err != nil {
			log.ErrorContext(ctx, "read EndpointSlices", "namespace", namespace, "service", service, "error", err)
		}
		return addresses(all.Items)
	}, nil
}

// addresses are those that take requests, on the port that Knative names after
// the protocol.
func addresses(all []discoveryv1.EndpointSlice) []string {
	var found []string
	for i := range all {
		port := requestPort(all[i].Ports)
		if port == "" {
			continue
		}
		for _, e := range all[i].Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			for _, address := range e.Addresses {
				found = append(found, net.JoinHostPort(address, port))
			}
		}
	}
	return found
}

func requestPort(ports []discoveryv1.EndpointPort) string {
	for _, p := range ports {
		if p.Port != nil && p.Name != nil && (*p.Name == "http" || *p.Name == "http2") {
			return strconv.Itoa(int(*p.Port))
		}
	}
	return ""
}
