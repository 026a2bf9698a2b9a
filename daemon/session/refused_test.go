package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/measure"
)

// Without a gateway, the names of the Services lead wherever DNS says; the
// gateway is the operator's.
func TestControlRefusesTargetsButNotTheGateway(t *testing.T) {
	asked := make(chan struct{}, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	defer server.Close()
	address := server.Listener.Addr().String()
	for _, gateway := range []string{"", address} {
		measured := make(chan *measure.Snapshot, 100)
		s := New(Config{
			Gateway: gateway, Log: slog.New(slog.DiscardHandler), Notify: func(context.Context, types.NamespacedName) {},
			Control: func(string, string, syscall.RawConn) error { return errors.New("refused") },
			Measured: func(_ types.NamespacedName, primary, _ *measure.Snapshot) {
				if primary != nil && primary.Requests() > 0 {
					select {
					case measured <- primary:
					default: // there are enough
					}
				}
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		spec := guideSpec("rev-2")
		spec.Load.Warmup, spec.Load.Rate = time.Millisecond, 50
		spec.Primary.Address, spec.Canary.Address = address, address
		measureCheck(t, s, spec, 1)
		got := <-measured
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if reached := got.Failures == 0; reached != (gateway != "") || (len(asked) > 0) != (gateway != "") {
			t.Errorf("gateway %q: %d failures, %d requests have arrived", gateway, got.Failures, len(asked))
		}
	}
}
