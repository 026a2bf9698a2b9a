//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// namespaces are what the cluster has of its own.
const namespaces = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// Arguments with which the program starts itself.
const (
	initArgument  = "inside-init"
	serveArgument = "inside-serve"
)

// Descriptors that the first process inherits.
const (
	saysDescriptor = 3
	lockDescriptor = 4
)

// Inside runs what the program was started for by Up, if it was, and never
// returns then. It is to be called before anything else in main.
func Inside(args []string) {
	if len(args) != 1 {
		return
	}
	switch args[0] {
	case initArgument:
		os.Exit(reap())
	case serveArgument:
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, "cluster:", err)
			os.Exit(1)
		}
	}
}

// reap is the first process of the PID namespace: it starts the one that does
// the work, and buries orphans, of which containers make many. When it ends,
// the kernel kills what is left.
func reap() int {
	syscall.CloseOnExec(lockDescriptor)
	child, err := os.StartProcess("/proc/self/exe", []string{"cluster", serveArgument}, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, os.NewFile(saysDescriptor, "says")},
		Env:   os.Environ(),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	_ = syscall.Close(saysDescriptor) // when the child ends, so does what it says
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid == child.Pid {
			return status.ExitStatus()
		}
	}
}

// startBound is how long a cluster may take to start.
const startBound = 5 * time.Minute

// serve starts the cluster and watches over it.
func serve() error {
	syscall.CloseOnExec(saysDescriptor)
	says := os.NewFile(saysDescriptor, "says")
	p := new(plan)
	if err := json.NewDecoder(os.Stdin).Decode(p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	n := &node{plan: p, begin: time.Now(), says: says}
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	err := n.start(ctx)
	cancel()
	if err != nil {
		_, _ = fmt.Fprintln(says, err)
		return err
	}
	if _, err := io.WriteString(says, readyLine+"\n"); err != nil {
		return err
	}
	if err := says.Close(); err != nil {
		return err
	}
	return n.watch()
}
