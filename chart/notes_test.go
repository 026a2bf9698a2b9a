package chart_test

import (
	"strings"
	"testing"
)

func TestNotesSayWhatToDoNext(t *testing.T) {
	env := world(t)
	for set, want := range map[string]string{
		"replicas=1":                 "port-forward deploy/serin 8080\n",
		"loadtesterAlias=true":       "http://flagger-loadtester.default/.\n",
		"namespaces={a,b}":           "looks after the Canaries of a, b.\n",
		"scope=cluster":              "looks after the Canaries of all namespaces.\n",
		"hooks=open":                 "--set rbac.tokenReview=true\n",
		"trafficPolicy.enabled=true": "suspended: ValidatingAdmissionPolicy serin-traffic.default.\n",
	} {
		out, errOut, err := run(t, "helm", "install", "serin", ".", "--namespace", "default", "--dry-run=server", "--kubeconfig", env.Kubeconfig, "--set", set)
		_, notes, _ := strings.Cut(out, "\nNOTES:\n")
		if err != nil || !strings.Contains(notes, want) || strings.Contains(notes, "\n\n\n") {
			t.Errorf("--set %s: %v: %s\nnotes, want %q and no gaps:\n%s", set, err, errOut, want, notes)
		}
	}
}
