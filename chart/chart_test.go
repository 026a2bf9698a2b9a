// Package chart_test tries the Helm chart: what it renders, what it refuses, and
// whether a real API server takes it.
package chart_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/testenv"
)

var update = flag.Bool("update", false, "write the golden and the generated files anew")

// The values that are rendered; each but the first is a file in testdata.
var valueSets = []string{"defaults", "cluster", "namespaces", "available", "everything", "nothing"}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(runAndStop(m))
}

func runAndStop(m *testing.M) int {
	defer stopCluster()
	return m.Run()
}

var started *testenv.Env

// startCluster starts a control plane for the tests that need one, once. It has
// our definitions and, in another group, Flagger's.
var startCluster = sync.OnceValues(func() (_ *testenv.Env, err error) {
	started, err = testenv.Start(context.Background(), testenv.Options{CRDs: []string{"crds", "testdata/flagger/definitions.yaml"}})
	return started, err
})

func stopCluster() {
	if started == nil {
		return
	}
	if err := started.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// buildTools builds helm and kustomize, as everybody does.
var buildTools = sync.OnceValue(func() error {
	out, err := exec.Command("make", "-s", "-C", "..", "bin/helm").CombinedOutput()
	if err != nil {
		return fmt.Errorf("make bin/helm: %w: %s", err, out)
	}
	return nil
})

// run runs a tool of bin/.
func run(t testing.TB, tool string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	if err := buildTools(); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", "bin", tool), args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=/dev/null", "HELM_DEBUG=", "HELM_NAMESPACE=")
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// template renders the chart as `helm install serin ./chart -n test` does.
func template(t testing.TB, args ...string) string {
	t.Helper()
	out, errOut, err := run(t, "helm", append([]string{"template", "serin", ".", "--namespace", "test"}, args...)...)
	if err != nil {
		t.Fatalf("helm template %q: %v: %s", args, err, errOut)
	}
	return out
}

// templateSet renders the chart with one of valueSets.
func templateSet(t testing.TB, set string) string {
	t.Helper()
	if set == "defaults" {
		return template(t)
	}
	return template(t, "--values", filepath.Join("testdata", set+".values.yaml"))
}

// objects are those of rendered YAML.
func objects(t testing.TB, rendered string) (all []*unstructured.Unstructured) {
	t.Helper()
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(rendered), 4096); ; {
		o := new(unstructured.Unstructured)
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Object) > 0 {
			all = append(all, o)
		}
	}
}

// find returns the objects of a kind.
func find(all []*unstructured.Unstructured, kind string) (found []*unstructured.Unstructured) {
	for _, o := range all {
		if o.GetKind() == kind {
			found = append(found, o)
		}
	}
	return found
}
