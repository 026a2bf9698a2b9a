package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// program writes a file that can be executed.
func program(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func written(t *testing.T, s Spec) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := Write(path, s); err != nil {
		t.Fatal(err)
	}
	return path
}

// entries are what an image has, by name, as tar headers.
func entries(t *testing.T, image v1.Image) map[string]*tar.Header {
	t.Helper()
	all := make(map[string]*tar.Header)
	content := mutate.Extract(image)
	defer func() { _ = content.Close() }()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(h.Name, "/")] = h
	}
}

func TestAnImageHasWhatWasAsked(t *testing.T) {
	path := written(t, Spec{
		Name: "dev.local/a/b:1", Entrypoint: []string{"/app/run"}, Env: []string{"A=b"}, User: "65532", WorkingDir: "/app",
		Files: []File{
			{Path: "/app/run", From: program(t, "program")},
			{Path: "/app/link", Link: "run"},
			{Path: "/etc/passwd", Text: "root:x:0:0\n"},
			{Path: "/tmp", Mode: 0o777 | fs.ModeSticky},
		},
	})
	image, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != "65532" || c.WorkingDir != "/app" || c.Entrypoint[0] != "/app/run" || c.Env[0] != "A=b" {
		t.Errorf("config is %+v", c)
	}
	// Without these containerd takes it for an image of another machine.
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		t.Errorf("it is for %s/%s", config.OS, config.Architecture)
	}
	got := entries(t, image)
	for name, mode := range map[string]int64{"app": 0o755, "app/run": 0o755, "app/link": 0o777, "etc": 0o755, "etc/passwd": 0o644, "tmp": 0o1777} {
		h := got[name]
		if h == nil {
			t.Errorf("there is no %s in %v", name, got)
		} else if h.Mode != mode || h.Uid != 0 || h.ModTime.Unix() > 0 {
			t.Errorf("%s has mode %o, owner %d, time %s", name, h.Mode, h.Uid, h.ModTime)
		}
	}
	if len(got) != 6 {
		t.Errorf("it has %d entries", len(got))
	}
}

func TestTheSameFilesMakeTheSameBytes(t *testing.T) {
	var images [2][]byte
	for i := range images {
		content, err := os.ReadFile(written(t, Spec{Name: "dev.local/image:1", Files: []File{{Path: "/run", From: program(t, "same")}}}))
		if err != nil {
			t.Fatal(err)
		}
		images[i] = content
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Error("they differ")
	}
}

func TestAnImageIsWrittenWholeOrNotAtAll(t *testing.T) {
	for what, s := range map[string]Spec{
		"name without a tag": {Name: "dev.local/image"},
		"not there":          {Name: "dev.local/image:1", Files: []File{{Path: "/run", From: "/nowhere"}}},
		"relative":           {Name: "dev.local/image:1", Files: []File{{Path: "run", Text: "a"}}},
		"leads elsewhere":    {Name: "dev.local/image:1", Files: []File{{Path: "/a/../b", Text: "a"}}},
		"twice":              {Name: "dev.local/image:1", Files: []File{{Path: "/run", Text: "a"}, {Path: "/run", Text: "b"}}},
		"folder as a file":   {Name: "dev.local/image:1", Files: []File{{Path: "/run", From: "/"}}},
	} {
		folder := t.TempDir()
		if err := Write(filepath.Join(folder, "image.tar"), s); err == nil {
			t.Errorf("%s: no error", what)
		}
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, error %v", what, left, err)
		}
	}
}

func TestLibrariesAreReadFromWhatTheLoaderSays(t *testing.T) {
	for line, want := range map[string]string{
		"linux-vdso.so.1 (0x00007ffd)":                                  "",
		"libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f0d5840)": "/lib/x86_64-linux-gnu/libz.so.1",
		"/lib64/ld-linux-x86-64.so.2 (0x00007f0d)":                      "/lib64/ld-linux-x86-64.so.2",
		"statically linked":                                             "",
	} {
		got := ""
		if match := libraryPath.FindStringSubmatch(line); match != nil {
			got = match[1]
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
