// Package docs holds no code: its tests see that the documents say what is so.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// documents are all that people read, by their path from here.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, path := range append(paths, "../README.md", "../CONTRIBUTING.md", "../chart/README.md") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = string(content)
	}
	return all
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	// anchorless are the characters that a heading's anchor goes without.
	anchorless = regexp.MustCompile(`[^a-z0-9 _-]`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	all := documents(t)
	links := 0
	for path, text := range all {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			links++
			to := filepath.Join(filepath.Dir(path), file)
			if file == "" {
				to = path
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", path, match[1], err)
			}
			if content, ok := all[to]; anchor != "" && (!ok || !slices.Contains(anchors(content), anchor)) {
				t.Errorf("%s links to %s, which has no such heading", path, match[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("found only %d links", links)
	}
}

// anchors are those of a document's headings, as GitHub makes them.
func anchors(text string) []string {
	var all []string
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(anchorless.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-"))
	}
	return all
}

func TestEveryMetricIsInOperations(t *testing.T) {
	named := regexp.MustCompile(`"((?:serin|flagger)_[a-z_]+)"`)
	inCode := make(map[string]bool)
	err := fs.WalkDir(os.DirFS("../daemon"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(filepath.Join("..", "daemon", path))
		for _, match := range named.FindAllStringSubmatch(string(content), -1) {
			inCode[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(inCode) < 15 {
		t.Fatalf("found only the metrics %v", inCode)
	}
	text := documents(t)["operations.md"]
	for metric := range inCode {
		if !strings.Contains(text, "`"+metric+"`") {
			t.Errorf("operations.md does not have %s", metric)
		}
	}
	for _, match := range regexp.MustCompile("`((?:serin|flagger)_[a-z_]+)`").FindAllStringSubmatch(text, -1) {
		if !inCode[match[1]] {
			t.Errorf("operations.md has %s, which the daemon has not", match[1])
		}
	}
}

func TestValuesThatAreSetInDocumentsExist(t *testing.T) {
	content, err := os.ReadFile("../chart/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	set := regexp.MustCompile(`--set '?([A-Za-z.]+)`)
	found := 0
	for path, text := range documents(t) {
		for _, match := range set.FindAllStringSubmatch(text, -1) {
			found++
			if !has(values, strings.Split(match[1], ".")) {
				t.Errorf("%s sets %s, which the chart does not have", path, match[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("found only %d values", found)
	}
}

// has looks a path up. An empty map takes any key.
func has(values map[string]any, path []string) bool {
	value, ok := values[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	inner, ok := value.(map[string]any)
	return ok && (len(inner) == 0 || has(inner, path[1:]))
}
