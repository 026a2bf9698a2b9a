package hosts

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// TagAddress is where requests to the tags of a Service are sent, by plain HTTP:
// to its own name, with the tag's name as the Host. Knative gives both the same
// load balancer, but a tag's name is new: who has looked it up a moment too
// early, a person in the pod for example, has made the cluster's DNS remember
// for seconds that there is none.
func TagAddress(serviceHost string) string { return net.JoinHostPort(serviceHost, "80") }

// CheckTags is an error where Knative does not call Serin's tags of a Service
// TAG-NAME, as it does by default (tag-template {{.Tag}}-{{.Name}}). An ingress
// answers 404 to a host that it does not know, which would look like an answer
// of the revision. URLs that are not known yet are no error.
func CheckTags(service *servingv1.Service) error {
	for _, target := range service.Status.Traffic {
		if target.Tag != v1beta1.PrimaryTag && target.Tag != v1beta1.CanaryTag {
			continue
		}
		got, own := hostname(target.URL), hostname(service.Status.URL)
		if got != "" && own != "" && !isTagOf(got, target.Tag+"-"+service.Name, own, service) {
			return fmt.Errorf("service \"%s/%s\": Knative calls its tag %s %s, and Serin asks for %s-%s; leave tag-template of Knative's ConfigMap config-network at {{.Tag}}-{{.Name}}",
				service.Namespace, service.Name, target.Tag, got, target.Tag, service.Name)
		}
	}
	return nil
}

// isTagOf reports whether a host is the Service's own with a label in the place
// of its name, wherever Knative's domain-template puts that; or a name in the
// cluster, which a tag may have on its own.
func isTagOf(host, label, own string, service *servingv1.Service) bool {
	if strings.HasPrefix(host, label+"."+service.Namespace+".") {
		return true
	}
	for i := range own {
		if rest, ok := strings.CutPrefix(own[i:], service.Name); ok && host == own[:i]+label+rest {
			return true
		}
	}
	return false
}

func hostname(u *apis.URL) string {
	if u == nil {
		return ""
	}
	return strings.ToLower((*url.URL)(u).Hostname())
}
