package upstream

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A patch changes one line of a module before a program is built from it. There
// is only one reason for one: an address that cannot be configured, and that is
// open to the network or the same for every environment on the machine.
type patch struct {
	module   string
	file     string
	old, new string
}

// patches are by module file.
var patches = map[string][]patch{
	"knative": {
		// Its probes have a fixed port, 8080, and where that is taken the
		// controller ends. Nobody asks for them here: any free port will do.
		{"knative.dev/pkg", "injection/health_check.go", `Addr: ":" + strconv.Itoa(port)`, `Addr: "127.0.0.1:" + strconv.Itoa(port*0)`},
		{"knative.dev/pkg", "profiling/server.go", `":" + port`, `"127.0.0.1:" + port`},
	},
	"podinfo": {
		{"github.com/stefanprodan/podinfo", "pkg/api/grpc/server.go", `Sprintf(":%v", s.config.Port)`, `Sprintf("127.0.0.1:%v", s.config.Port)`},
		{"github.com/stefanprodan/podinfo", "pkg/api/http/server.go", `Sprintf(":%v", s.config.PortMetrics)`, `Sprintf("127.0.0.1:%v", s.config.PortMetrics)`},
	},
}

// applyPatches copies the modules that are to be changed from the module cache
// into folder, changes the copies, and has the folder's go.mod use them.
func applyPatches(ctx context.Context, folder string, all []patch) error {
	copies := make(map[string]string)
	for _, p := range all {
		if copies[p.module] == "" {
			original, err := moduleDir(ctx, folder, p.module)
			if err != nil {
				return err
			}
			copies[p.module] = filepath.Join(folder, "patched", strings.ReplaceAll(p.module, "/", "-"))
			if err := copyAnew(copies[p.module], original); err != nil {
				return err
			}
		}
		if err := p.apply(copies[p.module]); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(filepath.Join(folder, "go.mod"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // a write that fails says so itself
	for module := range copies {
		if _, err := fmt.Fprintf(file, "\nreplace %s => ./patched/%s\n", module, strings.ReplaceAll(module, "/", "-")); err != nil {
			return err
		}
	}
	return nil
}

func copyAnew(to, from string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}

// apply changes the copy of a module in dir.
func (p patch) apply(dir string) error {
	file := filepath.Join(dir, filepath.FromSlash(p.file))
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if n := strings.Count(string(content), p.old); n != 1 {
		return fmt.Errorf("patch %s of %s: %q is there %d times, not once", p.file, p.module, p.old, n)
	}
	return os.WriteFile(file, []byte(strings.Replace(string(content), p.old, p.new, 1)), 0o644)
}

// moduleDir returns where the module cache holds a module of the build in
// folder, after downloading it where that is needed.
func moduleDir(ctx context.Context, folder, module string) (string, error) {
	list := []string{"list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module}
	if dir, err := goTool(ctx, folder, list...); err == nil && dir != "" {
		return dir, nil
	}
	if _, err := goTool(ctx, folder, "mod", "download", module); err != nil {
		return "", err
	}
	return goTool(ctx, folder, list...)
}
