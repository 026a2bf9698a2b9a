package process

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Command is what to start.
type Command struct {
	Path string
	Args []string
	Env  []string // added to the parent's environment
	Dir  string
	// Log is the file that takes what the process prints; it is made anew.
	Log string
}

// Process is a running child. Its methods may be called from any goroutine.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // how; to be read after done
}

// gate waits for one line before it becomes the program. The parent writes it
// when the watchdog knows the process: a parent that dies in between leaves
// nothing, because the read then fails.
const gate = `read -r _ && exec "$0" "$@" </dev/null`

// Start starts a child under a watchdog. A goroutine waits for the child and
// ends with it; Done tells when.
func Start(w *Watchdog, c Command) (*Process, error) {
	p, err := start(w, c)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.Path), err)
	}
	return p, nil
}

func start(w *Watchdog, c Command) (*Process, error) {
	path, err := exec.LookPath(c.Path)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(c.Log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	cmd := exec.Command("/bin/sh", append([]string{"-c", gate, path}, c.Args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, log, log
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	open, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	err = w.tell("+", cmd.Process.Pid)
	if err == nil {
		_, err = io.WriteString(open, "go\n")
	}
	p := &Process{name: filepath.Base(path), cmd: cmd, log: c.Log, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()               // closes the gate's pipe, too
		_ = w.tell("-", cmd.Process.Pid) // a watchdog that is gone has nothing to forget
		close(p.done)
	}()
	if err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// PID is the process' id, and its group's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// String is the program's name.
func (p *Process) String() string { return p.name }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended; nil for status 0. It waits for Done.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Ended says how the process ended, for where it should not have: it is never
// nil. It waits for Done.
func (p *Process) Ended() error {
	if err := p.Err(); err != nil {
		return fmt.Errorf("%s has ended: %w", p, err)
	}
	return fmt.Errorf("%s has ended with status 0", p)
}

// Stop asks the process to end and kills it when it has not after grace. It
// returns when the process has ended.
func (p *Process) Stop(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
	}
}

// Kill ends the process without asking, and returns when it has ended.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal reaches the whole group. A group that has ended is no error.
func (p *Process) signal(s syscall.Signal) {
	select {
	case <-p.done:
		return // the id may be another's by now
	default:
		_ = syscall.Kill(-p.PID(), s)
	}
}

// tailBytes is how much of a log is worth repeating.
const tailBytes = 4 << 10

// Tail returns the end of what the process printed.
func (p *Process) Tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(content) > tailBytes {
		content = content[len(content)-tailBytes:]
	}
	return string(bytes.TrimSpace(content))
}
