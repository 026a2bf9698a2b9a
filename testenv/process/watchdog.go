package process

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// script keeps the list of live process groups and kills them when its input
// ends. It ignores the signals that end the parent: it has to come after it.
const script = `
trap '' INT TERM HUP
live=' '
while read -r what group; do
	case $what in
	+) live="$live$group " ;;
	-) live="${live%% $group *} ${live#* $group }" ;;
	esac
done
for group in $live; do kill -KILL "-$group" 2>/dev/null; done
[ $# = 0 ] && exit 0
for try in 1 2 3 4 5; do # what was just killed may still be writing
	rm -rf -- "$@" 2>/dev/null && exit 0
	sleep 1
done
exit 1
`

// Watchdog kills the processes that its parent leaves behind.
type Watchdog struct {
	cmd *exec.Cmd

	mu   sync.Mutex // guards pipe: one line at a time
	pipe io.WriteCloser
}

// NewWatchdog starts a watchdog. When everything has ended it removes the
// folders, in which the processes have worked.
func NewWatchdog(folders ...string) (*Watchdog, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "watchdog"}, folders...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe() // close-on-exec, so that no child holds it open
	if err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	return &Watchdog{cmd: cmd, pipe: pipe}, nil
}

func (w *Watchdog) tell(what string, group int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := fmt.Fprintf(w.pipe, "%s %d\n", what, group); err != nil {
		return fmt.Errorf("tell the watchdog: %w", err)
	}
	return nil
}

// Close ends the watchdog, and with it all processes that are still running
// and the folders.
func (w *Watchdog) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.pipe.Close(); err != nil {
		return fmt.Errorf("close the watchdog: %w", err)
	}
	return w.cmd.Wait()
}
