package manifest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func TestAFolderIsAppliedWithItsReplacements(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: here}\ndata: {image: \"ko://queue\", kept: \"1\"}\n---\n",
		"b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: here}\n",
		"c.go":   "package folder",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := fake.NewClientBuilder().Build()
	s := Set{Client: c, Owner: "tests", Replace: strings.NewReplacer("ko://queue", "dev.local/queue:1"), Data: map[string]map[string]string{"settings": {"domain": "x"}}}
	if err := s.Apply(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	settings := new(corev1.ConfigMap)
	if err := c.Get(t.Context(), types.NamespacedName{Namespace: "here", Name: "settings"}, settings); err != nil {
		t.Fatal(err)
	}
	if d := settings.Data; d["image"] != "dev.local/queue:1" || d["kept"] != "1" || d["domain"] != "x" {
		t.Errorf("settings are %v", d)
	}
	if err := c.Get(t.Context(), types.NamespacedName{Namespace: "here", Name: "other"}, settings); err != nil || len(settings.Data) > 0 {
		t.Errorf("the other is %v, error %v", settings.Data, err)
	}
}

func TestWhatCannotBeAppliedIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(path, []byte("kind: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Set{Client: fake.NewClientBuilder().Build(), Owner: "tests"}
	for _, path := range []string{path, filepath.Join(t.TempDir(), "missing.yaml")} {
		if err := s.Apply(context.WithoutCancel(t.Context()), path); err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
