package ingress

import (
	"reflect"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
)

func TestRequestsGoToReadyAddressesOfKnativesPort(t *testing.T) {
	slice := func(port string, number int32, endpoints ...discoveryv1.Endpoint) discoveryv1.EndpointSlice {
		return discoveryv1.EndpointSlice{
			Ports:     []discoveryv1.EndpointPort{{Name: new("http-metrics"), Port: new(int32(9090))}, {Name: &port, Port: &number}},
			Endpoints: endpoints,
		}
	}
	endpoint := func(address string, ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ready}}
	}
	got := addresses([]discoveryv1.EndpointSlice{
		slice("http", 8012, endpoint("10.0.0.1", nil), endpoint("10.0.0.2", new(false)), endpoint("10.0.0.3", new(true))),
		slice("http2", 8013, endpoint("fd00::1", nil)),
		slice("queue-port", 8112, endpoint("10.0.0.4", nil)),
		{},
	})
	if want := []string{"10.0.0.1:8012", "10.0.0.3:8012", "[fd00::1]:8013"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
