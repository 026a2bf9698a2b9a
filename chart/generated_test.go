package chart_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	tableBegin = "<!-- generated from values.yaml by `make generate` -->\n"
	tableEnd   = "<!-- end -->\n"
)

func TestReadmeTableIsUpToDate(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), tableBegin)
	_, after, hasEnd := strings.Cut(rest, tableEnd)
	if !ok || !hasEnd {
		t.Fatal("README.md has no place for the table")
	}
	same(t, "README.md", before+tableBegin+table(t)+tableEnd+after, "make generate")
}

// table is a line for each value.
func table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n| value | default | |\n|---|---|---|\n")
	for _, v := range documented(t) {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", v.path, v.standard, strings.ReplaceAll(v.comment, "|", "\\|"))
	}
	b.WriteString("\n")
	return b.String()
}

// value is one of values.yaml with its comment.
type value struct{ path, standard, comment string }

func documented(t *testing.T) []value {
	t.Helper()
	content, err := os.ReadFile("values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	return walk(t, "", document.Content[0])
}

// walk visits a mapping. What has a comment is one value, whatever is in it.
func walk(t *testing.T, prefix string, mapping *yaml.Node) (values []value) {
	t.Helper()
	for pair := range slices.Chunk(mapping.Content, 2) {
		key, content := pair[0], pair[1]
		path := prefix + key.Value
		switch {
		case key.HeadComment != "":
			values = append(values, value{path, flow(t, content), comment(key.HeadComment)})
		case content.Kind == yaml.MappingNode && len(content.Content) > 0:
			values = append(values, walk(t, path+".", content)...)
		default:
			t.Errorf("values.yaml: %s has no comment", path)
		}
	}
	return values
}

// comment is a comment's last paragraph without its marks.
func comment(marked string) string {
	paragraphs := strings.Split(marked, "\n\n")
	text := strings.ReplaceAll(paragraphs[len(paragraphs)-1], "\n#", "")
	return strings.TrimSpace(strings.TrimPrefix(text, "#"))
}

// flow is a value in one line.
func flow(t *testing.T, content *yaml.Node) string {
	t.Helper()
	for stack := []*yaml.Node{content}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], n.Content...)
		if n.Style &= yaml.DoubleQuotedStyle; n.Kind != yaml.ScalarNode {
			n.Style = yaml.FlowStyle
		}
	}
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestDeployIsUpToDate(t *testing.T) {
	head := "# Generated from chart by `make generate`. Do not edit.\n"
	same(t, filepath.Join("..", "deploy", "serin.yaml"), head+template(t, "--skip-tests"), "make generate")
	crds := head
	files, err := filepath.Glob(filepath.Join("crds", "*.yaml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v: %q", err, files)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crds += string(content)
	}
	same(t, filepath.Join("..", "deploy", "crds.yaml"), crds, "make generate")
}

// Whoever changes the namespace of deploy/kustomization.yaml has a daemon there.
func TestDeployIsForAnyNamespace(t *testing.T) {
	folder := t.TempDir()
	for _, file := range []string{"kustomization.yaml", "crds.yaml", "serin.yaml"} {
		content, err := os.ReadFile(filepath.Join("..", "deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(content), "\nnamespace: test\n", "\nnamespace: elsewhere\n", 1)
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, errOut, err := run(t, "kustomize", "build", folder)
	if err != nil {
		t.Fatalf("kustomize build: %v: %s", err, errOut)
	}
	if n := len(objects(t, out)); n != len(objects(t, template(t, "--skip-tests", "--include-crds"))) {
		t.Errorf("%d objects", n)
	}
	for line := range strings.Lines(out) {
		if strings.TrimSpace(line) == "namespace: test" || strings.Contains(line, "=test") || strings.Contains(line, "managed-by: Helm") {
			t.Errorf("left in the output: %s", line)
		}
	}
}
