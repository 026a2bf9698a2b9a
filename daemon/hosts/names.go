package hosts

import (
	"fmt"
	"strings"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Limits of DNS (RFC 1035, section 2.3.4), in characters.
const (
	maxLabel = 63
	maxHost  = 253
)

// CheckNames is an error where the hosts of Serin's tags would be too long for DNS:
// Knative then breaks the whole Route, and leaves it so. It looks at each host that
// the Route has, wherever Knative's domain-template puts the Service's name in it;
// where none is known yet, at the name in the cluster.
func CheckNames(service *servingv1.Service) error {
	prefix := len(v1beta1.PrimaryTag) + len("-") // the longer of the two tags
	// What may be added to the name before the first limit is met.
	spare := maxLabel - len(service.Name)
	for _, host := range []string{hostname(service.Status.URL), addressHost(service)} {
		spare = min(spare, spareOf(host, service.Name))
	}
	if spare >= prefix {
		return nil
	}
	return fmt.Errorf("service \"%s/%s\" has too long a name: the host of its tag, %s-%s, would exceed what DNS allows, and Knative would break the Route; the longest name that works here has %d characters, this one has %d",
		service.Namespace, service.Name, v1beta1.PrimaryTag, service.Name, len(service.Name)+spare-prefix, len(service.Name))
}

func addressHost(service *servingv1.Service) string {
	if service.Status.Address == nil {
		return ""
	}
	return hostname(service.Status.Address.URL)
}

// spareOf is by how many characters the name may grow in a host.
func spareOf(host, name string) int {
	spare := maxLabel
	if host == "" || !strings.Contains(host, name) {
		return spare
	}
	spare = min(spare, maxHost-len(host))
	for label := range strings.SplitSeq(host, ".") {
		if strings.Contains(label, name) {
			spare = min(spare, maxLabel-len(label))
		}
	}
	return spare
}
