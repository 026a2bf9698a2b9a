package tap

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/measure"
)

func TestListensOnLoopbackAlone(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:8081": true, "[::1]:8081": true, "localhost:0": true, "127.0.0.2:1": true,
		":8081": false, "0.0.0.0:8081": false, "[::]:1": false, "10.0.0.1:80": false, "example.com:80": false, "127.0.0.1": false, "": false,
	} {
		if err := CheckListen(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestServesUntilItsContextEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &Server{Listener: listener, Proxy: New(Config{Log: slog.New(slog.DiscardHandler)})}
	done := make(chan error, 1)
	go func() { done <- s.Start(ctx) }()
	resp, err := http.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	cancel()
	if err := <-done; err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, then %v", resp.StatusCode, err)
	}
}

func TestRequestsUnderWayAreBounded(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	proxy := New(Config{
		Find: func(_ context.Context, asked string) (hosts.Place, error) {
			return hosts.Place{Host: asked, Address: asked}, nil
		},
		Record: func(hosts.Place, measure.Result) {},
		Wrap: func(hosts.Place, http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				select {
				case arrived <- struct{}{}:
					<-release
				case <-release:
				}
				return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
			})
		},
		Log: slog.New(slog.DiscardHandler),
	})
	ask := func() int {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil))
		return w.Code
	}
	var under sync.WaitGroup
	for range maxRequests {
		under.Go(func() { ask() })
	}
	for range maxRequests {
		<-arrived
	}
	if code := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("one more: %d", code)
	}
	close(release)
	under.Wait()
	if code := ask(); code != http.StatusOK {
		t.Errorf("afterwards: %d", code)
	}
}
