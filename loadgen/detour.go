package loadgen

import (
	"context"
	"errors"
	"net/http"
)

// Detour says how a request is sent that is not to be sent as it is: what is
// returned gets the request and the engine's own transport, made of net/http,
// and answers. nil sends the request as ever.
//
// It is how faults are injected: what they do to a request is measured by the
// engine as if the target had done it. For http and https.
type Detour func(r *Request) func(own http.RoundTripper) http.RoundTripper

var errNoDetour = errors.New("is gRPC, whose requests cannot take a detour")

// detours are the requests of a target that are sent otherwise.
type detours struct {
	client *std
	ask    Detour
}

func newDetours(plan *Plan, target Target) (*detours, error) {
	e, err := newEndpoint(target)
	if err != nil {
		return nil, err
	}
	if e.isGRPC() {
		return nil, errNoDetour
	}
	return &detours{client: newStdClient(plan, e, target.Transport), ask: target.Detour}, nil
}

// sender returns what sends a request that takes a detour, and nil for one that
// does not.
func (d *detours) sender(ctx context.Context, r *Request) sender {
	wrap := d.ask(r)
	if wrap == nil {
		return nil
	}
	client := *d.client
	client.transport = wrap(d.client.transport)
	return client.sender(ctx)
}
