package ingress

import (
	"net/http"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
)

// Table is an immutable set of rules: what to do with a request, by its host.
type Table struct {
	hosts map[string][]route
}

// route is one path of a rule. The routes of a host are tried in order.
type route struct {
	prefix  string
	headers map[string]string // canonical name: exact value
	splits  []split
	append  map[string]string
}

// split is one backend and its share of the requests of a route.
type split struct {
	backend types.NamespacedName // of the Kubernetes Service, which has the revision's name
	http2   bool
	percent int
	append  map[string]string
}

// http2Port is the port of a Kubernetes Service that Knative gives to a
// revision that speaks cleartext HTTP/2.
const http2Port = 81

// NewTable builds the rules of some Ingresses.
func NewTable(ingresses []netv1alpha1.Ingress) *Table {
	t := &Table{hosts: make(map[string][]route)}
	for i := range ingresses {
		for _, rule := range ingresses[i].Spec.Rules {
			if rule.HTTP == nil {
				continue
			}
			var routes []route
			for _, path := range rule.HTTP.Paths {
				routes = append(routes, newRoute(path))
			}
			for _, host := range rule.Hosts {
				host = strings.ToLower(host)
				t.hosts[host] = append(t.hosts[host], routes...)
			}
		}
	}
	for _, routes := range t.hosts {
		// The most specific first, as Knative's conformance tests ask for.
		sort.SliceStable(routes, func(a, b int) bool {
			if len(routes[a].prefix) != len(routes[b].prefix) {
				return len(routes[a].prefix) > len(routes[b].prefix)
			}
			return len(routes[a].headers) > len(routes[b].headers)
		})
	}
	return t
}

func newRoute(path netv1alpha1.HTTPIngressPath) route {
	r := route{prefix: path.Path, append: path.AppendHeaders, headers: make(map[string]string, len(path.Headers))}
	for name, match := range path.Headers {
		r.headers[http.CanonicalHeaderKey(name)] = match.Exact
	}
	for _, s := range path.Splits {
		percent := s.Percent
		if len(path.Splits) == 1 {
			percent = 100 // where there is one split it may be left out
		}
		r.splits = append(r.splits, split{
			backend: types.NamespacedName{Namespace: s.ServiceNamespace, Name: s.ServiceName},
			http2:   s.ServicePort.IntValue() == http2Port || s.ServicePort.StrVal == "h2c" || s.ServicePort.StrVal == "http2",
			percent: percent,
			append:  s.AppendHeaders,
		})
	}
	return r
}

// find returns the first route that matches. known says whether any rule knows
// the host.
func (t *Table) find(host, path string, header http.Header) (found *route, known bool) {
	routes, known := t.hosts[host]
	for i := range routes {
		if routes[i].matches(path, header) {
			return &routes[i], known
		}
	}
	return nil, known
}

func (r *route) matches(path string, header http.Header) bool {
	if !strings.HasPrefix(path, r.prefix) {
		return false
	}
	for name, value := range r.headers {
		if header.Get(name) != value {
			return false
		}
	}
	return true
}

// pick returns the split on which a number in [0,100) falls, or nil where the
// percentages do not reach that far.
func (r *route) pick(n int) *split {
	for i := range r.splits {
		if n < r.splits[i].percent {
			return &r.splits[i]
		}
		n -= r.splits[i].percent
	}
	return nil
}
