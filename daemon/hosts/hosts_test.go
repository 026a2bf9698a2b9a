package hosts

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// cluster has Canaries, and for each a Service with a public URL.
type cluster struct {
	canaries []v1beta1.Canary
	down     bool
}

func (c *cluster) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	for _, canary := range c.canaries {
		if canary.Namespace == key.Namespace && canary.Spec.TargetRef.Name == key.Name {
			service := o.(*servingv1.Service)
			service.Status.URL = apis.HTTP(key.Name + "." + key.Namespace + ".example.com")
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, key.Name)
}

func (c *cluster) List(_ context.Context, o client.ObjectList, options ...client.ListOption) error {
	if c.down {
		return errors.New("the cache is not filled")
	}
	var in client.ListOptions
	in.ApplyOptions(options)
	for _, canary := range c.canaries {
		if canary.Namespace == in.Namespace {
			o.(*v1beta1.CanaryList).Items = append(o.(*v1beta1.CanaryList).Items, canary)
		}
	}
	return nil
}

// canaryOf is a Canary of another name than its Service, at some weight.
func canaryOf(namespace, service string, phase v1beta1.Phase, weight int32) v1beta1.Canary {
	c := v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "c-" + service}}
	c.Spec.TargetRef = v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: service}
	c.Status.Phase, c.Status.CanaryWeight, c.Status.LastPromotedSpec = phase, weight, service+"-00001"
	c.Status.Analysis = &v1beta1.AnalysisStatus{PrimaryRevision: service + "-00001", CanaryRevision: service + "-00002"}
	return c
}

func TestHostsMeanRevisions(t *testing.T) {
	book := Book{Reader: &cluster{canaries: []v1beta1.Canary{
		canaryOf("test", "pod", v1beta1.PhaseSucceeded, 0),
		canaryOf("test", "podinfo", v1beta1.PhaseProgressing, 0),
		canaryOf("test", "canary-podinfo", v1beta1.PhaseInitialized, 0), // an unlucky name
		canaryOf("prod", "podinfo", v1beta1.PhaseProgressing, 100),
	}}}
	for host, want := range map[string]struct {
		canary, side, revision, host, address string
	}{
		"podinfo.test":                                 {"test/c-podinfo", "primary", "podinfo-00001", "primary-podinfo.test", "podinfo.test:80"},
		"podinfo.test:8080":                            {"test/c-podinfo", "primary", "podinfo-00001", "primary-podinfo.test:8080", "primary-podinfo.test:8080"},
		"podinfo.test.svc":                             {"test/c-podinfo", "primary", "podinfo-00001", "primary-podinfo.test.svc", "podinfo.test.svc:80"},
		"PodInfo.Test.svc.cluster.local.":              {"test/c-podinfo", "primary", "podinfo-00001", "primary-podinfo.test.svc.cluster.local", "podinfo.test.svc.cluster.local:80"},
		"podinfo.test.example.com":                     {"test/c-podinfo", "primary", "podinfo-00001", "primary-podinfo.test.example.com", "podinfo.test.example.com:80"},
		"primary-podinfo.test":                         {"test/c-podinfo", "primary", "podinfo-00001", "primary-podinfo.test", "podinfo.test:80"},
		"canary-podinfo.test.example.com":              {"test/c-podinfo", "canary", "podinfo-00002", "canary-podinfo.test.example.com", "podinfo.test.example.com:80"},
		"canary-podinfo.test:443":                      {"test/c-podinfo", "canary", "podinfo-00002", "canary-podinfo.test:443", "canary-podinfo.test:443"},
		"podinfo-00001.test":                           {"test/c-podinfo", "primary", "podinfo-00001", "podinfo-00001.test", "podinfo-00001.test:80"},
		"podinfo-00002.test":                           {"test/c-podinfo", "canary", "podinfo-00002", "podinfo-00002.test", "podinfo-00002.test:80"},
		"podinfo.prod":                                 {"prod/c-podinfo", "canary", "podinfo-00002", "canary-podinfo.prod", "podinfo.prod:80"},
		"pod.test":                                     {"test/c-pod", "primary", "pod-00001", "pod.test", "pod.test:80"},
		"canary-podinfo-00001.test":                    {"test/c-canary-podinfo", "primary", "canary-podinfo-00001", "canary-podinfo-00001.test", "canary-podinfo-00001.test:80"},
		"canary-pod.test":                              {}, // no rollout runs
		"pod-00002.test":                               {},
		"podinfo-00003.test":                           {}, // not of the rollout
		"podinfo":                                      {},
		"podinfo.":                                     {},
		".test":                                        {},
		"":                                             {},
		"podinfo.kube-system":                          {},
		"podinfo.test.evil.example":                    {},
		"podinfo.test.svc.evil.example":                {},
		"podinfo.test.svc.cluster.local.evil":          {},
		"podinfo.prod.example.org":                     {},
		"other-podinfo.test":                           {},
		"169.254.169.254":                              {},
		"[fd00:ec2::254]":                              {},
		"127.0.0.1:8080":                               {},
		"localhost":                                    {},
		"kubernetes.default.svc":                       {},
		"podinfo.test@evil.example":                    {},
		"podinfo.test/../x":                            {},
		strings.Repeat("podinfo.", 10_000) + "test":    {},
		"metadata.google.internal":                     {},
		"podinfo..test":                                {},
		"canary-podinfo.test.svc.cluster.local:80:80":  {},
		"canary-podinfo.test\x00.example.com":          {},
		"canary-podinfo.test.example.com.evil.example": {},
	} {
		place, err := book.Find(t.Context(), host)
		if want.canary == "" {
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("%.60q is %+v, %v", host, place, err)
			}
			continue
		}
		if err != nil || place.Canary.String() != want.canary || string(place.Side) != want.side || place.Revision != want.revision ||
			place.Host != want.host || place.Address != want.address {
			t.Errorf("%s is %+v, %v; want %+v", host, place, err, want)
		}
	}
}

// Somebody else's Canary leads nowhere, and hides none of Serin's.
func TestHostsOfSomebodyElsesCanaryAreUnknown(t *testing.T) {
	mesh, deployment := canaryOf("test", "shop", v1beta1.PhaseProgressing, 50), canaryOf("test", "cart", v1beta1.PhaseProgressing, 50)
	mesh.Spec.Provider = "istio"
	deployment.Spec.TargetRef.APIVersion, deployment.Spec.TargetRef.Kind = "apps/v1", "Deployment"
	before := canaryOf("test", "podinfo", v1beta1.PhaseProgressing, 50)
	before.Name, before.Spec.Provider = "before", "istio"
	book := Book{Reader: &cluster{canaries: []v1beta1.Canary{mesh, deployment, before, canaryOf("test", "podinfo", v1beta1.PhaseProgressing, 0)}}}
	for _, host := range []string{"shop.test", "canary-shop.test", "shop-00001.test", "cart.test", "primary-cart.test.example.com"} {
		if place, err := book.Find(t.Context(), host); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s is %+v, %v", host, place, err)
		}
	}
	if place, err := book.Find(t.Context(), "canary-podinfo.test"); err != nil || place.Canary.Name != "c-podinfo" {
		t.Errorf("podinfo is %+v, %v", place, err)
	}
}

func TestGatewayIsConnectedTo(t *testing.T) {
	book := Book{Reader: &cluster{canaries: []v1beta1.Canary{canaryOf("test", "podinfo", v1beta1.PhaseProgressing, 0)}}, Gateway: "10.0.0.1:80"}
	place, err := book.Find(t.Context(), "canary-podinfo.test")
	if err != nil || place.Address != "10.0.0.1:80" || place.Host != "canary-podinfo.test" {
		t.Errorf("%+v, %v", place, err)
	}
}

// Requests to the Service's own name are divided as the Route divides the live
// traffic, whatever is wanted, and what goes to neither of the two is left out.
func TestOwnNameIsDivided(t *testing.T) {
	const primary, candidate, other = "podinfo-00001", "podinfo-00002", "podinfo-00003"
	for name, tc := range map[string]struct {
		weight  int32
		traffic []v1beta1.TrafficShare
		want    float64
	}{
		"the Route was not seen":    {30, nil, 0.3},
		"two revisions":             {90, []v1beta1.TrafficShare{{Revision: primary, Percent: 70}, {Revision: candidate, Percent: 30}}, 0.3},
		"two entries of each":       {0, []v1beta1.TrafficShare{{Revision: primary, Percent: 60}, {Revision: primary, Percent: 10}, {Revision: candidate, Percent: 10}, {Revision: candidate, Percent: 20}}, 0.3},
		"half is a third revision":  {65, []v1beta1.TrafficShare{{Revision: primary, Percent: 35}, {Revision: candidate, Percent: 15}, {Revision: other, Percent: 50}}, 0.3},
		"all is a third revision":   {100, []v1beta1.TrafficShare{{Revision: other, Percent: 100}}, 0},
		"all is the candidate":      {0, []v1beta1.TrafficShare{{Revision: candidate, Percent: 100}}, 1},
		"the candidate has nothing": {50, []v1beta1.TrafficShare{{Revision: primary, Percent: 50}, {Revision: other, Percent: 50}}, 0},
	} {
		canary := canaryOf("test", "podinfo", v1beta1.PhaseProgressing, tc.weight)
		canary.Status.Traffic = tc.traffic
		book := Book{Reader: &cluster{canaries: []v1beta1.Canary{canary}}}
		count := 0.0
		for range 10_000 {
			place, err := book.Find(t.Context(), "podinfo.test")
			if err != nil {
				t.Fatal(err)
			}
			if place.Side == v1beta1.SideCanary {
				count++
			}
		}
		if got := count / 10_000; math.Abs(got-tc.want) > 0.03*math.Ceil(tc.want*(1-tc.want)) { // 6.5 standard deviations
			t.Errorf("%s: %g of the requests are to the canary revision, want %g", name, got, tc.want)
		}
	}
}

// When a rollout is decided, the canary tag goes, and nobody is sent to it.
func TestTagThatIsTakenAwayIsNotAskedFor(t *testing.T) {
	back := canaryOf("test", "podinfo", v1beta1.PhaseProgressing, 100) // by hand, from podinfo-00002
	back.Status.Analysis.Stage = v1beta1.StageRollingBack
	back.Status.Traffic = []v1beta1.TrafficShare{{Revision: "podinfo-00002", Tag: "primary", Percent: 100}}
	promoted := canaryOf("test", "podinfo", v1beta1.PhaseFinalising, 100)
	promoted.Status.LastPromotedSpec = "podinfo-00002"
	promoted.Status.Traffic = []v1beta1.TrafficShare{{Revision: "podinfo-00001", Tag: "primary"}, {Revision: "podinfo-00002", Tag: "canary", Percent: 100}}
	for primary, canary := range map[string]v1beta1.Canary{"podinfo-00001": back, "podinfo-00002": promoted} {
		book := Book{Reader: &cluster{canaries: []v1beta1.Canary{canary}}}
		if _, err := book.Find(t.Context(), "canary-podinfo.test"); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: the canary tag leads somewhere, %v", canary.Status.Phase, err)
		}
		place, err := book.Find(t.Context(), "podinfo.test")
		if err != nil || place.Host != "podinfo.test" || place.Side != v1beta1.SidePrimary || place.Revision != primary {
			t.Errorf("%s: the Service's own name is %+v, %v", canary.Status.Phase, place, err)
		}
	}
}

func TestOutageIsNotUnknown(t *testing.T) {
	book := Book{Reader: &cluster{down: true}}
	if _, err := book.Find(t.Context(), "podinfo.test"); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// Whatever is asked, what is found is a Service with a Canary.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{"podinfo.test", "canary-podinfo.test:80", "podinfo.test.example.com.", "[::1]:80", "a@podinfo.test"} {
		f.Add(seed)
	}
	book := Book{Reader: &cluster{canaries: []v1beta1.Canary{canaryOf("test", "podinfo", v1beta1.PhaseProgressing, 50)}}}
	f.Fuzz(func(t *testing.T, host string) {
		place, err := book.Find(t.Context(), host)
		if err != nil {
			return
		}
		label, rest, _ := strings.Cut(place.Host, ".")
		rest, _, _ = strings.Cut(rest, ":")
		switch label {
		case "primary-podinfo", "canary-podinfo", "podinfo-00001", "podinfo-00002":
		default:
			t.Errorf("%q leads to %+v", host, place)
		}
		switch rest {
		case "test", "test.svc", "test.svc.cluster.local", "test.example.com":
		default:
			t.Errorf("%q leads to %+v", host, place)
		}
		if place.Canary != (types.NamespacedName{Namespace: "test", Name: "c-podinfo"}) {
			t.Errorf("%q leads to %+v", host, place)
		}
	})
}
