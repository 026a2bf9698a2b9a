package daemon_test

import (
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// A Canary in namespace a has the daemon call itself, over loopback, to abort the
// rollout of b, of which its author has no rights at all. Loopback is allowed for
// hooks here, as on a laptop: the daemon itself is not.
func TestHookToTheDaemonItselfCommandsNobody(t *testing.T) {
	a, b := newWorld(t), &world{TB: t, namespace: env.Namespace(t)}
	b.service, b.canary = newService(b.namespace), a.canary.DeepCopy()
	b.canary.Namespace = b.namespace
	b.canary.Spec.Analysis.Interval = "1h" // nothing happens by itself
	b.canary.Spec.Analysis.Watch = &v1beta1.Watch{Duration: "1h"}
	listen, tap := freeAddress(t, "127.0.0.1"), freeAddress(t, "127.0.0.1")
	_, port, _ := strings.Cut(listen, ":")
	a.canary.Spec.Analysis.Webhooks = []v1beta1.Webhook{
		{Name: "gate", Type: v1beta1.ConfirmRolloutHook, URL: "http://localhost:" + port + "/api/v1/canaries/" + b.namespace + "/podinfo/abort"},
	}
	provider := &v1beta1.AlertProvider{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "people"}}
	provider.Spec.Type, provider.Spec.Address, provider.Spec.Proxy = v1beta1.AlertWebhook, "http://canary-podinfo."+b.namespace+"/status/500", "http://"+tap
	a.create(provider)
	a.canary.Spec.Analysis.Alerts = []v1beta1.Alert{{Name: "us", Severity: "info", ProviderRef: v1beta1.ObjectRef{Name: "people"}}}
	b.daemon(daemon.Config{Listen: listen, Tap: tap, Namespaces: []string{a.namespace, b.namespace}})

	b.create(b.service)
	b.create(b.canary)
	b.awaitPhase(v1beta1.PhaseInitialized)
	b.push("6.0.1")
	b.eventually("a check runs", func() bool {
		return b.canary.Status.Analysis != nil && b.canary.Status.Analysis.Stage == v1beta1.StageMeasuring
	})
	a.create(a.service)
	a.create(a.canary)
	a.awaitPhase(v1beta1.PhaseInitialized)
	a.push("6.0.1")
	a.awaitEvent("Hook gate not called: refused to connect to 127.0.0.1:" + port + " (localhost): the daemon itself listens there")
	a.awaitEvent("Alert not sent to alert provider " + a.namespace + "/people: refused to connect to " + tap + ": the daemon itself listens there")

	b.read(b.canary)
	if _, aborted := b.canary.Annotations[v1beta1.AbortAnnotation]; aborted || b.canary.Status.Phase != v1beta1.PhaseProgressing {
		t.Errorf("b is in phase %s, with annotations %v", b.canary.Status.Phase, b.canary.Annotations)
	}
	if told := strings.Join(b.events(), "\n"); strings.Contains(told, "refused to connect") {
		t.Errorf("b's people are told of what a did:\n%s", told)
	}
	// The command itself works, for who is inside: it was the hook that was refused.
	r := &reachable{world: b, http: listen}
	if status, answer := r.ask(http.MethodPost, "/api/v1/canaries/"+b.namespace+"/podinfo/abort", "", nil); status/100 != 2 {
		t.Errorf("%d %s", status, answer)
	}
	b.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
}
