package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon"
)

// freeAddress is one on which nobody listens.
func freeAddress(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}

// reachable is an initialized world whose daemon is reached over HTTP, and by
// hand through its proxy.
type reachable struct {
	*world
	http, tap string
}

func newReachable(t *testing.T, host string, edit func(*v1beta1.Analysis)) *reachable {
	w := newWorld(t)
	if edit != nil {
		edit(&w.canary.Spec.Analysis)
	}
	r := &reachable{world: w, http: freeAddress(t, host), tap: freeAddress(t, "127.0.0.1")}
	w.daemon(daemon.Config{Listen: r.http, Tap: r.tap})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	return r
}

// ask sends a request to the daemon.
func (r *reachable) ask(method, path, token string, body any) (status int, answer string) {
	r.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		r.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.Context(), method, "http://"+r.http+path, bytes.NewReader(text))
	if err != nil {
		r.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return resp.StatusCode, string(all)
}

// watchCurl asks a URL through the proxy again and again, as watch curl does,
// until stop.
func (r *reachable) watchCurl(target string) (stop func()) {
	ctx, cancel := context.WithCancel(r.Context())
	proxy := &url.URL{Scheme: "http", Host: r.tap}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
				if err != nil {
					r.Error(err)
					return
				}
				if resp, err := transport.RoundTrip(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	return func() { cancel(); wg.Wait(); transport.CloseIdleConnections() }
}

// The guide: somebody in the pod makes the canary revision fail.
func TestErrorsByHandRollBack(t *testing.T) {
	r := newReachable(t, "127.0.0.1", nil)
	r.push("6.0.1")
	stop := r.watchCurl("http://canary-podinfo." + r.namespace + "/status/500")
	defer stop()
	r.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	r.awaitEvent("Halt podinfo." + r.namespace + " advancement success rate ")
}

func TestDelaysByHandRollBack(t *testing.T) {
	r := newReachable(t, "127.0.0.1", func(a *v1beta1.Analysis) { a.Metrics[1].ThresholdRange.Max = new(900.0) })
	r.push("6.0.1")
	stop := r.watchCurl("http://canary-podinfo." + r.namespace + "/delay/1")
	defer stop()
	r.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	r.awaitEvent("Halt podinfo." + r.namespace + " advancement request duration ")
}

// A fault makes Serin's own requests fail; without it the same revision is
// promoted. Nothing of it reaches users.
func TestFaultRollsBackWhileItLasts(t *testing.T) {
	r := newReachable(t, "127.0.0.1", nil)
	stop := r.users()
	status, answer := r.ask(http.MethodPost, "/api/v1/faults", "", map[string]any{"namespace": r.namespace, "name": "podinfo", "percent": 50, "status": 503})
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, answer)
	}
	r.awaitEvent("Drill: 50% of Serin's requests to the canary revision of podinfo." + r.namespace + " are answered 503 for 5m0s")
	r.push("6.0.1")
	r.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	if status, answer := r.ask(http.MethodDelete, "/api/v1/faults", "", nil); status != http.StatusOK || answer != "{\"ended\":1}\n" {
		t.Errorf("%d %s", status, answer)
	}
	r.awaitEvent("was ended after")
	if status, answer := r.ask(http.MethodPost, "/api/v1/canaries/"+r.namespace+"/podinfo/retry", "", nil); status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
	r.awaitEvent("Trying podinfo-00002 again") // until then it is still Failed
	r.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
	if answered, failures := stop(); answered == 0 || len(failures) > 0 {
		t.Errorf("of %d requests of users %d failed: %v", answered+len(failures), len(failures), failures)
	}
	r.reportsAreKept(2)
}

// reportsAreKept waits until the pages of so many rollouts are there, in a
// ConfigMap that goes with the Canary.
func (r *reachable) reportsAreKept(n int) {
	r.Helper()
	path := "/api/v1/canaries/" + r.namespace + "/podinfo/reports"
	var list struct {
		Reports []string `json:"reports"`
	}
	r.eventually("reports", func() bool {
		_, answer := r.ask(http.MethodGet, path, "", nil)
		return json.Unmarshal([]byte(answer), &list) == nil && len(list.Reports) == n
	})
	for _, id := range list.Reports {
		status, page := r.ask(http.MethodGet, path+"/"+id, "", nil)
		if status != http.StatusOK || !strings.Contains(page, "podinfo-00002") || !strings.Contains(page, "<svg") {
			r.Errorf("report %s: %d, %d bytes", id, status, len(page))
		}
	}
	shelf := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "podinfo-serin-reports"}}
	r.read(shelf)
	if owner := metav1.GetControllerOf(shelf); owner == nil || owner.Kind != "Canary" {
		r.Errorf("owner %+v", owner)
	}
}

// From another pod a command needs a token of Kubernetes, and the right.
func TestCommandsNeedARight(t *testing.T) {
	r := newReachable(t, "127.0.0.2", nil) // as good as another pod's: not the address that is taken for loopback
	r.push("6.0.1")
	path := "/api/v1/canaries/" + r.namespace + "/podinfo/abort"
	r.eventually("the rollout", func() bool { return r.canary.Running() })
	for token, want := range map[string]int{"": http.StatusUnauthorized, "made-up": http.StatusUnauthorized, r.token("nobody"): http.StatusForbidden} {
		if status, answer := r.ask(http.MethodPost, path, token, nil); status != want {
			t.Errorf("%d %s, want %d", status, answer, want)
		}
	}
	token := r.token("deployer", rbacv1.PolicyRule{APIGroups: []string{"flagger.app"}, Resources: []string{"canaries"}, Verbs: []string{"patch"}})
	r.eventually("the right", func() bool {
		status, answer := r.ask(http.MethodPost, path, token, nil)
		if status != http.StatusAccepted && status != http.StatusForbidden {
			t.Errorf("%d %s", status, answer)
		}
		return status == http.StatusAccepted
	})
	r.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	r.awaitEvent("aborted by annotation")
}

// A daemon with Loopback token lets nobody change something without one, and says
// so; what it does not know is refused before it runs.
func TestLoopbackNeedsATokenWhereItIsSaid(t *testing.T) {
	if err := (daemon.Config{Cluster: env.Config, Loopback: "closed"}).Validate(); err == nil || !strings.Contains(err.Error(), `loopback must be open or token, not "closed"`) {
		t.Errorf("closed: %v", err)
	}
	w := newWorld(t)
	r := &reachable{world: w, http: freeAddress(t, "127.0.0.1")}
	w.daemon(daemon.Config{Listen: r.http, Loopback: daemon.LoopbackToken})
	w.create(w.service)
	w.create(w.canary)
	w.awaitPhase(v1beta1.PhaseInitialized)
	path := "/api/v1/faults?namespace=" + r.namespace + "&name=podinfo"
	if status, answer := r.ask(http.MethodDelete, path, "", nil); status != http.StatusUnauthorized || !strings.Contains(answer, "also over loopback") {
		t.Errorf("without a token: %d %s", status, answer)
	}
	token := r.token("deployer", rbacv1.PolicyRule{APIGroups: []string{"flagger.app"}, Resources: []string{"canaries"}, Verbs: []string{"patch"}})
	r.eventually("the right", func() bool {
		status, _ := r.ask(http.MethodDelete, path, token, nil)
		return status == http.StatusOK
	})
	if status, _ := r.ask(http.MethodGet, "/api/v1/canaries", "", nil); status != http.StatusOK {
		t.Errorf("looking: %d", status)
	}
}

// token is that of a new account with some rights in the namespace.
func (r *reachable) token(name string, rights ...rbacv1.PolicyRule) string {
	r.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name}}
	r.create(account)
	r.create(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name}, Rules: rights})
	r.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: r.namespace, Name: name}},
	})
	request := &authenticationv1.TokenRequest{}
	if err := env.Client.SubResource("token").Create(r.Context(), account, request); err != nil {
		r.Fatal(fmt.Errorf("token of %s: %w", name, err))
	}
	return request.Status.Token
}

// Somebody posts a load to the daemon, as Flagger posts it to its load tester:
// what it measures counts.
func TestLoadThatIsPostedCounts(t *testing.T) {
	r := newReachable(t, "127.0.0.1", nil)
	r.push("6.0.1")
	r.eventually("the rollout", func() bool {
		return r.canary.Status.Analysis != nil && r.canary.Status.Analysis.Stage == v1beta1.StageMeasuring
	})
	status, answer := r.ask(http.MethodPost, "/", "", map[string]any{
		"name": "podinfo", "namespace": r.namespace, "phase": "Progressing",
		"metadata": map[string]string{"type": "cmd", "cmd": "hey -z 1m -q 10 -c 2 http://canary-podinfo." + r.namespace + "/status/500"},
	})
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, answer)
	}
	r.awaitOutcome("podinfo-00002", v1beta1.PhaseFailed)
	r.awaitEvent("Halt podinfo." + r.namespace + " advancement success rate ")
}

// A Canary's gates may be the daemon's own, as they may be the load tester's. They are
// reached through a Service; the daemon's own address is refused to hooks.
func TestGateOfTheContract(t *testing.T) {
	r := newReachable(t, "127.0.0.1", nil)
	service := httptest.NewServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: r.http}))
	t.Cleanup(service.Close)
	r.changeCanary(func(c *v1beta1.Canary) {
		c.Spec.Analysis.Webhooks = []v1beta1.Webhook{{Name: "gate", Type: v1beta1.ConfirmPromotionHook, URL: service.URL + "/gate/check"}}
	})
	r.push("6.0.1")
	r.awaitPhase(v1beta1.PhaseWaitingPromotion)
	r.awaitEvent("waiting for promotion approval gate")
	if status, answer := r.ask(http.MethodPost, "/gate/open", "", map[string]any{"name": "podinfo", "namespace": r.namespace}); status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
	r.awaitOutcome("podinfo-00002", v1beta1.PhaseSucceeded)
}
