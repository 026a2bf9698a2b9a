package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/daemon/access"
	"github.com/serin-dev/serin/daemon/archive"
	"github.com/serin-dev/serin/daemon/fault"
	"github.com/serin-dev/serin/daemon/history"
	"github.com/serin-dev/serin/daemon/page"
)

// Limits that keep a slow or hostile client from holding a connection, and a
// large one from filling the memory.
const (
	headerTimeout   = 5 * time.Second
	bodyTimeout     = 10 * time.Second
	idleTimeout     = time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeaderBytes  = 64 << 10
	maxBody         = 1 << 20
	// sendBuffer is how much the kernel takes of what a client does not read, in
	// bytes of each connection, so that this is soon noticed.
	sendBuffer = 64 << 10
)

// Server serves the daemon's HTTP surface.
type Server struct {
	Listener net.Listener
	// Ready reports why the daemon is not ready, or nil.
	Ready func(context.Context) error
	// Rivals says which other daemons serve the same Canaries, or nothing.
	Rivals  func() string
	Metrics prometheus.Gatherer

	// Canaries reads Canaries from a cache, and Change patches them.
	Canaries client.Reader
	Change   client.Client
	// Guard says who may change something.
	Guard *access.Guard
	// History, Reports and Faults are those of the rollouts. Working reports
	// whether this daemon has the lease: only then do faults act here.
	History *history.History
	Reports archive.Shelf
	Faults  *fault.Faults
	Working func() bool
	// Contract routes Flagger's load tester contract; nil for not at all.
	Contract func(router *mux.Router, handle func(func(http.ResponseWriter, *http.Request) error) http.Handler)
	// Namespaces are those that are served; empty for all.
	Namespaces []string
	// Version is the daemon's own.
	Version string
	Log     *slog.Logger

	events  memo[[]byte]       // what the API's streams send
	pages   memo[page.Regions] // what the pages' streams send
	lists   memo[[]string]     // of reports
	fresh   memo[[]byte]       // reports of rollouts that run, compressed
	streams atomic.Int32       // that are open

	rendering sync.Mutex // held while a report is rendered
	limitOnce sync.Once
	limit     limits
}

// limits are the budgets of all requests.
type limits struct{ bodies, answers *budget }

func (s *Server) limits() *limits {
	s.limitOnce.Do(func() { s.limit = limits{newBudget(bodyBudget), newBudget(answerBudget)} })
	return &s.limit
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
		ConnContext:       narrow,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // streams end with it
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

// narrow has the kernel take little that is not read.
func narrow(ctx context.Context, conn net.Conn) context.Context {
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		_ = c.SetWriteBuffer(sendBuffer) // it is a bound more, and not the only one
	}
	return ctx
}

// NeedLeaderElection is false: every replica answers its probes.
func (s *Server) NeedLeaderElection() bool { return false }

// Handler routes requests.
func (s *Server) Handler() http.Handler {
	router := mux.NewRouter()
	router.UseEncodedPath() // a name with a slash in it is not two
	router.Handle("/healthz", s.handle(s.healthz)).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/readyz", s.handle(s.readyz)).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/metrics", s.handle(s.metrics)).Methods(http.MethodGet)
	s.routeAPI(router)
	s.routePages(router)
	if s.Contract != nil {
		s.Contract(router, s.handle)
	}
	router.NotFoundHandler = s.handle(func(_ http.ResponseWriter, r *http.Request) error {
		return &Error{http.StatusNotFound, fmt.Sprintf("there is no %s here", r.URL.Path)}
	})
	router.MethodNotAllowedHandler = s.handle(func(_ http.ResponseWriter, r *http.Request) error {
		return &Error{http.StatusMethodNotAllowed, fmt.Sprintf("%s does not answer %s", r.URL.Path, r.Method)}
	})
	return s.protect(router)
}

// protect is around everything.
func (s *Server) protect(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox")
		header.Set("Cache-Control", "no-store")
		if err := access.CheckName(r); err != nil {
			return err
		}
		if err := origins.Check(r); err != nil {
			return &Error{http.StatusForbidden, "a page of another origin may not change anything here"}
		}
		done, err := s.holdBody(w, r)
		if err != nil {
			return err
		}
		defer done()
		paced := pace(w)
		defer paced.extend() // for what is still to be sent
		next.ServeHTTP(paced, r)
		return nil
	})
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	giveBack, err := s.holdAnswer(r, metricsWeight, patience)
	if err != nil {
		return err
	}
	defer giveBack()
	promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return respond(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := s.Ready(r.Context()); err != nil {
		return &Error{http.StatusServiceUnavailable, err.Error()}
	}
	answer := map[string]string{"status": "ok"}
	if s.Rivals != nil {
		if rivals := s.Rivals(); rivals != "" { // which is no reason to be restarted
			answer["warning"] = rivals
		}
	}
	return respond(w, http.StatusOK, answer)
}
