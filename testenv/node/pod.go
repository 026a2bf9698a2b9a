package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/serin-dev/serin/testenv/process"
)

// The pause between two starts of a pod that dies, as kubelet's but shorter.
const (
	firstPause = time.Second
	lastPause  = 10 * time.Second
)

// probePeriod is the time between two readiness probes of a starting pod.
const probePeriod = 50 * time.Millisecond

// stopGrace is the time a pod gets to end by itself.
const stopGrace = 2 * time.Second

// pod is one replica: a process that is started again whenever it ends.
type pod struct {
	name     string
	command  command
	watchdog *process.Watchdog
	dir      string                // for logs and as the working directory
	changed  func(context.Context) // tells the reconciler

	stop chan struct{} // closed to end it

	mu      sync.Mutex // guards what follows
	address string     // host:port while it is ready
	trouble string     // why it is not
	running *process.Process
}

func (p *pod) set(ctx context.Context, address, trouble string, running *process.Process) {
	p.mu.Lock()
	p.address, p.trouble, p.running = address, trouble, running
	p.mu.Unlock()
	p.changed(ctx)
}

func (p *pod) state() (address, trouble string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.address, p.trouble
}

// kill ends the process that runs now, without asking.
func (p *pod) kill() {
	p.mu.Lock()
	running := p.running
	p.mu.Unlock()
	if running != nil {
		running.Kill()
	}
}

// run keeps the pod's process running until the pod is stopped or ctx ends,
// and returns when it has ended.
func (p *pod) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		select {
		case <-p.stop:
			cancel()
		case <-ctx.Done():
		}
	})
	pause := firstPause
	for ctx.Err() == nil {
		wasReady, err := p.runOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if wasReady {
			pause = firstPause
		}
		p.set(ctx, "", fmt.Sprintf("CrashLoopBackOff: %v; starting again in %s", err, pause), nil)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// runOnce runs one process from its start to its end.
func (p *pod) runOnce(ctx context.Context) (wasReady bool, err error) {
	found, err := freePorts(append(ports(p.command.args), p.command.port))
	if err != nil {
		return false, err
	}
	args, env := p.command.onPorts(found)
	running, err := process.Start(p.watchdog, process.Command{
		Path: p.command.program, Args: args, Env: env, Dir: p.dir, Log: filepath.Join(p.dir, p.name+".log"),
	})
	if err != nil {
		return false, err
	}
	defer running.Stop(stopGrace)
	defer p.set(ctx, "", "stopped", nil)
	p.set(ctx, "", "starting", running)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(found[p.command.port]))
	if !p.awaitReady(ctx, running, address) {
		return false, ended(running)
	}
	p.set(ctx, address, "", running)
	select {
	case <-ctx.Done():
	case <-running.Done():
	}
	return true, ended(running)
}

// ended says how a process ended, if it has.
func ended(p *process.Process) error {
	select {
	case <-p.Done():
		if err := p.Err(); err != nil {
			return fmt.Errorf("the process ended: %w", err)
		}
		return errors.New("the process ended with status 0")
	default:
		return context.Canceled
	}
}

// awaitReady probes a process until it answers; false when it ended first.
func (p *pod) awaitReady(ctx context.Context, running *process.Process, address string) bool {
	ticker := time.NewTicker(probePeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-running.Done():
			return false
		case <-ticker.C:
			if p.probe(ctx, address) == nil {
				return true
			}
		}
	}
}

func (p *pod) probe(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if p.command.probe == "" {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+p.command.probe, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("readiness probe: %s", resp.Status)
	}
	return nil
}
