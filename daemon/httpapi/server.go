package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits that keep a slow or hostile client from holding a connection.
const (
	headerTimeout   = 5 * time.Second
	idleTimeout     = time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeaderBytes  = 64 << 10
)

// Server serves the daemon's HTTP surface.
type Server struct {
	Listener net.Listener
	// Ready reports why the daemon is not ready, or nil.
	Ready   func(context.Context) error
	Metrics prometheus.Gatherer
	Log     *slog.Logger
}

// Start serves until ctx ends, then lets requests that are under way finish.
// Its name is what controller-runtime asks of something that runs.
func (s *Server) Start(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		// ctx has ended; the requests under way get a bound of their own.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	})
	err := server.Serve(s.Listener)
	if stop() {
		return fmt.Errorf("serve http: %w", err)
	}
	return <-stopped
}

// NeedLeaderElection is false: every replica answers its probes.
func (s *Server) NeedLeaderElection() bool { return false }

// Handler routes requests.
func (s *Server) Handler() http.Handler {
	router := mux.NewRouter()
	router.Handle("/healthz", s.handle(s.healthz)).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/readyz", s.handle(s.readyz)).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{})).Methods(http.MethodGet)
	router.NotFoundHandler = s.handle(func(_ http.ResponseWriter, r *http.Request) error {
		return &Error{http.StatusNotFound, fmt.Sprintf("there is no %s here", r.URL.Path)}
	})
	router.MethodNotAllowedHandler = s.handle(func(_ http.ResponseWriter, r *http.Request) error {
		return &Error{http.StatusMethodNotAllowed, fmt.Sprintf("%s does not answer %s", r.URL.Path, r.Method)}
	})
	return router
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return respond(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := s.Ready(r.Context()); err != nil {
		return &Error{http.StatusServiceUnavailable, err.Error()}
	}
	return respond(w, http.StatusOK, map[string]string{"status": "ok"})
}

// Error is an error that the client is told. Every other error is a bare 500
// to the client and a line in the log.
type Error struct {
	Status  int
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// handle adapts a handler that returns an error.
func (s *Server) handle(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				s.fail(w, r, fmt.Errorf("panic: %v", p))
			}
		}()
		if err := f(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	told, ok := errors.AsType[*Error](err)
	if !ok {
		s.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		told = &Error{http.StatusInternalServerError, "internal error; the log has more"}
	}
	// The client may be gone; there is nobody else to tell.
	_ = respond(w, told.Status, map[string]string{"error": told.Message})
}

func respond(w http.ResponseWriter, status int, body any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(body)
}
