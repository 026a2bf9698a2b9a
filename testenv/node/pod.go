package node

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/testenv/process"
)

// The pause between two starts of a pod that dies, as kubelet's but shorter.
const (
	firstPause = time.Second
	lastPause  = 10 * time.Second
)

// stopGrace is the time a pod gets to end by itself when the node stays.
const stopGrace = 2 * time.Second

// pod is one replica: a process that is started again whenever it ends.
type pod struct {
	name     string // of the Pod object, too
	command  command
	cannot   error // why there is nothing to run, or nil
	watchdog *process.Watchdog
	dir      string                // where it works
	log      string                // the file for what it prints
	changed  func(context.Context) // tells the reconciler

	stop chan struct{} // closed to end it

	mu      sync.Mutex // guards what follows
	now     state
	running *process.Process
}

// state is what there is to say about a pod at one moment. It is not ready
// unless it has an address.
type state struct {
	address string // host:port while it is ready
	// reason and message say why it is not ready, in kubelet's words.
	reason, message string
	started         metav1.Time // of the process that runs now; zero when none does
	ended           *corev1.ContainerStateTerminated
	restarts        int32
}

// trouble is why a pod is not ready, for people.
func (s state) trouble() string {
	if s.message == "" {
		return s.reason
	}
	return s.reason + ": " + s.message
}

// The reasons of kubelet that a node has a use for.
const (
	containerCreating = "ContainerCreating"
	crashLoop         = "CrashLoopBackOff"
	imagePull         = "ImagePullBackOff"
	running           = "Running" // without an address: not ready yet
)

func (p *pod) update(ctx context.Context, change func(*state)) {
	p.mu.Lock()
	change(&p.now)
	p.mu.Unlock()
	p.changed(ctx)
}

func (p *pod) state() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
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

// pid is the id of the process that runs now, or zero.
func (p *pod) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return 0
	}
	return p.running.PID()
}

func (p *pod) setRunning(running *process.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = running
}

// run keeps the pod's process running until the pod is stopped or ctx ends,
// and returns when it has ended.
func (p *pod) run(ctx context.Context) {
	own, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		select {
		case <-p.stop:
			cancel()
		case <-own.Done():
		}
	})
	if p.cannot != nil {
		p.update(own, func(s *state) { s.reason, s.message = imagePull, p.cannot.Error() })
		<-own.Done()
		return
	}
	pause := firstPause
	for own.Err() == nil {
		wasReady, err := p.runOnce(ctx, own)
		if own.Err() != nil {
			return
		}
		if wasReady {
			pause = firstPause
		}
		p.update(own, func(s *state) {
			s.reason, s.message = crashLoop, fmt.Sprintf("back-off %s restarting failed container: %v", pause, err)
			s.restarts++
		})
		select {
		case <-own.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// runOnce runs one process from its start to its end, which comes when own, a
// child of the node's ctx, does. Only when the node stays is the process asked
// to end: with the node goes everything that could matter to it.
func (p *pod) runOnce(ctx, own context.Context) (wasReady bool, err error) {
	found, err := freePorts(append(ports(p.command.args), p.command.port))
	if err != nil {
		return false, err
	}
	args, env := p.command.onPorts(found)
	started, err := process.Start(p.watchdog, process.Command{
		Path: p.command.program.Path, Args: args, Env: env, Dir: p.dir, Log: p.log,
	})
	if err != nil {
		return false, err
	}
	p.setRunning(started)
	p.update(own, func(s *state) { s.reason, s.message, s.started = running, "", now() })
	probe := newProbe(found[p.command.port], p.command.probe)
	defer probe.close()
	if probe.await(own, started) {
		wasReady = true
		p.update(own, func(s *state) { s.address = probe.address })
		select {
		case <-own.Done():
		case <-started.Done():
		}
	}
	// No more requests before it is asked to end.
	p.update(own, func(s *state) { s.address = "" })
	if ctx.Err() != nil {
		started.Kill()
	}
	started.Stop(stopGrace)
	p.setRunning(nil)
	p.update(own, func(s *state) { s.ended, s.started = terminated(s.started, started), metav1.Time{} })
	return wasReady, started.Ended()
}

// killedBySignal is what a shell, and a container runtime, add to the number
// of the signal that ended a process.
const killedBySignal = 128

// terminated describes a process that has ended as kubelet describes a
// container, with the end of its log as the message.
func terminated(started metav1.Time, p *process.Process) *corev1.ContainerStateTerminated {
	end := &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: started, FinishedAt: now()}
	if exit, ok := errors.AsType[*exec.ExitError](p.Err()); ok {
		end.Reason, end.ExitCode, end.Message = "Error", int32(exit.ExitCode()), p.Tail()
		if signal := exitSignal(exit); signal != 0 {
			end.ExitCode, end.Signal = killedBySignal+signal, signal
		}
	}
	return end
}

// now has the precision that the API server keeps, so that what was written
// equals what is read.
func now() metav1.Time { return metav1.Now().Rfc3339Copy() }
