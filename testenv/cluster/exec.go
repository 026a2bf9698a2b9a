//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Exec becomes a program in the cluster's network, from where the API server,
// Services and pods can be reached, and nothing else. It has $KUBECONFIG and
// $SERIN_GATEWAY, and finds kubectl. It returns only when that fails.
func Exec(command []string) error {
	s, err := newState()
	if err != nil {
		return err
	}
	pid, err := s.pid()
	if err != nil {
		return err
	}
	if err := os.Setenv("PATH", os.Getenv("PATH")+string(filepath.ListSeparator)+s.path("bin")); err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the network is the thread's, and so the next program's
	if err := enter(pid); err != nil {
		return fmt.Errorf("enter the cluster's network: %w", err)
	}
	env := append(slices.DeleteFunc(os.Environ(), isProxy), "KUBECONFIG="+s.kubeconfig(), "SERIN_GATEWAY="+gateway)
	return fmt.Errorf("become %s: %w", path, unix.Exec(path, command, env))
}

func enter(pid int) error {
	network, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	return errors.Join(unix.Setns(int(network.Fd()), unix.CLONE_NEWNET), network.Close())
}

// isProxy finds the variables that would send requests out of the cluster.
func isProxy(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return strings.HasSuffix(strings.ToLower(name), "_proxy")
}
