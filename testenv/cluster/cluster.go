//go:build linux

package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/serin-dev/serin/testenv/upstream"
)

// Options of a cluster. The zero value is a good one.
type Options struct {
	// Knative is the version of Knative Serving, out of
	// upstream.KnativeVersions. Default the first.
	Knative string
	// Images are archives to load besides the cluster's own.
	Images []string
	// Progress is told what happens. Default os.Stderr.
	Progress io.Writer
}

// plan is what the cluster's own processes are told by the one that starts them.
type plan struct {
	State    state
	Bin      string // where the running program is, and those that go into images
	Programs *upstream.ClusterPrograms
	Knative  string
	Files    upstream.KnativeFiles
	Images   []string
}

// Up starts a cluster and returns when Knative serves in it. The cluster goes
// on when this process ends, until Down. The first time it builds what is
// needed, which takes some ten minutes.
func Up(ctx context.Context, o Options) error {
	if o.Knative == "" {
		o.Knative = upstream.KnativeVersions()[0]
	}
	if o.Progress == nil {
		o.Progress = os.Stderr
	}
	if err := checkMachine(); err != nil {
		return err
	}
	s, err := newState()
	if err != nil {
		return err
	}
	p, err := prepare(ctx, s, o)
	if err != nil {
		return err
	}
	if err := s.tidy(ctx); err != nil {
		return err
	}
	lock, err := s.hold()
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // the cluster has its own descriptor
	if err := start(ctx, p, lock, o.Progress); err != nil {
		_ = lock.Close()
		return errors.Join(fmt.Errorf("start the cluster: %w; what it printed is in %s", err, s.failed()), s.giveUp(context.WithoutCancel(ctx)))
	}
	return nil
}

// prepare builds programs and images.
func prepare(ctx context.Context, s state, o Options) (*plan, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	programs, err := upstream.BuildCluster(ctx, o.Progress, o.Knative)
	if err != nil {
		return nil, err
	}
	files, err := programs.Knative.Files(ctx)
	if err != nil {
		return nil, err
	}
	p := &plan{State: s, Bin: filepath.Dir(self), Programs: programs, Knative: o.Knative, Files: files}
	own, err := p.writeImages(ctx, filepath.Join(filepath.Dir(string(s)), "images"))
	p.Images = append(own, o.Images...)
	return p, err
}

// start starts the cluster's first process, and with it all namespaces, and
// repeats what it says until it is ready.
func start(ctx context.Context, p *plan, lock *os.File, progress io.Writer) error {
	said, says, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = said.Close() }()
	log, err := os.Create(p.State.log("cluster"))
	if err != nil {
		return errors.Join(err, says.Close())
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("/proc/self/exe", initArgument)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{says, lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: namespaces}
	in, err := cmd.StdinPipe()
	if err != nil {
		return errors.Join(err, says.Close())
	}
	err = cmd.Start()
	_ = says.Close() // else reading would not end
	if err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Release() }()
	// Nothing happens inside before the plan is there, so that whoever wants to
	// end it can.
	if err := os.WriteFile(p.State.path("pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return err
	}
	if err := errors.Join(json.NewEncoder(in).Encode(p), in.Close()); err != nil {
		return err
	}
	interrupted := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer interrupted()
	if ready := repeat(progress, said); !ready {
		return errors.Join(errors.New("it has ended"), ctx.Err())
	}
	return nil
}

// readyLine is the last that the cluster says.
const readyLine = "ready"

func repeat(to io.Writer, from io.Reader) (ready bool) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if lines.Text() == readyLine {
			return true
		}
		_, _ = fmt.Fprintln(to, lines.Text())
	}
	return false
}

// giveUp ends a cluster that did not start, and keeps its logs until Down.
func (s state) giveUp(ctx context.Context) error {
	kept := s.path("..", "cluster-logs") // beside, where ending it does not remove it
	err := errors.Join(os.RemoveAll(kept), os.Rename(s.path("log"), kept), s.end(ctx))
	return errors.Join(err, os.Rename(kept, s.failed()))
}

// Down ends the cluster and removes what it has left. Without a cluster it only
// looks whether an earlier one has left something.
func Down(ctx context.Context) error {
	s, err := newState()
	if err != nil {
		return err
	}
	return s.end(ctx)
}

// Load imports the images of some archives into the running cluster.
func Load(ctx context.Context, archives []string) error {
	s, err := newState()
	if err != nil {
		return err
	}
	if _, err := s.pid(); err != nil {
		return err
	}
	return s.load(ctx, archives)
}
