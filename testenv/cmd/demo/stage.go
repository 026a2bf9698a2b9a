package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/testenv/process"
)

// binaries are the programs that play.
type binaries struct{ testenv, serin string }

// stage is a running environment with a running daemon.
type stage struct {
	client  client.WithWatch
	gateway string

	dir      string
	watchdog *process.Watchdog
	testenv  *exec.Cmd
	daemon   *process.Process
}

// raise starts the environment, then the daemon.
func raise(ctx context.Context, out narrator, b binaries, crds string, stderr io.Writer) (*stage, error) {
	s := new(stage)
	err := s.raise(ctx, out, b, crds, stderr)
	if err != nil {
		s.fall()
		return nil, err
	}
	return s, nil
}

func (s *stage) raise(ctx context.Context, out narrator, b binaries, crds string, stderr io.Writer) error {
	var err error
	if s.dir, err = os.MkdirTemp("", "serin-demo-"); err != nil {
		return err
	}
	if s.watchdog, err = process.NewWatchdog(); err != nil {
		return err
	}
	out.act("A Knative, without containers and without root (make testenv)")
	begin := time.Now()
	kubeconfig, err := s.startTestenv(ctx, b.testenv, crds, stderr)
	if err != nil {
		return err
	}
	out.step(begin, "kube-apiserver, etcd and the Knative controller are running; gateway at %s", s.gateway)

	out.act("The daemon (serin daemon --gateway %s)", s.gateway)
	begin = time.Now()
	if err := s.startDaemon(ctx, b.serin, kubeconfig); err != nil {
		return err
	}
	out.step(begin, "serin is ready")
	return s.connect(kubeconfig)
}

// startTestenv starts the environment and reads where it is from the two
// lines it prints. It is told to stop by SIGTERM, like a user's Ctrl-C.
func (s *stage) startTestenv(ctx context.Context, path, crds string, stderr io.Writer) (kubeconfig string, err error) {
	s.testenv = exec.Command(path, "-crds", crds)
	s.testenv.Stderr = stderr
	s.testenv.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	lines, err := s.testenv.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := s.testenv.Start(); err != nil {
		return "", fmt.Errorf("start the test environment: %w", err)
	}
	interrupted := context.AfterFunc(ctx, func() { _ = s.testenv.Process.Signal(syscall.SIGTERM) })
	defer interrupted()
	scanner := bufio.NewScanner(lines)
	for scanner.Scan() {
		name, value, _ := strings.Cut(strings.TrimPrefix(scanner.Text(), "export "), "=")
		switch name {
		case "KUBECONFIG":
			kubeconfig = value
		case "SERIN_GATEWAY":
			s.gateway = value
			return kubeconfig, nil
		}
	}
	return "", errors.Join(errors.New("the test environment did not start"), ctx.Err())
}

func (s *stage) startDaemon(ctx context.Context, path, kubeconfig string) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listen := free.Addr().String()
	_ = free.Close()
	s.daemon, err = process.Start(s.watchdog, process.Command{
		Path: path, Args: []string{"daemon", "--kubeconfig", kubeconfig, "--gateway", s.gateway, "--listen", listen},
		Log: filepath.Join(s.dir, "serin.log"),
	})
	if err != nil {
		return err
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !answers(ctx, "http://"+listen+"/readyz") {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.daemon.Done():
			return fmt.Errorf("the daemon ended: %w:\n%s", s.daemon.Err(), s.daemonLog())
		case <-ticker.C:
		}
	}
	return nil
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (s *stage) connect(kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), servingv1.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return err
	}
	s.client, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	return err
}

func (s *stage) daemonLog() string { return s.daemon.Tail() }

// fall ends everything, daemon first, and waits for it.
func (s *stage) fall() {
	if s.daemon != nil {
		s.daemon.Stop(10 * time.Second)
	}
	if s.testenv != nil && s.testenv.Process != nil {
		_ = s.testenv.Process.Signal(syscall.SIGTERM)
		_ = s.testenv.Wait()
	}
	if s.watchdog != nil {
		_ = s.watchdog.Close()
	}
	_ = os.RemoveAll(s.dir)
}
