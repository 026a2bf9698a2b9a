package loadtester

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is one that may be run.
type program struct {
	name string // what hooks call it, besides its path
	path string // as it was allowed, and what it sees as its own name
	at   string // path, with no symbolic link in it
}

// shells are told text to run.
var shells = []string{"sh", "bash", "rbash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "csh", "tcsh", "cmd", "powershell", "pwsh"}

// launchers are other programs that run what their arguments say: those that are
// made for it, interpreters, and some of many that have a flag for it.
var launchers = []string{
	"busybox", "toybox", "env", "xargs", "parallel", "sudo", "su", "doas", "runuser", "setpriv", "nohup", "nice", "ionice", "chrt", "taskset",
	"timeout", "time", "watch", "setsid", "script", "stdbuf", "unshare", "nsenter", "chroot", "flock", "strace", "ltrace", "gdb", "start-stop-daemon",
	"systemd-run", "at", "batch", "crontab", "docker", "podman", "nerdctl", "ctr", "crictl", "runc", "ssh", "socat", "nc", "ncat",
	"python", "perl", "ruby", "node", "lua", "php", "tclsh", "expect", "awk", "gawk", "mawk", "nawk", "jshell", "java",
	"find", "sed", "ed", "ex", "vi", "vim", "nvim", "emacs", "nano", "less", "more", "man", "make", "git", "scp", "sftp", "rsync", "tar", "zip", "ld.so",
}

// multicall are programs that are others by the names of links to them.
var multicall = []string{"busybox", "toybox", "coreutils"}

// startsProgram are flags and subcommands, of programs that are often allowed,
// with which they start another one, here or in a pod.
var startsProgram = map[string][]string{
	"helm":    {"--post-renderer", "--post-renderer-args", "--kubeconfig", "plugin"},
	"kubectl": {"--kubeconfig", "exec", "attach", "debug", "cp", "edit", "plugin", "run"},
}

// lookUp finds the programs that are allowed, by name and by path.
func lookUp(paths []string) (map[string]program, error) {
	if len(paths) > 0 && !canExec {
		return nil, errors.New("no program can be allowed on this system, where its children could not be ended")
	}
	programs := make(map[string]program, 2*len(paths))
	for _, path := range paths {
		p, err := findProgram(path)
		if err != nil {
			return nil, err
		}
		if other, ok := programs[p.name]; ok {
			return nil, fmt.Errorf("allowed programs %s and %s have the same name: allow one", other.path, p.path)
		}
		programs[p.name], programs[p.path] = p, p
	}
	return programs, nil
}

// findProgram finds a program, whose links are followed once, here.
func findProgram(path string) (program, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || strings.ContainsAny(path, " \t\r\n\x00") {
		return program{}, fmt.Errorf("allowed program %q must be an absolute path without spaces, such as /usr/bin/helm", path)
	}
	p := program{name: filepath.Base(path), path: path}
	if err := checkProgram(p.name); err != nil {
		return program{}, err
	}
	if _, err := exec.LookPath(path); err != nil {
		return program{}, fmt.Errorf("allowed program: %w", err)
	}
	var err error
	if p.at, err = filepath.EvalSymlinks(path); err != nil {
		return program{}, fmt.Errorf("allowed program: %w", err)
	}
	if name := filepath.Base(p.at); !slices.Contains(multicall, name) {
		if err := checkProgram(name); err != nil {
			return program{}, fmt.Errorf("%s leads to %s: %w", path, p.at, err)
		}
	}
	return p, nil
}

// checkProgram returns an error for the name of a program that runs others.
func checkProgram(name string) error {
	switch {
	case isShell(name), isLauncher(name):
		return fmt.Errorf("program %q runs others, so it cannot be allowed: there is never a shell", name)
	case isLoad(name):
		return fmt.Errorf("program %q cannot be allowed: Serin reads its command line and sends the load itself", name)
	}
	return nil
}

// bare is a program's name without case, suffix and version: python3.11 is python.
func bare(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".exe")
	return strings.TrimSuffix(strings.TrimRight(name, "0123456789.-"), "-static")
}

func isShell(name string) bool { return slices.Contains(shells, bare(name)) }

func isLauncher(name string) bool {
	return slices.Contains(launchers, bare(name)) || strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld-musl")
}

// checkArguments refuses arguments with which a program is known to start
// another one, the path of an executable, and the name of a shell. A program may
// have other ways.
func (p program) checkArguments(args []string) error {
	for _, arg := range args {
		flag, _, _ := strings.Cut(arg, "=")
		if slices.Contains(startsProgram[p.name], flag) {
			return refuse(http.StatusForbidden, "%s is not run with %.40q, which starts another program", p.name, flag)
		}
		for part := range strings.FieldsFuncSeq(arg, separates) {
			if isShell(part) || namesProgram(part) {
				return refuse(http.StatusForbidden, "%s is not run with %.80q, which names another program: only those of --allow-exec are started", p.name, arg)
			}
		}
	}
	return nil
}

// separates reports whether a character is between the parts of an argument.
func separates(r rune) bool { return strings.ContainsRune("=,:;'\" \t\r\n", r) }

// namesProgram reports whether a part of an argument is the path of a program,
// or ends with one, as -x/bin/sh does.
func namesProgram(part string) bool {
	slash := strings.IndexByte(part, '/')
	if slash < 0 {
		return false
	}
	if name := filepath.Base(part); isShell(name) || isLauncher(name) {
		return true
	}
	return isExecutable(part) || isExecutable(part[slash:])
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == 0 && info.Mode()&0o111 != 0
}
