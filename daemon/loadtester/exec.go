package loadtester

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	// maxOutput is how much of a program's output is kept, in bytes.
	maxOutput = 64 << 10
	// killAfter is how long a program has to end when it is told to.
	killAfter = 5 * time.Second
)

// run runs a program with its arguments, and ends it, with all that it has
// started, when its time is over or ctx ends.
func (t *Tester) run(ctx context.Context, p program, args []string) ending {
	timed, cancel := context.WithTimeout(ctx, t.config.ExecTimeout)
	defer cancel()
	var output bounded
	cmd := exec.CommandContext(timed, p.at, args...)
	cmd.Args[0] = p.path // by which some programs know what they are
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
