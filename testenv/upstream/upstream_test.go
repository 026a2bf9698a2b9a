package upstream

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEveryProgramIsKeyedByItsModule(t *testing.T) {
	folders := make(map[string]string)
	all := []program{apiServer, controllerManager, etcd, controller, podinfo}
	for knative, module := range knativeModules {
		for _, w := range new(ClusterPrograms).wanted(knative, module) {
			all = append(all, w.program)
		}
	}
	for _, p := range all {
		folder, err := p.folder("cache")
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := folders[folder]; ok && other != p.module {
			t.Errorf("%s and %s are both built in %s", p.module, other, folder)
		}
		folders[folder] = p.module
		if name := filepath.Base(folder); !strings.HasPrefix(name, p.module+"-"+p.version+"-") {
			t.Errorf("%s is built in %q", p.name, name)
		}
		// What people are told is what the module file pins.
		pinned, err := modules.ReadFile(p.module + ".mod")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(pinned), " "+p.version+"\n") && !strings.Contains(string(pinned), " "+p.version+" ") {
			t.Errorf("%s.mod does not pin %s", p.module, p.version)
		}
	}
}

func TestAnotherPatchIsAnotherBuild(t *testing.T) {
	before, err := podinfo.folder("cache")
	if err != nil {
		t.Fatal(err)
	}
	unpatched := patches["podinfo"]
	defer func() { patches["podinfo"] = unpatched }()
	patches["podinfo"] = nil
	if after, err := podinfo.folder("cache"); err != nil || after == before {
		t.Errorf("with and without patches podinfo is built in %s, error %v", after, err)
	}
}

func TestStockProgramsAreBuiltApart(t *testing.T) {
	stock := controller
	stock.stock = true
	patched, err := controller.folder("cache")
	if err != nil {
		t.Fatal(err)
	}
	if folder, err := stock.folder("cache"); err != nil || folder == patched {
		t.Errorf("patched and as released, the controller is built in %s, error %v", folder, err)
	}
}

func TestAKnativeThatIsNotPinnedIsRefused(t *testing.T) {
	_, err := BuildCluster(t.Context(), new(bytes.Buffer), "v0.1.0")
	if err == nil || !strings.Contains(err.Error(), "v0.44.0") {
		t.Errorf("error %v, want one that names those there are", err)
	}
}

func TestAPatchFitsOnceOrNotAtAll(t *testing.T) {
	for content, fits := range map[string]bool{"a ListenAll() b": true, "nothing": false, "ListenAll() ListenAll()": false} {
		dir := t.TempDir()
		file := filepath.Join(dir, "server.go")
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		err := patch{"example.com/m", "server.go", "ListenAll()", "ListenLoopback()"}.apply(dir)
		if fits != (err == nil) {
			t.Errorf("patch of %q: %v", content, err)
		}
		after, readErr := os.ReadFile(file)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if want := "a ListenLoopback() b"; fits && string(after) != want {
			t.Errorf("patched %q into %q, want %q", content, after, want)
		}
	}
}

func TestAssetsOfEnvtestAreUsed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KUBEBUILDER_ASSETS", dir)
	path := filepath.Join(dir, "etcd")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := asset("etcd"); got != path {
		t.Errorf("etcd is %q, want %q", got, path)
	}
	if got := asset("kube-apiserver"); got != "" {
		t.Errorf("a missing kube-apiserver is %q", got)
	}
	t.Setenv("KUBEBUILDER_ASSETS", "")
	if got := asset("etcd"); got != "" {
		t.Errorf("without the variable etcd is %q", got)
	}
}

func TestOneBuildsWhileTheOtherWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := lock(impatient, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a second lock gives %v", err)
	}
	type result struct {
		unlock func()
		err    error
	}
	second := make(chan result)
	go func() {
		unlock, err := lock(t.Context(), path)
		second <- result{unlock, err}
	}()
	unlock()
	got := <-second
	if got.err != nil {
		t.Fatal(got.err)
	}
	got.unlock()
}

func TestWhatCannotBeBuiltSaysWhy(t *testing.T) {
	var told bytes.Buffer
	missing := program{name: "nothing", module: "podinfo", pkg: "github.com/stefanprodan/podinfo/cmd/nothing", version: "v0"}
	_, err := missing.build(t.Context(), t.TempDir(), progressOf(&told, missing, "(1 of 1)"))
	if err == nil || !strings.Contains(err.Error(), "cmd/nothing") {
		t.Errorf("error %v, want one that names the package", err)
	}
	if !strings.HasPrefix(told.String(), "building nothing v0 (1 of 1), once for this machine") {
		t.Errorf("told %q", told.String())
	}
}
