//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// state is the folder of everything that a cluster keeps while it runs.
type state string

// newState is where the user's cluster is, running or not.
func newState() (state, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the cluster's files: %w", err)
	}
	return state(filepath.Join(root, "serin", "cluster")), nil
}

func (s state) path(elements ...string) string {
	return filepath.Join(append([]string{string(s)}, elements...)...)
}

func (s state) kubeconfig() string { return s.path("kubeconfig") }
func (s state) containerd() string { return s.path("containerd.sock") }

// failed is where the logs of a cluster that did not start are kept.
func (s state) failed() string { return string(s) + "-failed" }

func (s state) log(name string) string {
	return s.path("log", name+".log")
}

// ErrDown says that no cluster is running.
var ErrDown = errors.New("no cluster is running; `make cluster-up` starts one")

// hold takes the lock that says that a cluster is running. It belongs to
// whoever has the file open, which the cluster's first process inherits.
func (s state) hold() (*os.File, error) {
	if err := os.MkdirAll(s.path("log"), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.New("a cluster is running, or starting, already; `make cluster-down` ends it")
		}
		return nil, err
	}
	return file, nil
}

// pid is the process id of the cluster's first process, or ErrDown. The lock is
// what tells a stale id from a true one.
func (s state) pid() (int, error) {
	file, err := os.Open(s.path("lock"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, ErrDown
	} else if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // gives the lock back, too
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return 0, ErrDown
	}
	content, err := os.ReadFile(s.path("pid"))
	if err != nil {
		return 0, fmt.Errorf("a cluster is starting: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}

// endBound is how long the processes of a killed cluster may take to be gone.
const endBound = 30 * time.Second

// end kills the cluster, if it runs, and removes what the kernel does not.
func (s state) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endBound)
	defer cancel()
	pid, err := s.pid()
	if err == nil {
		// With its first process all of a PID namespace is killed, and it is
		// gone only after the others.
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil && !errors.Is(err, ErrDown) && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end the cluster: %w", err)
	}
	if err := poll(ctx, func() error {
		if _, err := s.pid(); !errors.Is(err, ErrDown) {
			return errors.New("its processes are still there")
		}
		return removeCgroups()
	}); err != nil {
		return fmt.Errorf("end the cluster: %w", err)
	}
	return errors.Join(os.RemoveAll(string(s)), os.RemoveAll(s.failed()))
}

// tidy removes what a cluster that was killed has left. One that runs it leaves
// alone.
func (s state) tidy(ctx context.Context) error {
	if _, err := s.pid(); errors.Is(err, ErrDown) {
		return s.end(ctx)
	}
	return nil
}

// pollPeriod is the time between two looks at something that is to happen.
const pollPeriod = 100 * time.Millisecond

// poll waits until ready returns nil, or gives up with its last error.
func poll(ctx context.Context, ready func() error) error {
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}
