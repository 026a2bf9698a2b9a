package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Set applies files in one name and with the same changes.
type Set struct {
	Client client.Client
	// Owner is the field manager.
	Owner string
	// Data are values of ConfigMaps, by the ConfigMap's name, to set or add.
	Data map[string]map[string]string
	// Replace changes the text of a file before it is read. Nil leaves it.
	Replace *strings.Replacer
}

// Apply applies the documents of a file, or of all YAML files of a folder.
func (s Set) Apply(ctx context.Context, path string) error {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
			return err
		}
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := s.ApplyText(ctx, string(content)); err != nil {
			return fmt.Errorf("apply %s: %w", file, err)
		}
	}
	return nil
}

// ApplyText applies the documents of a text.
func (s Set) ApplyText(ctx context.Context, text string) error {
	if s.Replace != nil {
		text = s.Replace.Replace(text)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := new(unstructured.Unstructured)
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(object.Object) == 0 {
			continue // a separator with nothing behind it
		}
		if err := s.ApplyObject(ctx, object); err != nil {
			return err
		}
	}
}

// ApplyObject applies one object.
func (s Set) ApplyObject(ctx context.Context, object *unstructured.Unstructured) error {
	if object.GetKind() == "ConfigMap" {
		for key, value := range s.Data[object.GetName()] {
			if err := unstructured.SetNestedField(object.Object, value, "data", key); err != nil {
				return err
			}
		}
	}
	return s.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(s.Owner), client.ForceOwnership)
}

// Established says nil when the API server serves all definitions that there
// are.
func Established(ctx context.Context, c client.Client) error {
	var all apiextensionsv1.CustomResourceDefinitionList
	if err := c.List(ctx, &all); err != nil {
		return err
	}
	for i := range all.Items {
		if !established(&all.Items[i]) {
			return fmt.Errorf("%s is not established", all.Items[i].Name)
		}
	}
	return nil
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range definition.Status.Conditions {
		if c.Type == apiextensionsv1.Established {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}
