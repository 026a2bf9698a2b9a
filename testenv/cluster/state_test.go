//go:build linux

package cluster

import (
	"errors"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestOnlyWhoHoldsTheLockIsRunning(t *testing.T) {
	s := state(t.TempDir())
	if _, err := s.pid(); !errors.Is(err, ErrDown) {
		t.Errorf("before there was any: %v", err)
	}
	lock, err := s.hold()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.pid(); err == nil || errors.Is(err, ErrDown) {
		t.Errorf("while it starts: %v", err)
	}
	if err := os.WriteFile(s.path("pid"), []byte("42\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pid, err := s.pid(); pid != 42 || err != nil {
		t.Errorf("while it runs: %d, %v", pid, err)
	}
	if _, err := s.hold(); err == nil || !strings.Contains(err.Error(), "cluster-down") {
		t.Errorf("a second one: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	// The file is still there; its process is not, and the id may be another's.
	if _, err := s.pid(); !errors.Is(err, ErrDown) {
		t.Errorf("after its end: %v", err)
	}
}

func TestFilesHaveNoVariableThatNobodySets(t *testing.T) {
	n := &node{plan: &plan{State: "/state", Knative: "v0.44.0"}}
	entries, err := files.ReadDir("files")
	if err != nil {
		t.Fatal(err)
	}
	variables := n.variables()
	for _, e := range entries {
		content, err := files.ReadFile("files/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		os.Expand(string(content), func(name string) string {
			if variables[name] == "" {
				t.Errorf("%s: nobody sets %s", e.Name(), name)
			}
			return ""
		})
		text, err := n.file(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(text, "\n---\n") {
			var any map[string]any
			if strings.HasSuffix(e.Name(), ".yaml") && yaml.Unmarshal([]byte(document), &any) != nil {
				t.Errorf("%s is no YAML: %s", e.Name(), document)
			}
		}
	}
}

func TestCommandsInTheClusterDoNotAskAProxy(t *testing.T) {
	for variable, is := range map[string]bool{"HTTP_PROXY=http://a": true, "https_proxy=": true, "no_proxy=b": true, "GOPROXY=c": false, "HOME=/x_proxy": false} {
		if isProxy(variable) != is {
			t.Errorf("%s: %v", variable, !is)
		}
	}
}
