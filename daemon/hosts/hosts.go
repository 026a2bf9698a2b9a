package hosts

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Book finds the Canary of a host.
type Book struct {
	// Reader reads Canaries and Services; a cache.
	Reader client.Reader
	// Gateway is the host:port through which revisions are reached; empty to
	// reach them by their names.
	Gateway string
}

// Place is what a host means.
type Place struct {
	Canary types.NamespacedName
	// Side is the revision that is asked.
	Side v1beta1.Side
	// Revision is its name; empty where there is none yet.
	Revision string
	// Host is to be asked for, host or host:port.
	Host string
	// Address is the host:port to connect to.
	Address string
}

// ErrUnknown is the error, wrapped in a sentence, for a host of no Canary of
// Serin's.
var ErrUnknown = errors.New("no Canary has that host")

// Find returns what a host, with or without a port, means:
//
//	podinfo.test                      the Service's own name in the cluster,
//	podinfo.test.svc.cluster.local    in any of its forms,
//	podinfo.test.example.com          and its public one
//	canary-podinfo.test               a revision of the rollout by its tag,
//	canary-podinfo.test.example.com   likewise
//	podinfo-00002.test                a revision of the rollout by its name
//
// A request to the Service's own name is a request to one of its revisions,
// and nothing in the answer would say which. So Find chooses, as often as the
// live traffic is divided, and names the host of that revision.
func (b *Book) Find(ctx context.Context, host string) (Place, error) {
	name, port := split(host)
	label, rest, ok := strings.Cut(name, ".")
	namespace, _, _ := strings.Cut(rest, ".")
	if !ok || namespace == "" {
		return Place{}, unknown(host)
	}
	var canaries v1beta1.CanaryList
	if err := b.Reader.List(ctx, &canaries, client.InNamespace(namespace)); err != nil {
		return Place{}, fmt.Errorf("find the Canary of host %q: %w", host, err)
	}
	for i := range canaries.Items {
		canary := &canaries.Items[i]
		if !canary.Ours() || !mayBe(label, canary.Spec.TargetRef.Name) {
			continue
		}
		known, err := b.knows(ctx, canary, name)
		if err != nil {
			return Place{}, err
		}
		if !known {
			continue
		}
		if place, ok := b.place(canary, label, rest, port); ok {
			return place, nil
		}
	}
	return Place{}, unknown(host)
}

func unknown(host string) error {
	return fmt.Errorf("%w: %q is not a Service with a Canary in a namespace that is served, nor one of its revisions", ErrUnknown, host)
}

// split takes a host's port off, and its case.
func split(host string) (name, port string) {
	name = host
	if h, p, err := net.SplitHostPort(host); err == nil {
		name, port = h, p
	}
	return strings.TrimSuffix(strings.ToLower(name), "."), port
}

// mayBe reports whether the first label of a host can be about a Service.
func mayBe(label, service string) bool {
	return label == service || strings.HasPrefix(label, service+"-") || strings.HasSuffix(label, "-"+service)
}

// clusterSuffixes end the names in the cluster, after the namespace.
var clusterSuffixes = []string{"", ".svc", ".svc.cluster.local"}

// knows reports whether a name ends as one of the Canary's Service does: in
// the cluster's way, or as its public URL.
func (b *Book) knows(ctx context.Context, canary *v1beta1.Canary, name string) (bool, error) {
	_, rest, _ := strings.Cut(name, ".")
	for _, suffix := range clusterSuffixes {
		if rest == canary.Namespace+suffix {
			return true, nil
		}
	}
	service := new(servingv1.Service)
	key := types.NamespacedName{Namespace: canary.Namespace, Name: canary.Spec.TargetRef.Name}
	if err := b.Reader.Get(ctx, key, service); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	if service.Status.URL == nil {
		return false, nil
	}
	_, public, _ := strings.Cut((*url.URL)(service.Status.URL).Hostname(), ".")
	return rest == public, nil
}

// place says what a label means to a Canary.
func (b *Book) place(canary *v1beta1.Canary, label, rest, port string) (Place, bool) {
	service := canary.Spec.TargetRef.Name
	primary, candidate := revisions(&canary.Status)
	p := Place{Canary: client.ObjectKeyFromObject(canary)}
	switch label {
	case service:
		p.Side = v1beta1.SidePrimary
		if candidate != "" && rand.Float64() < proportion(&canary.Status, primary, candidate) {
			p.Side = v1beta1.SideCanary
		}
		if candidate != "" { // both have their tags then
			label = string(p.Side) + "-" + service
		}
	case v1beta1.PrimaryTag + "-" + service, primary:
		p.Side = v1beta1.SidePrimary
	case v1beta1.CanaryTag + "-" + service, candidate:
		p.Side = v1beta1.SideCanary
	default:
		return Place{}, false
	}
	if p.Side == v1beta1.SideCanary && candidate == "" {
		return Place{}, false // there is no such tag
	}
	p.Revision = primary
	if p.Side == v1beta1.SideCanary {
		p.Revision = candidate
	}
	p.Host = label + "." + rest
	p.Address = b.Gateway
	switch isTag := label == string(p.Side)+"-"+service; {
	case p.Address != "":
	case isTag && (port == "" || port == "80"):
		p.Address = TagAddress(service + "." + rest)
	default:
		p.Address = net.JoinHostPort(p.Host, orDefault(port, "80"))
	}
	if port != "" {
		p.Host = net.JoinHostPort(p.Host, port)
	}
	return p, true
}

// revisions names those of the rollout. There is no candidate where none runs,
// and none while the canary tag is taken away at its end.
func revisions(status *v1beta1.CanaryStatus) (primary, candidate string) {
	a := status.Analysis
	if a == nil || a.Stage == v1beta1.StageRollingBack {
		return status.LastPromotedSpec, ""
	}
	switch status.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		return a.PrimaryRevision, a.CanaryRevision
	default:
		return status.LastPromotedSpec, ""
	}
}

// proportion is how often, in [0,1], a request that goes to one of the two goes
// to the candidate, as the Route was last seen to divide the live traffic. What
// goes to other revisions is left out.
func proportion(status *v1beta1.CanaryStatus, primary, candidate string) float64 {
	if len(status.Traffic) == 0 {
		return float64(status.CanaryWeight) / 100
	}
	percents := make(map[string]int64)
	for _, t := range status.Traffic {
		percents[t.Revision] += t.Percent
	}
	if percents[candidate] == 0 {
		return 0
	}
	return float64(percents[candidate]) / float64(percents[primary]+percents[candidate])
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
