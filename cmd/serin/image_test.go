package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func file(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestShellsOfTheImageSendThroughTheDaemonsProxy(t *testing.T) {
	if !strings.Contains(file(t, "../../Dockerfile"), "http_proxy=http://"+defaultTap+" ") {
		t.Errorf("http_proxy is not http://%s in the Dockerfile", defaultTap)
	}
}

// A new package would else be missing only where the image is built.
func TestImageIsBuiltOfAllThatSerinIsMadeOf(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	ignore := file(t, "../../.dockerignore")
	for path := range strings.Lines(string(out)) {
		own, ok := strings.CutPrefix(path, "github.com/serin-dev/serin/")
		folder, _, _ := strings.Cut(strings.TrimSpace(own), "/")
		if ok && !strings.Contains(ignore, "\n!"+folder+"\n") {
			t.Errorf(".dockerignore keeps %s out", folder)
		}
	}
}
