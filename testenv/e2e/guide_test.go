package e2e_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-dev/serin/api/v1beta1"
)

// byHand runs a command in the daemon's pod, as the guide has people do it,
// until the test ends. The pod's own timeout ends what kubectl leaves behind.
func (w *world) byHand(command ...string) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	args := append([]string{"exec", "deploy/serin", "--", "timeout", "900"}, command...)
	cmd := w.command(ctx, "kubectl", args...)
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
}

// checkImage looks at the image from inside of the daemon's pod.
func (w *world) checkImage() {
	w.Helper()
	script, err := os.Open(filepath.Join(the.root, "tools", "image", "check"))
	if err != nil {
		w.Fatal(err)
	}
	cmd := w.command(w.Context(), "kubectl", "exec", "-i", "deploy/serin", "--", "sh", "-ex")
	cmd.Stdin = script
	out, err := cmd.CombinedOutput()
	if err := errors.Join(err, script.Close()); err != nil {
		w.Errorf("the image lacks something: %v\n%s", err, out)
	}
}

// The guide from top to bottom, with its own files and values.
func TestGuidePromotesTheGoodRevisionAndRollsBackTheFailingOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "test")
	w.install("loadtesterAlias=true")
	w.run(the.helm, "test", "serin", "--timeout=2m")
	w.checkImage()
	w.initialize()
	u := w.startUsers()

	w.push("6.0.1")
	w.awaitPromoted(2)
	for _, words := range []string{"New revision detected", "Advance podinfo.test canary weight 10", "Advance podinfo.test canary weight 50", "Promotion completed"} {
		w.event(words)
	}

	w.push("6.0.2")
	w.byHand("watch", "-n", "1", "curl", "-s", "http://canary-podinfo.test/status/500")
	w.awaitEnd(v1beta1.PhaseFailed, 3)
	w.serves(2)
	w.event("failed checks threshold reached 15")
	u.noneFailed() // the failures were by hand
	if log := w.kubectl("logs", "deploy/serin"); !strings.Contains(log, "Canary failed!") || strings.Contains(log, "Knative may default") {
		w.Errorf("the log has to tell the story, and nothing that the API server remarks on the user's template at each write:\n%s", log)
	}
}

func TestRevisionThatIsSlowByHandIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-slow")
	w.install()
	w.initialize()
	u := w.startUsers()
	w.push("6.0.1")
	w.byHand("watch", "-n", "1", "curl", "-s", "http://canary-podinfo.e2e-slow/delay/1")
	w.awaitEnd(v1beta1.PhaseFailed, 2)
	w.serves(1)
	w.event("request duration")
	u.noneFailed()
}

// hey in the pod is measured as curl is, without being told of the proxy.
func TestRevisionThatFailsForHeyByHandIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-hey")
	w.install()
	w.initialize(quick...)
	u := w.startUsers()
	w.push("6.0.1")
	w.byHand("hey", "-z", "10m", "-q", "2", "-c", "1", "http://canary-podinfo.e2e-hey/status/500")
	w.awaitEnd(v1beta1.PhaseFailed, 2)
	w.serves(1)
	w.event("success rate")
	u.noneFailed()

	// hey asked before the tag had a name. The cluster's DNS remembers that for
	// seconds, which says nothing about the revision.
	metrics := w.kubectl("exec", "deploy/serin", "--", "curl", "-s", "http://localhost:8080/metrics")
	if !strings.Contains(metrics, `serin_requests_total{name="podinfo",namespace="e2e-hey",outcome="2xx",revision="canary"}`) || strings.Contains(metrics, `outcome="dns"`) {
		w.Errorf("requests were counted as if the revision had no name:\n%s", metrics)
	}
}

func TestHookLoadOfDelaysFailsForLatency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-delay")
	w.install("loadtesterAlias=true")
	w.initialize("-c 2 http://podinfo.test", "-c 2 http://podinfo.e2e-delay/delay/1")
	u := w.startUsers()
	w.push("6.0.1")
	w.awaitEnd(v1beta1.PhaseFailed, 2)
	w.serves(1)
	w.event("request duration")
	u.noneFailed()
}

// What the daemon does it does with the rights that the chart gives it.
func TestTheDaemonHasTheRightsOfItsChartAndNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "e2e-rights")
	w.install()
	if account := w.kubectl("get", "pods", "-l", "app.kubernetes.io/name=serin", "-o", "jsonpath={.items[*].spec.serviceAccountName}"); account != "serin" {
		t.Errorf("the daemon runs as %q", account)
	}
	for question, answer := range map[string]string{
		"update canaries.flagger.app --subresource=status": "yes",
		"patch services.serving.knative.dev":               "yes",
		"delete services.serving.knative.dev":              "no",
		"list pods":                                        "no",
		"list secrets --namespace=kube-system":             "no",
		"list canaries --namespace=default":                "no",
		"list canaries --all-namespaces":                   "no",
		"create pods --subresource=exec":                   "no",
		"* *":                                              "no",
		"create clusterroles.rbac.authorization.k8s.io":    "no",
	} {
		args := append([]string{"auth", "can-i", "--as=system:serviceaccount:" + w.namespace + ":serin"}, strings.Fields(question)...)
		out, _ := w.command(t.Context(), "kubectl", args...).Output() // "no" is status 1
		if got := strings.TrimSpace(string(out)); got != answer {
			t.Errorf("may it %s: %q, want %q", question, got, answer)
		}
	}
}
