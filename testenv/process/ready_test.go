package process

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAwait(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWatchdog()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	file := func(name string) func(context.Context) error {
		return func(context.Context) error {
			_, err := os.Stat(filepath.Join(dir, name))
			return err
		}
	}
	p := startScript(w, dir, "slow", "echo started >"+filepath.Join(dir, "file")+"; exec sleep 60")
	if err := p.Await(t.Context(), "the file", file("file")); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Await(ctx, "another", file("another")); !errors.Is(err, context.Canceled) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end of the context: %v", err)
	}
	p.Kill()
	p = startScript(w, dir, "broken", "echo no such flag; exit 3")
	if err := p.Await(t.Context(), "another", file("another")); err == nil || !strings.Contains(err.Error(), "no such flag") {
		t.Errorf("after the end of the process: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	if err := Answers(t.Context(), server.Client(), server.URL); err == nil || !strings.HasSuffix(err.Error(), "answers 503 Service Unavailable") {
		t.Errorf("got %v", err)
	}
	status = http.StatusOK
	if err := Answers(t.Context(), server.Client(), server.URL); err != nil {
		t.Error(err)
	}
}
