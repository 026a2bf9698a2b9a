package upstream

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

//go:embed *.mod *.sum
var modules embed.FS

// Programs are the paths of what was built for an environment without
// containers.
type Programs struct {
	APIServer, ControllerManager, Etcd, KnativeController, Podinfo string
	Knative                                                        Knative
}

// program is one main package and the module file that pins it.
type program struct {
	name    string // of the binary
	module  string // of the embedded .mod and .sum
	pkg     string
	version string // for people; the module file decides
	ldflags string
	stock   bool // as released, without patches
}

// wanted is a program and where to note its path.
type wanted struct {
	program
	path *string
}

var (
	// Both are stamped with the version, as in a release's own build; clients read it.
	apiServer         = kubernetesProgram("kube-apiserver")
	controllerManager = kubernetesProgram("kube-controller-manager")
	etcd              = program{name: "etcd", module: "etcd", pkg: "go.etcd.io/etcd/server/v3", version: "v3.6.5"}
	controller        = program{name: "knative-controller", module: "knative", pkg: "knative.dev/serving/cmd/controller", version: "v0.44.0"}
	podinfo           = program{name: "podinfo", module: "podinfo", pkg: "github.com/stefanprodan/podinfo/cmd/podinfo", version: "v1.8.1-0.20250910200901-e86405a8674e"}
)

// kubernetesVersion sets the variables of Kubernetes' version package.
const kubernetesVersion = " -X k8s.io/component-base/version.gitVersion=v1.35.4" +
	" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35" +
	" -X k8s.io/component-base/version.gitCommit=v1.35.4 -X k8s.io/component-base/version.gitTreeState=clean"

// Build returns the programs, after building those that the cache does not
// hold yet, which takes minutes and is told to progress. kube-apiserver and
// etcd are taken from $KUBEBUILDER_ASSETS where that has them.
func Build(ctx context.Context, progress io.Writer) (*Programs, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find a place for the test environment's programs: %w", err)
	}
	return build(ctx, filepath.Join(root, "serin", "testenv"), progress)
}

func build(ctx context.Context, cache string, progress io.Writer) (*Programs, error) {
	var built Programs
	all := []wanted{{apiServer, &built.APIServer}, {controllerManager, &built.ControllerManager}, {etcd, &built.Etcd}, {controller, &built.KnativeController}, {podinfo, &built.Podinfo}}
	missing := slices.DeleteFunc(all, func(w wanted) bool {
		if w.program == apiServer || w.program == etcd {
			*w.path = asset(w.name)
		}
		return *w.path != ""
	})
	if err := buildAll(ctx, cache, progress, missing); err != nil {
		return nil, err
	}
	folder, err := controller.folder(cache)
	built.Knative = Knative{folder}
	return &built, err
}

func buildAll(ctx context.Context, cache string, progress io.Writer, all []wanted) error {
	for i, w := range all {
		folder, err := w.folder(cache)
		if err != nil {
			return err
		}
		say := progressOf(progress, w.program, fmt.Sprintf("(%d of %d)", i+1, len(all)))
		if *w.path, err = w.build(ctx, folder, say); err != nil {
			return fmt.Errorf("build %s %s: %w", w.name, w.version, err)
		}
	}
	return nil
}

// progressOf returns what tells people about a build, at its start with zero,
// and at its end with the time that it took.
func progressOf(w io.Writer, p program, count string) func(time.Duration) {
	return func(took time.Duration) {
		if took == 0 {
			_, _ = fmt.Fprintf(w, "building %s %s %s, once for this machine …\n", p.name, p.version, count)
			return
		}
		_, _ = fmt.Fprintf(w, "building %s %s %s … %.0f s\n", p.name, p.version, count, took.Seconds())
	}
}

// asset finds kube-apiserver and etcd where envtest keeps them.
func asset(name string) string {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return ""
	}
	path := filepath.Join(assets, name)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// folder is where a program is built: keyed by all that decides what it is.
func (p program) folder(cache string) (string, error) {
	key := sha256.New()
	for _, ending := range []string{".mod", ".sum"} {
		content, err := modules.ReadFile(p.module + ending)
		if err != nil {
			return "", err
		}
		key.Write(content)
	}
	_, _ = io.WriteString(key, runtime.Version()+p.ldflags)
	for _, patch := range p.patches() {
		_, _ = io.WriteString(key, patch.file+patch.old+patch.new)
	}
	return filepath.Join(cache, fmt.Sprintf("%s-%s-%.6x", p.module, p.version, key.Sum(nil))), nil
}

// patches are the lines to change in the program's modules.
func (p program) patches() []patch {
	if p.stock {
		return nil
	}
	return patches[p.module]
}

// build makes the program in its folder, unless it is there, and returns its
// path.
func (p program) build(ctx context.Context, folder string, say func(took time.Duration)) (string, error) {
	path := filepath.Join(folder, "bin", p.name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil // built while we waited
	}
	if err := p.writeModule(folder); err != nil {
		return "", err
	}
	say(0)
	start := time.Now()
	if err := applyPatches(ctx, folder, p.patches()); err != nil {
		return "", err
	}
	unfinished := path + ".unfinished"
	if _, err := goTool(ctx, folder, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"+p.ldflags, "-o", unfinished, p.pkg); err != nil {
		return "", err
	}
	if err := os.Rename(unfinished, path); err != nil {
		return "", err
	}
	say(time.Since(start))
	return path, nil
}

// writeModule puts the embedded module file and its checksums into a folder.
func (p program) writeModule(folder string) error {
	for from, to := range map[string]string{p.module + ".mod": "go.mod", p.module + ".sum": "go.sum"} {
		content, err := modules.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, to), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// goTool runs the go command in a folder with nothing of the caller's
// workspace or flags, and returns what it printed.
func goTool(ctx context.Context, folder string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GO111MODULE=on", "CGO_ENABLED=0", "GOOS=", "GOARCH=")
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return "", fmt.Errorf("go %s: %w: %s", args[0], err, lastLines(string(exit.Stderr), 20))
		}
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
