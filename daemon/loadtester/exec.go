package loadtester

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

const (
	// maxOutput is how much of a program's output is kept, in bytes.
	maxOutput = 64 << 10
	// killAfter is how long a program has to end when it is told to.
	killAfter = 5 * time.Second
)

// lookUp finds the programs that are allowed.
func lookUp(names []string) (map[string]string, error) {
	if len(names) > 0 && !canExec {
		return nil, errors.New("no program can be allowed on this system, where its children could not be ended")
	}
	programs := make(map[string]string, len(names))
	for _, name := range names {
		if err := checkProgram(name); err != nil {
			return nil, err
		}
		at, err := exec.LookPath(name)
		if err == nil {
			at, err = filepath.Abs(at)
		}
		if err != nil {
			return nil, fmt.Errorf("allowed program: %w", err)
		}
		programs[name] = at
	}
	return programs, nil
}

// run runs a program with its arguments, and ends it, with all that it has
// started, when its time is over or ctx ends.
func (t *Tester) run(ctx context.Context, at string, args []string) ending {
	timed, cancel := context.WithTimeout(ctx, t.config.ExecTimeout)
	defer cancel()
	var output bounded
	cmd := exec.CommandContext(timed, at, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = killAfter
	inGroup(cmd)
	err := cmd.Run()
	endGroup(cmd) // what it has left behind
	e := ending{result: resultDone, output: output.bytes(), err: err}
	switch {
	case ctx.Err() != nil:
		e.result, e.err = resultStopped, errStopping
	case timed.Err() != nil:
		e.result, e.err = resultFailed, fmt.Errorf("it did not end within %v", t.config.ExecTimeout)
	case err != nil:
		e.result = resultFailed
	}
	return e
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	mu   sync.Mutex // guards text
	text []byte
}

// Write takes everything, and keeps what there is room for.
func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p[:min(len(p), maxOutput-len(b.text))]...)
	return len(p), nil
}

func (b *bounded) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text
}
