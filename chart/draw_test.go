package chart_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"pgregory.net/rapid"
)

// Values that a schema without more says may well be there.
var (
	anyText   = []any{"", "a", "podinfo", "10", "true", "serving.knative.dev/v1", "apps/v1", "1m", "http://a.test/", "%s\n\"'<&", "☃", strings.Repeat("long ", 100)}
	anyTime   = []any{"2024-05-06T07:08:09Z", "2024-05-06T07:08:09.123456+02:00", "2024-02-31T00:00:00Z", "2024-05-06t07:08:09z", "2024-05-06", ""}
	anyLength = []any{"15s", "1m", "0s", "1mm", "1m30s", "5ms", "10s of time" + strings.Repeat(".", 100)}
	anyNumber = []any{int64(0), int64(1), int64(-1), int64(10), int64(100), int64(101), int64(65535), int64(1) << 31, int64(1) << 62, 0.5, 10.5, -99.99, 1e21, 1e300, 5e-324}
	anyInt    = []any{int64(0), int64(1), int64(-1), int64(100), int64(65535), int64(1)<<31 - 1, int64(1) << 40}
)

// anyOf makes values of a schema and, now and then, almost one.
func anyOf(schema *apiextensionsv1.JSONSchemaProps) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any { return draw(t, "", schema) })
}

func draw(t *rapid.T, path string, schema *apiextensionsv1.JSONSchemaProps) any {
	pick := func(values []any) any { return rapid.SampledFrom(values).Draw(t, path) }
	switch {
	case rapid.IntRange(0, 199).Draw(t, path+"?") == 199:
		return pick([]any{nil, "a", int64(1), true, []any{}, map[string]any{}})
	case schema.XIntOrString:
		return pick([]any{"http", int64(80), int64(-1), ""})
	case len(schema.Enum) > 0:
		var value string
		if err := json.Unmarshal(rapid.SampledFrom(schema.Enum).Draw(t, path).Raw, &value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	switch {
	case schema.Type == "object":
		return drawObject(t, path, schema)
	case schema.Type == "array":
		list := []any{}
		for i := range rapid.IntRange(0, 3).Draw(t, path+"#") {
			list = append(list, draw(t, path+"["+strconv.Itoa(i)+"]", schema.Items.Schema))
		}
		return list
	case schema.Type == "boolean":
		return rapid.Bool().Draw(t, path)
	case schema.Type == "number":
		return pick(anyNumber)
	case schema.Type == "integer":
		return pick(anyInt)
	case schema.Format == "date-time":
		return pick(anyTime)
	case strings.HasPrefix(schema.Pattern, "^[0-9]"):
		return pick(anyLength)
	}
	return pick(anyText)
}

// drawObject makes an object. Of a choice between required fields it has one.
func drawObject(t *rapid.T, path string, schema *apiextensionsv1.JSONSchemaProps) any {
	o := make(map[string]any)
	if schema.AdditionalProperties != nil {
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "x-b", "", "ü.é/ö"}), 0, 2, rapid.ID[string]).Draw(t, path+"{}") {
			o[name] = draw(t, path+"."+name, schema.AdditionalProperties.Schema)
		}
		return o
	}
	required, excluded := slices.Clone(schema.Required), []string{}
	if len(schema.OneOf) > 0 {
		choice := rapid.SampledFrom(schema.OneOf).Draw(t, path+"|")
		required = append(required, choice.Required...)
		for _, other := range schema.OneOf {
			excluded = append(excluded, other.Required...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		odds := 1 // in 4
		switch {
		case slices.Contains(required, name):
			odds = 4
		case slices.Contains(excluded, name):
			odds = 0
		}
		if rapid.IntRange(1, 4).Draw(t, path+"."+name+"?") <= odds {
			o[name] = draw(t, path+"."+name, new(schema.Properties[name]))
		}
	}
	return o
}
