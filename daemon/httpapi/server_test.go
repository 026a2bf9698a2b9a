package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func newServer() *Server {
	return &Server{
		Ready:   func(context.Context) error { return nil },
		Metrics: prometheus.NewRegistry(),
		Log:     slog.New(slog.DiscardHandler),
	}
}

func get(s *Server, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestAnswers(t *testing.T) {
	s := newServer()
	notReady := newServer()
	notReady.Ready = func(context.Context) error { return errors.New("the caches are not filled yet") }
	for _, tc := range []struct {
		server       *Server
		method, path string
		status       int
		body         string
	}{
		{s, "GET", "/healthz", 200, `{"status":"ok"}`},
		{s, "GET", "/readyz", 200, `{"status":"ok"}`},
		{s, "GET", "/metrics", 200, ""},
		{s, "POST", "/healthz", 405, "does not answer POST"},
		{s, "GET", "/nowhere", 404, "there is no /nowhere here"},
		{notReady, "GET", "/readyz", 503, "the caches are not filled yet"},
		{notReady, "GET", "/healthz", 200, `{"status":"ok"}`},
	} {
		got := get(tc.server, tc.method, tc.path)
		if got.Code != tc.status || !strings.Contains(got.Body.String(), tc.body) {
			t.Errorf("%s %s = %d %q, want %d with %q", tc.method, tc.path, got.Code, got.Body, tc.status, tc.body)
		}
	}
}

func TestPanicsAndUnknownErrorsStayInside(t *testing.T) {
	s := newServer()
	for name, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"panic": func(http.ResponseWriter, *http.Request) error { panic("secret") },
		"error": func(http.ResponseWriter, *http.Request) error { return errors.New("secret") },
	} {
		w := httptest.NewRecorder()
		s.handle(f).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s gives %d %q", name, w.Code, w.Body)
		}
	}
}

func TestServesUntilItsContextEnds(t *testing.T) {
	s := newServer()
	var err error
	if s.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Start(ctx) }()
	resp, err := http.Get("http://" + s.Listener.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Start returned %v after its context had ended", err)
	}
}
