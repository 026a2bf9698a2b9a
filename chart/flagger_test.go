package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/testenv"
)

// Flagger shares our definitions in a cluster that has both. What its own accept
// is held against a real API server, which has them in another group.
const (
	flaggerDefinitions = "testdata/flagger/definitions.yaml"
	flaggerVersion     = "upstream.test/v1beta1"
)

// Every provider of Flagger's has a file there.
const flaggerExamples = "../api/v1beta1/testdata/flagger/*.yaml"

func TestFilesOfAllProvidersApplyAndAreKept(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	var providers []string
	for file, o := range filesOf(t, flaggerExamples) {
		if _, err := create(t, env, inGroupOf(flaggerVersion, o), namespace, strict); err != nil {
			t.Errorf("%s is none that Flagger accepts: %v", file, err)
		}
		stored, err := create(t, env, o, namespace, strict)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if lost := missing("spec", o.Object["spec"], stored.Object["spec"]); len(lost) > 0 {
			t.Errorf("%s: %q is not kept", file, lost)
		}
		provider, _, _ := unstructured.NestedString(o.Object, "spec", "provider")
		providers = append(providers, provider)
	}
	for _, provider := range schemaAt(t, "canaries", "spec", "provider").Enum {
		name, _, _ := strings.Cut(strings.Trim(string(provider.Raw), `"`), ":")
		if !slices.ContainsFunc(providers, func(p string) bool { return strings.HasPrefix(p, name) }) {
			t.Errorf("no file is about provider %s", name)
		}
	}
}

// Who installs Flagger's definition, or goes back to Flagger, keeps the files.
func TestOurFilesApplyUnderFlaggersDefinition(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	found := false
	for file, o := range filesOf(t, "../examples/*/*.yaml") {
		if o.GetKind() != "Canary" {
			continue
		}
		found = true
		if _, err := create(t, env, o, namespace, strict, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := create(t, env, inGroupOf(flaggerVersion, o), namespace, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if !found {
		t.Error("there are no examples")
	}
}

// foreign is a Canary that is somebody else's, to be spoilt.
const foreign = `
provider: istio
targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: shop}
analysis: {interval: 15s, threshold: 5, stepWeight: 10}
`

// What the definition has against a Canary is for ours alone; what it cannot tell
// apart, the daemon has.
func TestRulesOfTheDefinitionAreForOursAlone(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	many := "[" + strings.Repeat("{name: a, url: a, providerRef: {name: a}},", 101) + "]"
	for _, tc := range []struct {
		name, change string
		apply        string // what kubectl apply says of ours; empty where it takes it
		daemon       string // what the daemon says of ours
	}{
		{"no name", "targetRef: {name: ''}", "targetRef.name must have 1 to 253 characters", "spec.targetRef.name must have 1 to 253 characters, not 0"},
		{"a long name", "targetRef: {name: " + strings.Repeat("a", 254) + "}", "targetRef.name must have 1 to 253 characters", "spec.targetRef.name must have 1 to 253 characters, not 254"},
		{"no time", "progressDeadlineSeconds: 0", "progressDeadlineSeconds must be a whole number, at least 1", "spec.progressDeadlineSeconds must be at least 1, not 0"},
		{"half a second", "progressDeadlineSeconds: 1.5", "progressDeadlineSeconds must be a whole number, at least 1", "spec.progressDeadlineSeconds must be a whole number of 32 bits, not 1.5"},
		{"too much time", "progressDeadlineSeconds: 1e+30", "progressDeadlineSeconds must be a whole number, at least 1", "spec.progressDeadlineSeconds must be a whole number of 32 bits, not 1e+30"},
		{"another unit", "analysis: {interval: 1mm}", "interval must be a duration such as 15s, 1m or 1m30s", "spec.analysis.interval must be a duration"},
		{"a long interval", "analysis: {interval: 1m" + strings.Repeat("1m", 16) + "}", "interval must be a duration such as 15s, 1m or 1m30s", ""},
		{"half a failed check", "analysis: {threshold: 0.5}", "threshold must be a whole number", "spec.analysis.threshold must be a whole number of 32 bits, not 0.5"},
		{"step of nothing", "analysis: {stepWeight: 0}", "stepWeight must be a whole number from 1 to 100", "spec.analysis.stepWeight must be from 1 to 100, not 0"},
		{"step beyond 100", "analysis: {stepWeight: 101}", "stepWeight must be a whole number from 1 to 100", "spec.analysis.stepWeight must be from 1 to 100, not 101"},
		{"half a step", "analysis: {stepWeight: 10.5}", "stepWeight must be a whole number from 1 to 100", "spec.analysis.stepWeight must be a whole number of 32 bits, not 10.5"},
		{"no steps", "analysis: {stepWeight: null, stepWeights: []}", "stepWeights must be 1 to 100 numbers from 0 to 100", "spec.analysis must have exactly one of stepWeight, stepWeights and iterations, not 0"},
		{"steps beyond 100", "analysis: {stepWeight: null, stepWeights: [10, 101]}", "stepWeights must be 1 to 100 numbers from 0 to 100", "spec.analysis.stepWeights[1] must be from 0 to 100, not 101"},
		{"too many steps", "analysis: {stepWeight: null, stepWeights: [" + strings.Repeat("1,", 101) + "]}", "stepWeights must be 1 to 100 numbers from 0 to 100", "spec.analysis.stepWeights must have at most 100 entries, not 101"},
		{"half steps", "analysis: {stepWeight: null, stepWeights: [10.5, 20]}", "", "spec.analysis.stepWeights must be a whole number of 32 bits, not 10.5"},
		{"maximum of nothing", "analysis: {maxWeight: 0}", "maxWeight must be a whole number from 1 to 100", "spec.analysis.maxWeight must be from 1 to 100, not 0"},
		{"maximum beyond 100", "analysis: {maxWeight: 2147483647}", "maxWeight must be a whole number from 1 to 100", "spec.analysis.maxWeight must be from 1 to 100, not 2147483647"},
		{"half a maximum", "analysis: {maxWeight: 50.5}", "maxWeight must be a whole number from 1 to 100", "spec.analysis.maxWeight must be a whole number"},
		{"promotion backwards", "analysis: {stepWeightPromotion: -1}", "stepWeightPromotion must be a whole number from 0 to 100", "spec.analysis.stepWeightPromotion must be from 0 to 100, not -1"},
		{"half a promotion", "analysis: {stepWeightPromotion: 0.5}", "stepWeightPromotion must be a whole number from 0 to 100", "spec.analysis.stepWeightPromotion must be a whole number"},
		{"no checks", "analysis: {stepWeight: null, iterations: 0}", "iterations must be a whole number, at least 1", "spec.analysis.iterations must be at least 1, not 0"},
		{"half a check", "analysis: {stepWeight: null, iterations: 2.5}", "iterations must be a whole number, at least 1", "spec.analysis.iterations must be a whole number"},
		{"two kinds of step", "analysis: {iterations: 2}", "exactly one of stepWeight, stepWeights and iterations must be given", "spec.analysis must have exactly one of"},
		{"half a retry", "analysis: {webhooks: [{name: a, url: 'http://a', retries: 0.5}]}", "retries must be a whole number, at least 0", "spec.analysis.webhooks.retries must be a whole number of 32 bits, not 0.5"},
		{"fewer retries than none", "analysis: {webhooks: [{name: a, url: 'http://a', retries: -1}]}", "retries must be a whole number, at least 0", "spec.analysis.webhooks[0].retries must be at least 0, not -1"},
		{"another unit of a hook", "analysis: {webhooks: [{name: a, url: 'http://a', timeout: 5mm}]}", "", "spec.analysis.webhooks[0].timeout must be a duration"},
		{"range upside down", "analysis: {metrics: [{name: error-rate, thresholdRange: {min: 2, max: 1}}]}", "thresholdRange.min must not be above max", "spec.analysis.metrics[0].thresholdRange.min 2 must not be above max 1"},
		{"a metric without a name", "analysis: {metrics: [{name: ''}]}", "", "spec.analysis.metrics[0].name must be"},
		{"too many metrics", "analysis: {metrics: " + many + "}", "metrics, webhooks, alerts and match may have 100 entries at most", "spec.analysis.metrics must have at most 100 entries, not 101"},
		{"too many hooks", "analysis: {webhooks: " + many + "}", "metrics, webhooks, alerts and match may have 100 entries at most", "spec.analysis.webhooks must have at most 100 entries, not 101"},
		{"too many alerts", "analysis: {alerts: " + many + "}", "metrics, webhooks, alerts and match may have 100 entries at most", "spec.analysis.alerts must have at most 100 entries, not 101"},
		{"too many conditions", "analysis: {match: " + many + "}", "metrics, webhooks, alerts and match may have 100 entries at most", "spec.analysis.match must have at most 100 entries, not 101"},
	} {
		theirs := canaryOf(t, foreign, tc.change)
		if _, err := create(t, env, inGroupOf(flaggerVersion, theirs), namespace, client.DryRunAll); err != nil && tc.name != "two kinds of step" {
			t.Errorf("%s is none that Flagger accepts: %v", tc.name, err)
		}
		if _, err := create(t, env, theirs, namespace, client.DryRunAll); err != nil {
			t.Errorf("%s of somebody else's is refused: %v", tc.name, err)
		}
		ours := canaryOf(t, foreign, tc.change, "provider: knative")
		_, err := create(t, env, ours, namespace, client.DryRunAll)
		if (err == nil) != (tc.apply == "") || err != nil && !strings.Contains(err.Error(), tc.apply) {
			t.Errorf("%s: apply says %v, want %q", tc.name, err, tc.apply)
		}
		err = decode(t, ours).Validate()
		if (err == nil) != (tc.daemon == "") || err != nil && !strings.Contains(err.Error(), tc.daemon) {
			t.Errorf("%s: the daemon says %v, want %q", tc.name, err, tc.daemon)
		}
	}
}

// A Canary of ours is known by its target and its provider, and by nothing less.
func TestRulesKnowOurCanariesAsTheDaemonDoes(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	for _, change := range []string{
		"provider: knative", "provider: ''", "provider: null", "provider: Knative", "provider: knative:v1", "provider: gatewayapi:v1",
		"{provider: knative, targetRef: {apiVersion: v1}}", "{provider: knative, targetRef: {apiVersion: serving.knative.dev/v1beta1}}",
		"{provider: knative, targetRef: {kind: Deployment}}", "{provider: null, targetRef: {kind: DaemonSet}}", "{provider: ''}",
		"{provider: knative, targetRef: {apiVersion: " + strings.Repeat("a", 1000) + "}}",
	} {
		o := canaryOf(t, foreign, "analysis: {stepWeight: 101}", change)
		_, err := create(t, env, o, namespace, client.DryRunAll)
		if ours := decode(t, o).Ours(); ours != (err != nil) {
			t.Errorf("%s: ours is %v, and apply says %v", change, ours, err)
		}
	}
}

// The target of a pinned Service stays. A Canary that is somebody else's, or
// becomes so, is none of our business.
func TestTargetOfAPinnedServiceStays(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	for i, tc := range []struct {
		provider, change string
		refused          bool
	}{
		{"knative", "targetRef: {name: another}", true},
		{"knative", "{provider: '', targetRef: {name: another}}", true},
		{"knative", "provider: ''", false},
		{"knative", "{provider: istio, targetRef: {name: another}}", false},
		{"knative", "targetRef: {apiVersion: apps/v1, kind: Deployment}", false},
		{"istio", "targetRef: {name: another}", false},
		{"istio", "{provider: knative, targetRef: {name: another}}", false},
	} {
		o := canaryOf(t, foreign, "provider: "+tc.provider)
		o.SetName("pinned-" + strconv.Itoa(i))
		o, err := create(t, env, o, namespace)
		if err != nil {
			t.Fatal(err)
		}
		o.Object["status"] = map[string]any{"lastPromotedSpec": "7d4f9c"}
		if err := env.Client.Status().Update(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		o.Object["spec"] = canaryOf(t, foreign, "provider: "+tc.provider, tc.change).Object["spec"]
		err = env.Client.Update(t.Context(), o)
		if (err != nil) != tc.refused || err != nil && !strings.Contains(err.Error(), "spec.targetRef cannot be changed any more") {
			t.Errorf("provider %s, then %s: %v, want refused %v", tc.provider, tc.change, err, tc.refused)
		}
	}
}

// What Flagger's definition accepts, ours does, whatever it is, and nothing of it
// is lost; and all that either stores can be read.
func TestWhateverFlaggerAcceptsIsAcceptedKeptAndRead(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	spec := schemaAt(t, "canaries", "spec")
	accepted := 0
	rapid.Check(t, func(rt *rapid.T) {
		o := object("Canary", "any")
		o.Object["spec"] = anyOf(spec).Draw(rt, "spec")
		flaggers, err := create(t, env, inGroupOf(flaggerVersion, o), namespace, client.DryRunAll)
		if err != nil {
			return
		}
		accepted++
		canary := decode(rt, flaggers)
		ours, err := create(t, env, o, namespace, client.DryRunAll)
		if err != nil {
			if !canary.Ours() {
				rt.Fatalf("a Canary that Flagger accepts is refused: %v", err)
			}
			if canary.Validate() == nil {
				rt.Fatalf("the daemon accepts what the definition refuses: %v", err)
			}
			return
		}
		if got := decode(rt, ours); got.Ours() != canary.Ours() {
			rt.Fatalf("ours is %v under one definition and %v under the other", got.Ours(), canary.Ours())
		}
		kept := common(o.Object["spec"], flaggers.Object["spec"])
		if lost := missing("spec", kept, ours.Object["spec"]); len(lost) > 0 {
			rt.Fatalf("%q is lost", lost)
		}
	})
	if accepted < 10 {
		t.Errorf("only %d of the Canaries were such as Flagger accepts", accepted)
	}
}

// Whatever Flagger writes into a status, or anybody who may.
func TestWhateverStatusFlaggerWritesIsAcceptedAndRead(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	theirs, err := create(t, env, inGroupOf(flaggerVersion, canaryOf(t, foreign)), namespace)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := create(t, env, canaryOf(t, foreign, "provider: knative"), namespace)
	if err != nil {
		t.Fatal(err)
	}
	status := schemaAt(t, "canaries", "status")
	accepted := 0
	rapid.Check(t, func(rt *rapid.T) {
		theirs, ours := theirs.DeepCopy(), ours.DeepCopy()
		theirs.Object["status"] = anyOf(status).Draw(rt, "status")
		ours.Object["status"] = theirs.DeepCopy().Object["status"]
		written := theirs.DeepCopy().Object["status"]
		if err := env.Client.Status().Update(t.Context(), theirs, client.DryRunAll); err != nil {
			return
		}
		accepted++
		if err := env.Client.Status().Update(t.Context(), ours, client.DryRunAll); err != nil {
			rt.Fatalf("a status that Flagger may write is refused: %v", err)
		}
		kept := common(written, theirs.Object["status"])
		if lost := missing("status", kept, ours.Object["status"]); len(lost) > 0 {
			rt.Fatalf("%q is lost", lost)
		}
		if !decode(rt, ours).Ours() {
			rt.Fatal("it is not ours any more")
		}
	})
	if accepted < 10 {
		t.Errorf("only %d statuses were such as Flagger may write", accepted)
	}
}

func TestWhateverAlertProviderFlaggerAcceptsIsAcceptedAndKept(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	spec := schemaAt(t, "alertproviders", "spec")
	accepted := 0
	rapid.Check(t, func(rt *rapid.T) {
		o := object("AlertProvider", "any")
		o.Object["spec"] = anyOf(spec).Draw(rt, "spec")
		flaggers, err := create(t, env, inGroupOf(flaggerVersion, o), namespace, client.DryRunAll)
		if err != nil {
			return
		}
		accepted++
		ours, err := create(t, env, o, namespace, client.DryRunAll)
		if err != nil {
			rt.Fatalf("an AlertProvider that Flagger accepts is refused: %v", err)
		}
		kept := common(o.Object["spec"], flaggers.Object["spec"])
		if lost := missing("spec", kept, ours.Object["spec"]); len(lost) > 0 {
			rt.Fatalf("%q is lost", lost)
		}
		var provider v1beta1.AlertProvider
		if err := json.Unmarshal(text(rt, ours), &provider); err != nil {
			rt.Fatal(err)
		}
	})
	if accepted < 10 {
		t.Errorf("only %d were such as Flagger accepts", accepted)
	}
}

// Of Serin's own type of AlertProvider the definition says more.
func TestDefinitionSaysWhatIsWrongWithAWebhook(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	for spec, want := range map[string]string{
		"{type: webhook}":                                          "no address: give address, or secretRef",
		"{type: slack}":                                            "no address: give address, or secretRef",
		"{type: webhook, address: ''}":                             "no address: give address, or secretRef",
		"{type: webhook, address: 'ftp://a'}":                      "address must be an http or https address",
		"{type: webhook, address: 'http://a', proxy: 'a:1'}":       "proxy must be an address such as",
		"{type: pager, address: 'http://a'}":                       "Unsupported value",
		"{type: webhook, secretRef: {name: a}}":                    "",
		"{type: webhook, address: 'http://a', proxy: 'http://p'}":  "",
		"{type: slack, address: 'http://a', secretRef: {name: a}}": "",
		"{type: slack, address: ''}":                               "",
	} {
		o := object("AlertProvider", "any")
		if err := yaml.Unmarshal([]byte("spec: "+spec), &o.Object); err != nil {
			t.Fatal(err)
		}
		_, err := create(t, env, o, namespace, client.DryRunAll)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}

// Flagger's definitions know no spec that has to be there.
func TestObjectsWithoutSpecApply(t *testing.T) {
	env := world(t)
	namespace := env.Namespace(t)
	for _, kind := range []string{"Canary", "AlertProvider"} {
		for _, o := range []*unstructured.Unstructured{object(kind, "bare"), inGroupOf(flaggerVersion, object(kind, "bare"))} {
			if _, err := create(t, env, o, namespace); err != nil {
				t.Errorf("%s: %v", o.GetAPIVersion(), err)
			}
		}
	}
}

// filesOf are the objects of files, by file and name.
func filesOf(t *testing.T, pattern string) map[string]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v: no files", pattern, err)
	}
	all := make(map[string]*unstructured.Unstructured)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects(t, string(content)) {
			all[file+" "+o.GetKind()+" "+o.GetName()] = o
		}
	}
	return all
}

func object(kind, name string) *unstructured.Unstructured {
	o := new(unstructured.Unstructured)
	o.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(kind))
	o.SetName(name)
	return o
}

// canaryOf is a Canary with that spec, and with changes that are merged into it.
func canaryOf(t *testing.T, spec string, changes ...string) *unstructured.Unstructured {
	t.Helper()
	o := object("Canary", "any")
	merged := make(map[string]any)
	for _, part := range append([]string{spec}, changes...) {
		var change map[string]any
		if err := yaml.Unmarshal([]byte(part), &change); err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		merge(merged, change)
	}
	o.Object["spec"] = merged
	return o
}

// merge changes an object as a JSON merge patch does.
func merge(into, change map[string]any) {
	for name, value := range change {
		part, ok := value.(map[string]any)
		old, has := into[name].(map[string]any)
		switch {
		case value == nil:
			delete(into, name)
		case ok && has:
			merge(old, part)
		default:
			into[name] = value
		}
	}
}

// inGroupOf is a copy of an object with another apiVersion.
func inGroupOf(apiVersion string, o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	o.SetAPIVersion(apiVersion)
	return o
}

// create creates a copy of an object, and returns what the API server has made
// of it.
func create(t *testing.T, env *testenv.Env, o *unstructured.Unstructured, namespace string, opts ...client.CreateOption) (*unstructured.Unstructured, error) {
	o = o.DeepCopy()
	o.SetNamespace(namespace)
	return o, env.Client.Create(t.Context(), o, opts...)
}

// fataler is a test, or a check of one.
type fataler interface{ Fatal(args ...any) }

func text(t fataler, o *unstructured.Unstructured) []byte {
	data, err := json.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decode reads a Canary as the daemon does.
func decode(t fataler, o *unstructured.Unstructured) *v1beta1.Canary {
	canary := new(v1beta1.Canary)
	if err := json.Unmarshal(text(t, o), canary); err != nil {
		t.Fatal(err)
	}
	return canary
}

// schemaAt is a part of Flagger's definition.
func schemaAt(t *testing.T, plural string, path ...string) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	content, err := os.ReadFile(flaggerDefinitions)
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict([]byte(document), &definition); err != nil {
			t.Fatal(err)
		}
		if definition.Spec.Names.Plural != plural {
			continue
		}
		schema := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
		for _, name := range path {
			schema = new(schema.Properties[name])
		}
		return schema
	}
	t.Fatalf("%s has no %s", flaggerDefinitions, plural)
	return nil
}

// common is a value without the fields that another one lacks.
func common(value, other any) any {
	switch v := value.(type) {
	case map[string]any:
		o, _ := other.(map[string]any)
		kept := make(map[string]any)
		for name := range v {
			if _, ok := o[name]; ok {
				kept[name] = common(v[name], o[name])
			}
		}
		return kept
	case []any:
		kept := slices.Clone(v)
		for i, o := range other.([]any) {
			kept[i] = common(v[i], o)
		}
		return kept
	default:
		return value
	}
}

// missing lists the paths of what was written and is not there as it was.
func missing(path string, written, stored any) []string {
	if w, ok := written.(map[string]any); ok {
		s, _ := stored.(map[string]any)
		var lost []string
		for name := range w {
			if found, ok := s[name]; ok {
				lost = append(lost, missing(path+"."+name, w[name], found)...)
			} else {
				lost = append(lost, path+"."+name)
			}
		}
		return lost
	}
	if w, ok := written.([]any); ok {
		s, _ := stored.([]any)
		if len(s) != len(w) {
			return []string{path}
		}
		var lost []string
		for i := range w {
			lost = append(lost, missing(path+"["+strconv.Itoa(i)+"]", w[i], s[i])...)
		}
		return lost
	}
	if number(written) != number(stored) {
		return []string{path}
	}
	return nil
}

// number is a number as a float64, and anything else as it is.
func number(value any) any {
	if n, ok := value.(int64); ok {
		return float64(n)
	}
	return value
}
