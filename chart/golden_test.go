package chart_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dashboard is the text of the dashboard in its ConfigMap.
var dashboard = regexp.MustCompile(`(?s)(  serin\.json:) \|.*?\n---\n`)

func TestGolden(t *testing.T) {
	for _, set := range valueSets {
		t.Run(set, func(t *testing.T) {
			// The dashboard is a file of its own.
			rendered := dashboard.ReplaceAllString(templateSet(t, set), "$1 (left out)\n---\n")
			same(t, filepath.Join("testdata", set+".golden.yaml"), rendered, "make golden")
		})
	}
}

// same compares a file with what it should be, or writes it with -update.
func same(t *testing.T, file, want, remedy string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run %s", err, remedy)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s differs (-file +rendered); if it should, run %s:\n%s", file, remedy, diff)
	}
}

func TestHelmFindsNothingToComplainAbout(t *testing.T) {
	for _, set := range valueSets {
		args := []string{"lint", ".", "--strict", "--quiet"}
		if set != "defaults" {
			args = append(args, "--values", filepath.Join("testdata", set+".values.yaml"))
		}
		if out, errOut, err := run(t, "helm", args...); err != nil {
			t.Errorf("%s: %v: %s%s", set, err, out, errOut)
		}
	}
}

func TestWrongValuesAreRefusedInClearText(t *testing.T) {
	for set, want := range map[string]string{
		"denyTarget={db.internal}":                      "at '/denyTarget/0'",
		"scope=everything":                              "at '/scope': value must be one of 'namespace', 'cluster'",
		"replicaCount=2":                                "additional properties 'replicaCount' not allowed",
		"replicas=-1":                                   "at '/replicas'",
		"replicas=two":                                  "at '/replicas': got string, want integer",
		"hooks=maybe":                                   "at '/hooks': value must be one of 'open', 'token', 'off'",
		"loopback=closed":                               "at '/loopback': value must be one of 'open', 'token'",
		"maxRate=-1":                                    "at '/maxRate'",
		"loadtesterAlias=yes":                           "at '/loadtesterAlias': got string, want boolean",
		"gateway=ingress":                               "at '/gateway'",
		"namespaces={Test}":                             "at '/namespaces/0'",
		"allowExec={/bin/helm\\,/bin/kubectl}":          "at '/allowExec/0'",
		"allowExec={helm}":                              "at '/allowExec/0'",
		"image.digest=sha256:1":                         "at '/image/digest'",
		"image.repository=serin:v1":                     "at '/image/repository'",
		"image.pullPolicy=Sometimes":                    "at '/image/pullPolicy'",
		"reports.keep=0":                                "at '/reports/keep'",
		"reports.volume.size=much":                      "at '/reports/volume/size'",
		"alert.type=pager":                              "at '/alert/type'",
		"alert.type=slack":                              "alert.type needs alert.secretName",
		"alert.address=https://hooks.example":           "at '/alert': additional properties 'address' not allowed",
		"log.level=loud":                                "at '/log/level'",
		"service.port=0":                                "at '/service/port'",
		"rbac.secretNames={}":                           "at '/rbac/secretNames/0'",
		"rbac.secretNames={*}":                          "at '/rbac/secretNames/0'",
		"extraArgs={listen}":                            "at '/extraArgs/0'",
		"scope=cluster,namespaces={a}":                  "scope=cluster serves all",
		"reports.volume.enabled=true,replicas=2":        "reports.volume.accessMode=ReadWriteMany",
		"fullnameOverride=Serin":                        "at '/fullnameOverride'",
		"podLabels.app\\.kubernetes\\.io/name=somebody": "podLabels must leave app.kubernetes.io/name alone",
	} {
		_, errOut, err := run(t, "helm", "template", "serin", ".", "--set", set)
		if err == nil || !strings.Contains(errOut, want) {
			t.Errorf("--set %s: %v: %s\nwant %q", set, err, errOut, want)
		}
	}
}

func TestOffWithoutQuotesTurnsHooksOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte("hooks: off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := template(t, "--values", file); !strings.Contains(out, "--hooks=off\n") {
		t.Errorf("rendered:\n%s", out)
	}
}

func TestHooksReachTheDaemonByTheLoadTestersName(t *testing.T) {
	for _, o := range find(objects(t, template(t, "--set", "loadtesterAlias=true")), "Service") {
		if o.GetName() == "flagger-loadtester" && o.GetNamespace() == "test" {
			return
		}
	}
	t.Error("there is no Service flagger-loadtester")
}
