package loadtester

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// installed are the paths of programs.
func installed(t *testing.T, names ...string) (paths []string) {
	t.Helper()
	for _, name := range names {
		at, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, at)
	}
	return paths
}

// A name that leads to a program which runs others is one.
func TestProgramsThatRunOthersCannotBeAllowed(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, []byte("#!/nowhere\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return at
	}
	link := func(to, name string) string {
		at := filepath.Join(dir, name)
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	plain, python, busybox := file("plain"), file("python3.11"), file("busybox")
	for path, says := range map[string]string{
		python:                          "runs others",
		busybox:                         "runs others",
		link("/bin/sh", "innocent"):     "runs others",
		link(python, "report"):          "runs others",
		link(plain, "bash"):             "runs others",
		link(busybox, "env"):            "runs others",
		file("ld-linux-x86-64.so.2"):    "runs others",
		file("wrk"):                     "sends the load itself",
		filepath.Base(plain):            "absolute path",
		dir + "/../" + dir + "/plain":   "absolute path",
		file("plain") + " ":             "absolute path",
		"":                              "absolute path",
		dir:                             "directory",
		filepath.Join(dir, "not-there"): "no such file",
	} {
		if _, err := lookUp([]string{path}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", path, err, says)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "other"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := lookUp([]string{plain, file("other/plain")}); err == nil || !strings.Contains(err.Error(), "same name") {
		t.Errorf("two of one name: %v", err)
	}
	for _, path := range []string{plain, link(plain, "another"), link(busybox, "true")} {
		programs, err := lookUp([]string{path})
		if err != nil || programs[path].path != path || programs[filepath.Base(path)].path != path {
			t.Errorf("%q: %v, %v", path, programs, err)
		}
	}
}

func TestArgumentsThatStartAnotherProgramAreRefused(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) { c.AllowExec = installed(t, "echo") }).run()
	echo := w.programs["echo"]
	w.programs["helm"] = program{name: "helm", path: echo.path, at: echo.at}
	for command, status := range map[string]int{
		"upgrade x ./chart --post-renderer /bin/cat": 403,
		"upgrade x ./chart --post-renderer=cat":      403,
		"plugin install x":                           403,
		"--exec=/bin/cat":                            403,
		"-x/bin/cat":                                 403,
		"a,/bin/cat":                                 403,
		"'sh -c id'":                                 403,
		"bash":                                       403,
		"--shell=bash":                               403,
		"/no/such/python3":                           403,
		"../../../../../../../../../bin/cat":         403,
		"test podinfo --namespace=test":              200,
		"upgrade podinfo /usr/lib --set a=b/c":       200,
		"get /etc/passwd":                            200,
	} {
		if got, answer := w.post("/", hook(command, "type", "helm")); got != status {
			t.Errorf("%s: %d %s, want %d", command, got, answer, status)
		}
	}
	if status, answer := w.post("/", hook(echo.path+" x")); status != 202 {
		t.Errorf("by its path: %d %s", status, answer)
	}
}

func TestProgramsGetTheirArgumentsAndNoShell(t *testing.T) {
	t.Setenv("SECRET", "x")
	w := newWorld(t, nil, func(c *Config) { c.AllowExec = installed(t, "echo", "printenv", "seq", "sleep") }).run()
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
	w = newWorld(t, nil, func(c *Config) { c.AllowExec, c.ExecTimeout = []string{filepath.Join(dir, "family")}, timeout }).run()
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
