package tap

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Limits as those of the daemon's own surface.
const (
	headerTimeout   = 5 * time.Second
	idleTimeout     = time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeaderBytes  = 64 << 10
)

// Server serves a Proxy.
type Server struct {
	Listener net.Listener
	Proxy    *Proxy
}

// CheckListen returns an error for an address that others than the pod's own
// processes could reach.
func CheckListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("must be host:port, not %q", address)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("must be on loopback, such as 127.0.0.1:8081, not %q: whoever reaches the proxy can send requests that count", address)
	}
	return nil
}

// Start serves until ctx ends, then lets requests that are under way finish.
// Its name is what controller-runtime asks of something that runs.
func (s *Server) Start(ctx context.Context) error {
	defer s.Proxy.Close()
	server := &http.Server{
		Handler:           s.Proxy,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.Proxy.config.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		// ctx has ended; the requests under way get a bound of their own.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		err := server.Shutdown(ctx)
		if err != nil {
			_ = server.Close() // what is left
			err = nil          // a stream that is still open is no failure of the daemon
		}
		stopped <- err
	})
	err := server.Serve(s.Listener)
	if stop() {
		return fmt.Errorf("serve the proxy: %w", err)
	}
	return <-stopped
}

// NeedLeaderElection is false: in the pod of a daemon that stands by, requests
// are forwarded as well, and count nowhere.
func (s *Server) NeedLeaderElection() bool { return false }
