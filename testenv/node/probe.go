package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/serin-dev/serin/testenv/process"
)

const (
	// probePeriod is the time between two probes of a starting process.
	probePeriod  = 50 * time.Millisecond
	probeTimeout = time.Second
)

// probe asks whether a process is ready: by HTTP where there is a path, else
// by connecting to its port.
type probe struct {
	address   string
	path      string
	transport *http.Transport
}

func newProbe(port int, path string) *probe {
	return &probe{
		address:   net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		path:      path,
		transport: &http.Transport{DisableKeepAlives: true},
	}
}

func (p *probe) close() { p.transport.CloseIdleConnections() }

// await asks until the process is ready; false when ctx or the process ended
// first.
func (p *probe) await(ctx context.Context, started *process.Process) bool {
	ticker := time.NewTicker(probePeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-started.Done():
			return false
		case <-ticker.C:
			if p.ask(ctx) == nil {
				return true
			}
		}
	}
}

func (p *probe) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if p.path == "" {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+p.path, nil)
	if err != nil {
		return err
	}
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("readiness probe: %s", resp.Status)
	}
	return nil
}
