package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A patch changes one line of a program while it is compiled, through the go
// command's -overlay; the module itself stays as its checksum says. There is
// only one reason for one: an address that cannot be configured and is open to
// the network, or the same for every test environment on the machine.
type patch struct {
	module   string
	file     string
	old, new string
}

// patches are by module file.
var patches = map[string][]patch{
	"knative": {
		// Its probes have a fixed port, 8080, which much else likes too; nobody
		// asks for them here, so any port will do. (The package strconv must
		// stay in use.)
		{"knative.dev/pkg", "injection/health_check.go", `Addr: ":" + strconv.Itoa(port)`, `Addr: "127.0.0.1:" + strconv.Itoa(port*0)`},
		{"knative.dev/pkg", "profiling/server.go", `":" + port`, `"127.0.0.1:" + port`},
	},
	"podinfo": {
		{"github.com/stefanprodan/podinfo", "pkg/api/grpc/server.go", `Sprintf(":%v", s.config.Port)`, `Sprintf("127.0.0.1:%v", s.config.Port)`},
		{"github.com/stefanprodan/podinfo", "pkg/api/http/server.go", `Sprintf(":%v", s.config.PortMetrics)`, `Sprintf("127.0.0.1:%v", s.config.PortMetrics)`},
	},
}

// overlay writes the patched files of a module file into folder and returns
// the build flags that use them.
func overlay(ctx context.Context, folder string, all []patch) ([]string, error) {
	if len(all) == 0 {
		return nil, nil
	}
	replace := make(map[string]string, len(all))
	for i, p := range all {
		dir, err := moduleDir(ctx, folder, p.module)
		if err != nil {
			return nil, err
		}
		original := filepath.Join(dir, filepath.FromSlash(p.file))
		content, err := os.ReadFile(original)
		if err != nil {
			return nil, err
		}
		if n := strings.Count(string(content), p.old); n != 1 {
			return nil, fmt.Errorf("patch %s of %s: %q is there %d times, not once", p.file, p.module, p.old, n)
		}
		patched := filepath.Join(folder, fmt.Sprintf("patch-%d.go", i))
		if err := os.WriteFile(patched, []byte(strings.Replace(string(content), p.old, p.new, 1)), 0o644); err != nil {
			return nil, err
		}
		replace[original] = patched
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "overlay.json")
	return []string{"-overlay=" + file}, os.WriteFile(file, content, 0o644)
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
