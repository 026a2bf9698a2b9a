package v1beta1

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// documents are the YAML documents of files, as JSON.
func documents(t *testing.T, pattern string) (all []json.RawMessage) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v: no files", pattern, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096); ; {
			var document json.RawMessage
			if decoder.Decode(&document) != nil {
				break
			}
			all = append(all, document)
		}
	}
	return all
}

// list reads a list of Canaries as clients do.
func list(t *testing.T, items ...json.RawMessage) []Canary {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"apiVersion": GroupVersion.String(), "kind": "CanaryList", "items": items})
	if err != nil {
		t.Fatal(err)
	}
	read, _, err := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return read.(*CanaryList).Items
}

func TestFilesOfAllProvidersAreRead(t *testing.T) {
	var canaries []json.RawMessage
	for _, d := range documents(t, "testdata/flagger/*.yaml") {
		if bytes.Contains(d, []byte(`"kind":"Canary"`)) {
			canaries = append(canaries, d)
		}
	}
	for _, c := range list(t, canaries...) {
		if c.unread != "" {
			t.Errorf("%s: %s", c.Name, c.unread)
		}
		if name, _, _ := strings.Cut(c.Spec.Provider, ":"); !strings.HasPrefix(c.Name, name) || c.Spec.TargetRef.Name == "" || c.Spec.Analysis.Interval == "" {
			t.Errorf("%s: provider %q, target %v, interval %q", c.Name, c.Spec.Provider, c.Spec.TargetRef, c.Spec.Analysis.Interval)
		}
		if c.Ours() != (c.Name == "knative") {
			t.Errorf("%s: ours is %v", c.Name, c.Ours())
		}
		if err := c.Validate(); c.Ours() && err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// hostile is a Canary of Serin's with other fields than Serin writes.
func hostile(name, spec, status string) json.RawMessage {
	return json.RawMessage(`{"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "` + name + `", "labels": {"a": "b"}}, "spec": {
		"targetRef": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "podinfo"}, "suspend": true` + spec + `},
		"status": {"phase": "Succeeded"` + status + `}}`)
}

// Who may write one Canary must not hide the others from the daemon.
func TestCanaryThatCannotBeReadHidesNoOther(t *testing.T) {
	const good = `, "analysis": {"stepWeight": 10}`
	for _, tc := range []struct{ name, spec, status, want string }{
		{"good", good, `, "canaryWeight": 5, "lastTransitionTime": "2024-05-06T07:08:09Z"`, ""},
		{"nulls", good + `, "provider": null, "service": null, "progressDeadlineSeconds": null`, `, "conditions": null, "lastTransitionTime": null`, ""},
		{"more fields", good + `, "another": {"a": [1]}`, `, "another": 5`, ""},
		{"other objects", good + `, "service": {"port": "x", "a": [null, 1e300]}, "ingressRef": {}`, "", ""},
		{"ignored numbers", `, "analysis": {"stepWeight": 10, "mirrorWeight": 0.5, "primaryReadyThreshold": 1e30}`, "", ""},
		{"half a weight", `, "analysis": {"stepWeight": 10.5}`, "", "spec.analysis.stepWeight must be a whole number of 32 bits, not 10.5"},
		{"half a weight of many", `, "analysis": {"stepWeights": [10, 20.5]}`, "", "spec.analysis.stepWeights must be a whole number of 32 bits, not 20.5"},
		{"a large number", `, "progressDeadlineSeconds": 2147483648` + good, "", "spec.progressDeadlineSeconds must be a whole number of 32 bits, not 2147483648"},
		{"a larger number", `, "progressDeadlineSeconds": 1e+300` + good, "", "spec.progressDeadlineSeconds must be a whole number of 32 bits, not 1e+300"},
		{"half a retry", `, "analysis": {"stepWeight": 10, "webhooks": [{"name": "a", "url": "http://a", "retries": 1.5}]}`, "", "spec.analysis.webhooks.retries must be a whole number of 32 bits, not 1.5"},
		{"a text for an object", `, "analysis": "fast"`, "", "spec.analysis must be an object, not string"},
		{"an object for a text", good + `, "metricsServer": {}`, "", "spec.metricsServer must be a text, not object"},
		{"a text for a list", `, "analysis": {"metrics": "all"}`, "", "spec.analysis.metrics must be a list, not string"},
		{"a number for a truth", good + `, "skipAnalysis": 1`, "", "spec.skipAnalysis must be true or false, not number"},
		{"a text for a number", `, "analysis": {"stepWeight": 10, "metrics": [{"name": "a", "threshold": "1"}]}`, "", "spec.analysis.metrics.threshold must be a number, not string"},
		{"half a status", good, `, "canaryWeight": 0.5`, "status.canaryWeight must be a whole number of 32 bits, not 0.5"},
		{"no such day", good, `, "lastTransitionTime": "2024-02-31T00:00:00Z"`, `status.lastTransitionTime cannot be read: parsing time "2024-02-31T00:00:00Z": day out of range`},
		{"no such day of a condition", good, `, "conditions": [{"type": "Promoted", "lastUpdateTime": "2024-02-31T00:00:00Z"}]`, "status.conditions cannot be read: parsing time"},
		{"no such day of a rollout", good, `, "analysis": {"startTime": "2024-02-31T00:00:00Z"}`, "status.analysis cannot be read: parsing time"},
		{"all at once", `, "analysis": {"stepWeight": 10.5}`, `, "iterations": 0.5`, "spec.analysis.stepWeight must be a whole number of 32 bits, not 10.5\nstatus.iterations must be a whole number of 32 bits, not 0.5"},
	} {
		all := list(t, hostile("first", good, ""), hostile(tc.name, tc.spec, tc.status), hostile("last", good, ""))
		if len(all) != 3 || all[0].Validate() != nil || all[2].Name != "last" || all[2].Validate() != nil {
			t.Errorf("%s: the others are not read", tc.name)
			continue
		}
		c := &all[1]
		if !c.Ours() || !c.Spec.Suspend || c.Labels["a"] != "b" || c.Status.Phase != PhaseSucceeded {
			t.Errorf("%s: what can be read is not: %+v", tc.name, c)
		}
		err := c.Validate()
		if (err == nil) != (tc.want == "") || err != nil && !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if copied := c.DeepCopy().Validate(); (copied == nil) != (err == nil) {
			t.Errorf("%s: a copy says %v", tc.name, copied)
		}
	}
	for whole, want := range map[string]string{
		`{"spec": 5, "status": []}`: "spec must be an object\nstatus must be an object", `{"spec": "a"}`: "spec must be an object", `{"spec": {}, "status": 1}`: "status must be an object",
	} {
		c := list(t, json.RawMessage(whole))[0]
		if err := c.Validate(); c.Ours() || err == nil || err.Error() != want {
			t.Errorf("%s: ours is %v, and %v, want %q", whole, c.Ours(), err, want)
		}
	}
	for _, none := range []string{`{}`, `{"spec": null, "status": null}`} {
		if c := list(t, json.RawMessage(none))[0]; c.Ours() || c.unread != "" {
			t.Errorf("%s: ours is %v, and %s", none, c.Ours(), c.unread)
		}
	}
}

// A field that cannot be read is not read by half: half of what a rollout was at
// could be carried out.
func TestFieldThatCannotBeReadIsEmpty(t *testing.T) {
	c := list(t, hostile("podinfo", "", `, "analysis": {"canaryRevision": "podinfo-00002", "check": 1, "startTime": "2024-02-31T00:00:00Z"}, "lastPromotedSpec": "podinfo-00001"`))[0]
	if c.Status.Analysis != nil || c.Status.LastPromotedSpec != "podinfo-00001" {
		t.Errorf("read %+v", c.Status)
	}
}

// What was wrong with a Canary is over when it is read again.
func TestCanaryIsReadAgain(t *testing.T) {
	var c Canary
	for _, tc := range []struct {
		spec string
		good bool
	}{{`, "analysis": {"stepWeight": 10.5}`, false}, {`, "analysis": {"stepWeight": 10}`, true}} {
		if err := json.Unmarshal(hostile("podinfo", tc.spec, ""), &c); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); (err == nil) != tc.good {
			t.Errorf("%s: %v", tc.spec, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"metadata": 5}`), &c); err == nil {
		t.Error("metadata that no API server sends are taken")
	}
}
