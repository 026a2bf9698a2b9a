package hook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/rollout"
)

var podinfo = types.NamespacedName{Namespace: "test", Name: "podinfo"}

// server answers as told and keeps what it was asked.
type server struct {
	*httptest.Server
	answer func(n int, w http.ResponseWriter, r *http.Request)

	mu     sync.Mutex
	bodies []string
}

func serve(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *server {
	t.Helper()
	s := &server{answer: answer}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.bodies = append(s.bodies, string(body))
	n := len(s.bodies)
	s.mu.Unlock()
	s.answer(n, w, r)
}

func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

func status(code int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// loopback allows what these tests' servers listen on.
var loopback = egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}

// running runs hooks until the test ends; news has a value for each Notify.
func running(t *testing.T) (hooks *Hooks, news <-chan types.NamespacedName) {
	t.Helper()
	return runningUnder(t, loopback)
}

func runningUnder(t *testing.T, policy egress.Policy) (hooks *Hooks, news <-chan types.NamespacedName) {
	t.Helper()
	notified := make(chan types.NamespacedName, 1000)
	hooks = New(Config{Egress: policy, Log: slog.New(slog.DiscardHandler), Notify: func(_ context.Context, canary types.NamespacedName) { notified <- canary }})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- hooks.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run does not end with its context")
		}
	})
	return hooks, notified
}

func callOf(url, name string) rollout.Call {
	return rollout.Call{
		Key:     rollout.Key{Hook: name, Type: v1beta1.ConfirmRolloutHook, Occasion: "podinfo-00002"},
		Webhook: v1beta1.Webhook{Name: name, URL: url, Type: v1beta1.ConfirmRolloutHook}, Phase: v1beta1.PhaseWaiting,
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(20 * time.Second); !holds(); {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// answerTo makes one call and returns what came of it.
func answerTo(t *testing.T, webhook v1beta1.Webhook) rollout.Answer {
	t.Helper()
	return answerUnder(t, loopback, webhook)
}

func answerUnder(t *testing.T, policy egress.Policy, webhook v1beta1.Webhook) rollout.Answer {
	t.Helper()
	hooks, _ := runningUnder(t, policy)
	c := callOf(webhook.URL, "gate")
	c.Webhook = webhook
	hooks.Call(podinfo, []rollout.Call{c})
	await(t, "an answer", func() bool { return len(hooks.Answers(podinfo)) == 1 })
	return hooks.Answers(podinfo)[c.Key]
}

func TestPayloadIsFlaggers(t *testing.T) {
	s := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	if got := answerTo(t, v1beta1.Webhook{URL: s.URL, Metadata: map[string]string{"k": "v"}}); !got.Passed {
		t.Errorf("answer %+v", got)
	}
	want := fmt.Sprintf(`{"name":"podinfo","namespace":"test","phase":"Waiting","checksum":"%s","metadata":{"k":"v"}}`, checksum("podinfo-00002/check-1"))
	if got := s.asked(); !slices.Equal(got, []string{want}) {
		t.Errorf("asked %q, want %q", got, want)
	}
	answerTo(t, v1beta1.Webhook{URL: s.URL})
	if got := s.asked()[1]; !strings.Contains(got, `"metadata":{}`) {
		t.Errorf("without metadata: %s", got)
	}
}

func TestAnswers(t *testing.T) {
	text := func(code int, body string) func(int, http.ResponseWriter, *http.Request) {
		return func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tc := range map[string]struct {
		answer func(int, http.ResponseWriter, *http.Request)
		want   rollout.Answer
	}{
		"200": {status(200), rollout.Answer{Passed: true, Message: "200 OK"}},
		"202": {text(202, "Approved"), rollout.Answer{Passed: true, Message: "202 Accepted: Approved"}},
		"204": {status(204), rollout.Answer{Passed: true, Message: "204 No Content"}},
		"299": {status(299), rollout.Answer{Passed: true, Message: "299 status code 299"}},
		"403": {text(403, "Forbidden\r\nby\x1b[31m policy\xff"), rollout.Answer{Message: "403 Forbidden: Forbidden by [31m policy"}},
		"500": {status(500), rollout.Answer{Message: "500 Internal Server Error"}},
		"a redirect": {func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, rollout.Answer{Message: "307 Temporary Redirect"}},
		"a broken answer":  {func(int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, rollout.Answer{Message: "EOF"}},
		"a very long body": {text(403, strings.Repeat("x", 10<<20)), rollout.Answer{Message: "403 Forbidden: " + strings.Repeat("x", mostTold-1) + "…"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := answerTo(t, v1beta1.Webhook{URL: serve(t, tc.answer).URL}); got != tc.want {
				t.Errorf("answer %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestAddressesThatCannotBeCalled(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	for url, want := range map[string]string{
		closed.URL: "connection refused", "http://\x7f/": "invalid control character", "http://no such host/": "invalid character", "ftp://x/": "unsupported protocol scheme",
	} {
		if got := answerTo(t, v1beta1.Webhook{URL: url}); got.Passed || !strings.Contains(got.Message, want) {
			t.Errorf("%q: %+v, want %q", url, got, want)
		}
	}
}

func TestRetries(t *testing.T) {
	for name, tc := range map[string]struct {
		first int
		asked int
	}{"too many requests": {429, 2}, "server error": {503, 2}, "refused": {403, 1}} {
		s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.WriteHeader(tc.first)
			}
		})
		got := answerTo(t, v1beta1.Webhook{URL: s.URL, Retries: new(int32(1))})
		if len(s.asked()) != tc.asked || got.Passed != (tc.asked == 2) {
			t.Errorf("%s: asked %d times, %+v", name, len(s.asked()), got)
		}
		if tc.asked == 2 && s.asked()[0] != s.asked()[1] {
			t.Errorf("%s: the second try says %q", name, s.asked()[1])
		}
	}
}

func TestSlowHookHoldsUpNobody(t *testing.T) {
	free := make(chan struct{})
	slow := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-free:
		case <-r.Context().Done():
		}
	})
	defer close(free)
	fast := serve(t, status(200))
	hooks, news := running(t)
	hooks.Call(podinfo, []rollout.Call{callOf(slow.URL, "slow"), callOf(fast.URL, "fast")})
	<-news
	answers := hooks.Answers(podinfo)
	if len(answers) != 1 || !answers[callOf("", "fast").Key].Passed {
		t.Errorf("answers %+v", answers)
	}
	if got := answerTo(t, v1beta1.Webhook{URL: slow.URL, Timeout: "50ms"}); got.Passed || got.Message != "no answer within 50ms" {
		t.Errorf("answer %+v", got)
	}
}

func TestGateIsAskedUntilItOpens(t *testing.T) {
	s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 3 {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	hooks, news := running(t)
	gate := callOf(s.URL, "gate")
	gate.Every = time.Millisecond
	hooks.Call(podinfo, []rollout.Call{gate})
	await(t, "the gate", func() bool { return hooks.Answers(podinfo)[gate.Key].Passed })
	if len(s.asked()) != 3 {
		t.Errorf("asked %d times", len(s.asked()))
	}
	<-news
	<-news
	select {
	case <-news:
		t.Error("the same answer is news twice")
	default:
	}
}

func TestCallsAreWhatIsWanted(t *testing.T) {
	gone := make(chan struct{})
	slow := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	})
	fast := serve(t, status(200))
	hooks, news := running(t)
	a, b := callOf(slow.URL, "slow"), callOf(fast.URL, "fast")
	hooks.Call(podinfo, []rollout.Call{a, b})
	<-news
	await(t, "the slow call", func() bool { return len(slow.asked()) == 1 })
	hooks.Call(podinfo, []rollout.Call{a, b}) // the same, so nothing happens
	b.Phase = v1beta1.PhaseProgressing        // is only told
	hooks.Call(podinfo, []rollout.Call{b})
	<-gone // the other one is ended
	if answers := hooks.Answers(podinfo); len(answers) != 1 || len(fast.asked()) != 1 {
		t.Errorf("answers %+v, asked %d times", answers, len(fast.asked()))
	}
	b.Webhook.Metadata = map[string]string{"edited": "yes"}
	hooks.Call(podinfo, []rollout.Call{b})
	<-news
	if asked := fast.asked(); len(asked) != 2 || !strings.Contains(asked[1], "edited") {
		t.Errorf("asked %q", asked)
	}
	hooks.Stop(podinfo)
	if answers := hooks.Answers(podinfo); len(answers) != 0 {
		t.Errorf("answers %+v after Stop", answers)
	}
}

func TestCallsBeforeRunAreMadeThen(t *testing.T) {
	s := serve(t, status(200))
	hooks := New(Config{Egress: loopback, Log: slog.New(slog.DiscardHandler), Notify: func(context.Context, types.NamespacedName) {}})
	hooks.Call(podinfo, []rollout.Call{callOf(s.URL, "gate")})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- hooks.Run(ctx) }()
	await(t, "the call", func() bool { return len(s.asked()) == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestCertificates(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if got := answerTo(t, v1beta1.Webhook{URL: s.URL}); got.Passed || !strings.Contains(got.Message, "certificate") {
		t.Errorf("answer %+v, want one about the certificate", got)
	}
	if got := answerTo(t, v1beta1.Webhook{URL: s.URL, DisableTLS: true}); !got.Passed {
		t.Errorf("answer %+v with disableTLS", got)
	}
}

func TestEventsAreToldInOrder(t *testing.T) {
	s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 2 {
			w.WriteHeader(http.StatusForbidden) // which changes nothing
		}
	})
	hooks, _ := running(t)
	hook := v1beta1.Webhook{Name: "events", Type: v1beta1.EventHook, URL: s.URL, Metadata: map[string]string{"team": "a"}}
	const n = 20
	for i := range n {
		hooks.Tell(podinfo, v1beta1.PhaseProgressing, []v1beta1.Webhook{hook}, "Normal", fmt.Sprint("message ", i))
	}
	hooks.Stop(podinfo) // the last events are told all the same
	await(t, "all events", func() bool { return len(s.asked()) == n })
	for i, body := range s.asked() {
		var p payload
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		m := p.Metadata
		if m["eventMessage"] != fmt.Sprint("message ", i) || m["eventType"] != "Normal" || m["team"] != "a" || len(m["timestamp"]) != 13 || p.Phase != "Progressing" {
			t.Errorf("event %d: %s", i, body)
		}
	}
}

func TestEventsOfASlowHookGiveWay(t *testing.T) {
	hooks := New(Config{Log: slog.New(slog.DiscardHandler), Notify: func(context.Context, types.NamespacedName) {}})
	for i := range mostEvents + 5 {
		hooks.Tell(podinfo, v1beta1.PhaseProgressing, nil, "Normal", fmt.Sprint(i))
	}
	queue := hooks.told[podinfo]
	if len(queue) != mostEvents || queue[0].metadata["eventMessage"] != "5" {
		t.Errorf("%d events, the first is %q", len(queue), queue[0].metadata["eventMessage"])
	}
}
