package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// description is openapi.yaml, by which answers are checked.
type description struct {
	document map[string]any
	compiler *jsonschema.Compiler
}

const descriptionURL = "file:///openapi.json"

func readDescription(t *testing.T) *description {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict(openAPIText)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &description{document: document.(map[string]any), compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(descriptionURL, document); err != nil {
		t.Fatal(err)
	}
	return d
}

// at returns what a path of keys leads to, along references, and where that is.
func (d *description) at(keys ...string) (node any, pointer string) {
	node = d.document
	for _, key := range keys {
		object, _ := node.(map[string]any)
		if ref, ok := object["$ref"].(string); ok {
			node, pointer = d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			object, _ = node.(map[string]any)
		}
		node = object[key]
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
	}
	return node, pointer
}

// template is the path in the description that a request's path is one of.
func (d *description) template(requested string) string {
	requested = strings.TrimPrefix(requested, "/api/v1")
	paths, _ := d.at("paths")
	best := ""
	for template := range paths.(map[string]any) {
		pattern := template
		for _, name := range []string{"namespace", "name", "report", "fault", "command"} {
			pattern = strings.ReplaceAll(pattern, "{"+name+"}", "*")
		}
		if ok, err := path.Match(pattern, requested); err != nil || !ok {
			continue
		}
		if best == "" || strings.Count(template, "{") < strings.Count(best, "{") {
			best = template
		}
	}
	return best
}

// check reports where an answer differs from what is described.
func (d *description) check(t *testing.T, r *http.Request, answer *httptest.ResponseRecorder) {
	t.Helper()
	template := d.template(r.URL.Path)
	status := fmt.Sprint(answer.Code)
	response, _ := d.at("paths", template, strings.ToLower(r.Method), "responses", status)
	if response == nil {
		t.Errorf("%s %s answers %s, which is not described for %q", r.Method, r.URL.Path, status, template)
		return
	}
	kind, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	_, pointer := d.at("paths", template, strings.ToLower(r.Method), "responses", status, "content", kind, "schema")
	if content, _ := d.at("paths", template, strings.ToLower(r.Method), "responses", status, "content", kind); content == nil {
		if len(answer.Body.Bytes()) > 0 && answer.Code != http.StatusSeeOther {
			t.Errorf("%s %s answers %s in %q, which is not described", r.Method, r.URL.Path, status, kind)
		}
		return
	}
	if kind != "application/json" {
		return
	}
	schema, err := d.compiler.Compile(descriptionURL + "#" + (&url.URL{Path: pointer}).EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer.Body.Bytes()))
	if err != nil {
		t.Errorf("%s %s: %v in %q", r.Method, r.URL.Path, err, answer.Body)
		return
	}
	if err := schema.Validate(body); err != nil {
		t.Errorf("%s %s answers %s, which is not as described: %v", r.Method, r.URL.Path, answer.Body, err)
	}
}

// Every path that is served is described, and the other way round.
func TestDescriptionIsComplete(t *testing.T) {
	d := readDescription(t)
	described := map[string]bool{}
	paths, _ := d.at("paths")
	for template, item := range paths.(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				described[strings.ToUpper(method)+" "+template] = true
			}
		}
	}
	served := map[string]bool{}
	s := newServer(t).Server
	router := mux.NewRouter()
	s.routeAPI(router)
	err := router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		template, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		if err != nil {
			return err
		}
		for _, method := range methods {
			if method != http.MethodHead {
				served[method+" "+withoutPatterns(strings.TrimPrefix(template, apiPath))] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(served, "GET /openapi.yaml")
	for route := range served {
		if !described[route] {
			t.Errorf("%s is served and not described", route)
		}
	}
	for route := range described {
		if !served[route] {
			t.Errorf("%s is described and not served", route)
		}
	}
}

// withoutPatterns takes the patterns out of a route: {name:[a-z]*} is {name}.
func withoutPatterns(template string) string {
	var b strings.Builder
	for i, part := range strings.Split(template, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		if name, _, ok := strings.Cut(part, ":"); ok && strings.HasPrefix(part, "{") {
			part = name + "}"
		}
		b.WriteString(part)
	}
	return b.String()
}

// decode reads an answer in JSON.
func decode[T any](t *testing.T, answer *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(answer.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %q", err, answer.Body)
	}
	return v
}
