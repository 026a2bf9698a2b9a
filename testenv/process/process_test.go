package process

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// parentVariable makes the test binary a parent that starts two children,
// prints their ids, and waits to be killed.
const parentVariable = "SERIN_PROCESS_TEST_PARENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentVariable); dir != "" {
		beParent(dir)
		return
	}
	os.Exit(m.Run())
}

func beParent(dir string) {
	w, err := NewWatchdog(filepath.Join(dir, "work"))
	if err != nil {
		panic(err)
	}
	ended := startScript(w, dir, "ended", "true")
	<-ended.Done()
	for i := range 2 {
		// A child that ignores being asked, with a child of its own.
		p := startScript(w, dir, strconv.Itoa(i), "trap '' TERM; sleep 600 & echo $!; wait")
		_, _ = fmt.Fprintln(os.Stdout, p.PID())
	}
	select {}
}

func startScript(w *Watchdog, dir, name, script string) *Process {
	p, err := Start(w, Command{Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(dir, name+".log")})
	if err != nil {
		panic(err)
	}
	return p
}

// eventually waits for a condition, for as long as the test may run.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(time.Minute)
	for !condition() {
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("%s: still not after a minute", what)
		}
	}
}

// alive reports whether a process exists that is not a zombie.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestKilledParentLeavesNoChild(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	work := filepath.Join(dir, "work", "etcd")
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), parentVariable+"="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	lines := bufio.NewScanner(out)
	for len(pids) < 2 && lines.Scan() {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	for i := range 2 {
		log := filepath.Join(dir, strconv.Itoa(i)+".log")
		eventually(t, "the child has a child", func() bool {
			content, err := os.ReadFile(log)
			pid, notYet := strconv.Atoi(strings.TrimSpace(string(content)))
			if err != nil || notYet != nil {
				return false
			}
			pids = append(pids, pid)
			return true
		})
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d is not running", pid)
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("process %d ends with its parent", pid), func() bool { return !alive(pid) })
	}
	eventually(t, "the folder is removed", func() bool {
		_, err := os.Stat(filepath.Dir(work))
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestStopAsksFirst(t *testing.T) {
	w, err := NewWatchdog()
	if err != nil {
		t.Fatal(err)
	}
	p := startScript(w, t.TempDir(), "polite", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done")
	eventually(t, "the process is ready", func() bool { return strings.Contains(p.Tail(), "ready") })
	p.Stop(time.Minute)
	if p.Err() == nil || !strings.Contains(p.Tail(), "bye") {
		t.Errorf("ended with %v after %q", p.Err(), p.Tail())
	}
	p.Stop(time.Minute) // once more is harmless
	if err := w.Close(); err != nil {
		t.Errorf("watchdog: %v", err)
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	w, err := NewWatchdog()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	p := startScript(w, t.TempDir(), "deaf", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
	eventually(t, "the process is ready", func() bool { return strings.Contains(p.Tail(), "ready") })
	p.Stop(50 * time.Millisecond)
	if alive(p.PID()) {
		t.Error("still running")
	}
}

func TestClosingTheWatchdogEndsEverything(t *testing.T) {
	w, err := NewWatchdog()
	if err != nil {
		t.Fatal(err)
	}
	p := startScript(w, t.TempDir(), "left", "sleep 600")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if p.Err() == nil {
		t.Error("a killed process ended well")
	}
}

func TestWhatCannotBeStartedSaysSo(t *testing.T) {
	w, err := NewWatchdog()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	dir := t.TempDir()
	if _, err := Start(w, Command{Path: filepath.Join(dir, "missing"), Log: filepath.Join(dir, "log")}); err == nil || !strings.Contains(err.Error(), "start missing") {
		t.Errorf("error %v", err)
	}
}
