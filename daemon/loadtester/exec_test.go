package loadtester

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProgramsGetTheirArgumentsAndNoShell(t *testing.T) {
	t.Setenv("SECRET", "x")
	w := newWorld(t, nil, func(c *Config) { c.AllowExec = []string{"echo", "printenv", "seq", "sleep"} }).run()
	for _, tc := range []struct{ name, command, want string }{
		{"echo", "'a  b' '$HOME;`id`' *", "a  b $HOME;`id` *\n"},
		{"printenv", "", "PATH=" + os.Getenv("PATH") + "\nHOME=" + os.Getenv("HOME") + "\n"},
	} {
		w.programs["helm"] = w.programs[tc.name]
		command := tc.command
		if command == "" {
			command = "PATH HOME"
			tc.want = os.Getenv("PATH") + "\n" + os.Getenv("HOME") + "\n"
		}
		if status, answer := w.post("/", hook(command, "type", "helm", "returnCmdOutput", "true")); status != 200 || answer != tc.want {
			t.Errorf("%s %s: %d %q, want %q", tc.name, command, status, answer, tc.want)
		}
	}
	w.programs["helm"] = w.programs["printenv"]
	if status, answer := w.post("/", hook("SECRET", "type", "helm")); status != 500 {
		t.Errorf("the environment is handed on: %d %s", status, answer)
	}
	w.programs["helm"] = w.programs["seq"]
	if status, answer := w.post("/", hook("1000000", "type", "helm", "returnCmdOutput", "true")); status != 200 || len(answer) != maxOutput {
		t.Errorf("%d, %d bytes", status, len(answer))
	}
	for _, command := range []string{"echo a; id", "echo a && id", "echo $(id)"} {
		if status, _ := w.post("/", hook(command)); status != 400 {
			t.Errorf("%s: %d", command, status)
		}
	}
}

// family is a program that starts another one, which has the same output, tells
// both process ids, and lasts.
func family() {
	attr := &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}}
	child, err := os.StartProcess("/bin/sleep", []string{"sleep", "600"}, attr)
	if err != nil {
		os.Exit(1)
	}
	text := fmt.Sprintf("%d %d", os.Getpid(), child.Pid)
	file := filepath.Join(os.Getenv("HOME"), "pids")
	if os.WriteFile(file+".new", []byte(text), 0o600) != nil || os.Rename(file+".new", file) != nil {
		os.Exit(1)
	}
	_, _ = child.Wait()
}

// newFamily is a world where that program is allowed.
func newFamily(t *testing.T, timeout time.Duration) (w *world, pids func() []int) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "family")); err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, nil, func(c *Config) { c.AllowExec, c.ExecTimeout = []string{"family"}, timeout }).run()
	return w, func() []int {
		found := make([]int, 2)
		w.eventually("there are two processes", func() bool {
			text, err := os.ReadFile(filepath.Join(dir, "pids"))
			if err != nil {
				return false
			}
			_, err = fmt.Sscan(string(text), &found[0], &found[1])
			return err == nil
		})
		return found
	}
}

// gone reports whether a process has ended; nobody may have taken note yet.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func TestProgramsEndWithAllTheirChildrenAtShutdown(t *testing.T) {
	w, pids := newFamily(t, time.Hour)
	if status, answer := w.post("/", hook("family")); status != 202 {
		t.Fatal(status, answer)
	}
	found := pids()
	if gone(found[0]) || gone(found[1]) {
		t.Fatal("they do not run")
	}
	w.stopped()
	for _, pid := range found {
		w.eventually("the process is gone", func() bool { return gone(pid) })
	}
	if w.ends("exec", resultStopped) != 1 {
		t.Error("it was not stopped")
	}
}

func TestProgramsEndWithAllTheirChildrenAtTheTimeout(t *testing.T) {
	w, pids := newFamily(t, 2*time.Second)
	w.programs["kubectl"] = w.programs["family"]
	status, answer := w.post("/", hook("x", "type", "kubectl"))
	if status != 500 || !strings.Contains(answer, "did not end within 2s") {
		t.Errorf("%d %s", status, answer)
	}
	for _, pid := range pids() {
		w.eventually("the process is gone", func() bool { return gone(pid) })
	}
	if w.ends("exec", resultFailed) != 1 {
		t.Error("it did not fail")
	}
}

// A hook that is tried again waits for the command that runs already.
func TestBlockingCommandsAreSharedAndStopped(t *testing.T) {
	w, pids := newFamily(t, time.Hour)
	w.programs["helm"] = w.programs["family"]
	answers := make(chan string, 2)
	for range 2 {
		go func() {
			status, answer := w.post("/", hook("upgrade", "type", "helm"))
			answers <- fmt.Sprint(status, answer)
		}()
	}
	pids()
	w.Tester.mu.Lock()
	n := len(w.running)
	w.Tester.mu.Unlock()
	w.stopped()
	for range 2 {
		if answer := <-answers; !strings.HasPrefix(answer, "503") || !strings.Contains(answer, "stopping") {
			t.Error(answer)
		}
	}
	if n != 1 || w.ends("exec", resultStopped) != 1 {
		t.Errorf("%d ran", n)
	}
}
