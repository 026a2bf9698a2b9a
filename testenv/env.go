package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/testenv/node"
	"github.com/serin-dev/serin/testenv/process"
	"github.com/serin-dev/serin/testenv/upstream"
)

// Options of an environment. The zero value is a good one.
type Options struct {
	// CRDs are files, or folders of them, to install besides Knative's.
	CRDs []string
	// Grace is how long a revision that no Route names keeps its processes.
	// Default 10s; Knative's own is about a minute.
	Grace time.Duration
	// Progress is told what is being built. Default os.Stderr.
	Progress io.Writer
	// Log takes what node, ingress and admission have to say. Default none.
	Log *slog.Logger
}

const defaultGrace = 10 * time.Second

func (o Options) withDefaults() Options {
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	if o.Progress == nil {
		o.Progress = os.Stderr
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Env is a running environment. Its methods may be called from any goroutine.
type Env struct {
	// Config reaches the API server with all rights, and Kubeconfig is the
	// path of a file that does too.
	Config     *rest.Config
	Kubeconfig string
	// Client does the same, with the types of Kubernetes, Knative and Serin.
	Client client.Client
	// Gateway is the host:port of the ingress.
	Gateway string
	// Node runs the revisions' processes.
	Node *node.Node

	options   Options
	dir       string
	watchdog  *process.Watchdog
	processes []*process.Process // in the order in which they were started

	inside context.Context // of what runs in this process; ended by cancel
	cancel context.CancelFunc
	wg     sync.WaitGroup
	failed chan error // holds the first error of what runs in this process

	stopOnce sync.Once
	stopErr  error
}

// Start starts an environment and returns when Knative serves in it. The first
// time it builds what is needed, which takes minutes. ctx bounds the start
// alone; the environment runs until Stop.
func Start(ctx context.Context, options Options) (*Env, error) {
	env := &Env{options: options.withDefaults(), failed: make(chan error, 1)}
	env.inside, env.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := env.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the test environment: %w", err), env.Stop())
	}
	return env, nil
}

func (e *Env) start(ctx context.Context) error {
	programs, err := upstream.Build(ctx, e.options.Progress)
	if err != nil {
		return err
	}
	if e.dir, err = os.MkdirTemp("", "serin-testenv-"); err != nil {
		return err
	}
	if e.watchdog, err = process.NewWatchdog(e.dir); err != nil {
		return err
	}
	if err := e.startControlPlane(ctx, programs); err != nil {
		return err
	}
	if err := e.installKnative(ctx, programs); err != nil {
		return err
	}
	if err := e.startControllerManager(programs); err != nil {
		return err
	}
	if err := e.startInside(ctx, programs); err != nil {
		return err
	}
	return e.startKnative(programs)
}

// Stop ends everything that Start has started, removes its files, and returns
// when that is done. Calling it again does nothing.
func (e *Env) Stop() error {
	e.stopOnce.Do(func() {
		e.cancel()
		// Nothing of what they know is kept, so they need not be asked.
		for _, p := range e.processes {
			e.wg.Go(p.Kill)
		}
		e.wg.Wait()
		if e.watchdog != nil {
			e.stopErr = e.watchdog.Close() // removes the folder, too
		}
	})
	return e.stopErr
}

// Failed delivers the error of what has ended although it should run.
func (e *Env) Failed() <-chan error { return e.failed }

func (e *Env) fail(err error) {
	select {
	case e.failed <- err:
	default: // there is one already
	}
}

// run starts a child process that lives as long as the environment.
func (e *Env) run(path string, env []string, args ...string) (*process.Process, error) {
	p, err := process.Start(e.watchdog, process.Command{
		Path: path, Args: args, Env: env, Dir: e.dir, Log: e.path(filepath.Base(path) + ".log"),
	})
	if err != nil {
		return nil, err
	}
	e.processes = append(e.processes, p)
	return p, nil
}

func (e *Env) path(elements ...string) string {
	return filepath.Join(append([]string{e.dir}, elements...)...)
}
