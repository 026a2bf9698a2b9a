package tap

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/measure"
)

// Dial is what connects, and its error is told to the client.
func TestAddressThatIsRefusedIsToldToTheClient(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer target.Close()
	recorded := make(chan measure.Result, 1)
	proxy := New(Config{
		Find: func(context.Context, string) (hosts.Place, error) {
			return hosts.Place{Host: host, Address: target.Listener.Addr().String()}, nil
		},
		Record: func(_ hosts.Place, r measure.Result) { recorded <- r },
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			return nil, errors.New("refused to connect to " + address)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	defer proxy.Close()
	answer := httptest.NewRecorder()
	proxy.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", nil))
	if answer.Code != http.StatusBadGateway || !strings.Contains(answer.Body.String(), "refused to connect to "+target.Listener.Addr().String()) {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if r := <-recorded; r.OK {
		t.Errorf("%+v", r)
	}
}
