package chart_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

type schema struct {
	Properties map[string]schema `json:"properties"`
}

// What is in values.yaml and not in the schema would be refused; what is in the
// schema alone would not be documented.
func TestSchemaHasTheSameValues(t *testing.T) {
	var s schema
	read(t, "values.schema.json", json.Unmarshal, &s)
	var values map[string]any
	read(t, "values.yaml", func(b []byte, into any) error { return yaml.Unmarshal(b, into) }, &values)
	delete(s.Properties, "global") // Helm's own
	compare(t, "", s, values)
}

func read(t *testing.T, file string, unmarshal func([]byte, any) error, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func compare(t *testing.T, path string, s schema, values map[string]any) {
	t.Helper()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(values)), slices.Sorted(maps.Keys(s.Properties))); diff != "" {
		t.Errorf("keys of %q (-values +schema):\n%s", path, diff)
	}
	for key, below := range s.Properties {
		if child, ok := values[key].(map[string]any); ok && len(below.Properties) > 0 {
			compare(t, path+"."+key, below, child)
		}
	}
}
