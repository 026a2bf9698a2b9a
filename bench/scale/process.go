package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/serin-dev/serin/testenv"
)

// process is the daemon.
type process struct {
	cmd    *exec.Cmd
	listen string
	done   chan struct{} // closed when it has ended
}

func startDaemon(ctx context.Context, serin string, env *testenv.Env) (*process, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{listen: listener.Addr().String(), done: make(chan struct{})}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(ctx, serin, "daemon", "--kubeconfig", env.Kubeconfig, "--gateway", env.Gateway, "--listen", p.listen, "--log-level", "error")
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", serin, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // however it ends
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
}

// usage is what a process took over some time.
type usage struct {
	cpu      float64 // of one core
	memory   float64 // MB, resident, the most so far
	requests float64 // to the API server, a minute
}

// over measures for a time, or for as long as something takes.
func (b *bench) over(ctx context.Context, d time.Duration, what func() error) (usage, error) {
	cpu, requests, begin := b.daemon.cpu(), b.daemon.requests(ctx), time.Now()
	if what != nil {
		if err := what(); err != nil {
			return usage{}, err
		}
	} else {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return usage{}, ctx.Err()
		}
	}
	took := time.Since(begin)
	return usage{
		cpu:      (b.daemon.cpu() - cpu).Seconds() / took.Seconds(),
		memory:   b.daemon.memory(),
		requests: (b.daemon.requests(ctx) - requests) / took.Minutes(),
	}, nil
}

// cpu is the time that the process has taken, in user and system mode.
func (p *process) cpu() time.Duration {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime, proc(5)
		n, _ := strconv.Atoi(field)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100
}

// memory is the largest resident set so far, in MB.
func (p *process) memory() float64 {
	content, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	for line := range strings.Lines(string(content)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kB / 1024
		}
	}
	return 0
}

// requests is the number of requests to the API server so far.
func (p *process) requests(ctx context.Context) (sum float64) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.listen+"/metrics", nil)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "rest_client_requests_total{") {
			fields := strings.Fields(lines.Text())
			n, _ := strconv.ParseFloat(fields[len(fields)-1], 64)
			sum += n
		}
	}
	return sum
}
