package hook

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/egress/egresstest"
	"github.com/serin-dev/serin/daemon/rollout"
)

// strict allows 127.0.0.2, on which nobody listens, and knows some names.
func strict() egress.Policy {
	return egress.Policy{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		Resolver: egresstest.Resolver(func(host string, lookup int) []string {
			switch {
			case host == "changing.example" && lookup == 1:
				return []string{"127.0.0.2"}
			case host == "changing.example", host == "inside.example":
				return []string{"127.0.0.1"}
			}
			return nil
		}),
	}
}

// Each address leads to a server on loopback that would let the hook pass.
func TestHooksThatNameLoopback(t *testing.T) {
	s := serve(t, status(200))
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	policy := strict()
	for host, want := range map[string]string{
		"localhost":               "refused to connect to ",
		"LOCALHOST.":              "", // known or not
		"user:pass@localhost":     "loopback addresses are not allowed for hooks",
		"127.0.0.1":               "refused to connect to 127.0.0.1:" + port + ": loopback addresses are not allowed for hooks",
		"127.1":                   "no such host",
		"2130706433":              "no such host",
		"0x7f.1":                  "no such host",
		"[::1]":                   "loopback addresses are not allowed for hooks",
		"[::ffff:127.0.0.1]":      "loopback addresses are not allowed for hooks",
		"[64:ff9b::127.0.0.1]":    "loopback addresses are not allowed for hooks",
		"0.0.0.0":                 "unspecified addresses are not allowed for hooks",
		"[::]":                    "unspecified addresses are not allowed for hooks",
		"169.254.169.254":         "link-local addresses are not allowed for hooks",
		"[fe80::1%25lo]":          "link-local addresses are not allowed for hooks",
		"[fd00:ec2::254]":         "metadata service addresses are not allowed for hooks",
		"inside.example":          "refused to connect to 127.0.0.1:" + port + " (inside.example): loopback addresses are not allowed for hooks",
		"evil.test@127.0.0.1":     "loopback addresses are not allowed for hooks",
		"127.0.0.1:" + port + "/": "refused", // with a path of its own
	} {
		address := "http://" + host + ":" + port + "/"
		if strings.HasSuffix(host, "/") {
			address = "http://" + host
		}
		if got := answerUnder(t, policy, v1beta1.Webhook{URL: address}); got.Passed || !strings.Contains(got.Message, want) {
			t.Errorf("%s: %+v, want %q", host, got, want)
		}
	}
	if asked := s.asked(); len(asked) > 0 {
		t.Errorf("%d hooks have arrived", len(asked))
	}
}

// The name is allowed once, with nobody there, and then means loopback.
func TestNameThatChangesBetweenTries(t *testing.T) {
	s := serve(t, status(200))
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	got := answerUnder(t, strict(), v1beta1.Webhook{URL: "http://changing.example:" + port, Retries: new(int32(1))})
	if want := "refused to connect to 127.0.0.1:" + port + " (changing.example): loopback addresses are not allowed for hooks"; got.Message != want {
		t.Errorf("answer %+v, want %q", got, want)
	}
	if len(s.asked()) > 0 {
		t.Error("the hook has arrived")
	}
}

// A refusal does not wait for retries, which would take minutes.
func TestRefusedAddressIsNotTriedAgain(t *testing.T) {
	got := answerUnder(t, egress.Policy{}, v1beta1.Webhook{URL: "http://127.0.0.1:1", Retries: new(int32(100))})
	if !strings.HasPrefix(got.Message, "refused to connect to 127.0.0.1:1:") {
		t.Errorf("answer %+v", got)
	}
}

// On a laptop, too, where loopback is allowed.
func TestHooksNeverReachTheDaemonItself(t *testing.T) {
	s := serve(t, status(200))
	_, text, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	policy := loopback
	policy.Own = []uint16{uint16(port)}
	if got := answerUnder(t, policy, v1beta1.Webhook{URL: s.URL}); got.Message != "refused to connect to 127.0.0.1:"+text+": the daemon itself listens there" {
		t.Errorf("answer %+v", got)
	}
	if len(s.asked()) > 0 {
		t.Error("the hook has arrived")
	}
}

// Followed, the redirect would reach a server on loopback, which is allowed.
func TestRedirectsOfHooksAreNotFollowed(t *testing.T) {
	inside := serve(t, status(200))
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, code) })
		got := answerTo(t, v1beta1.Webhook{URL: s.URL})
		if want := (rollout.Answer{Message: strconv.Itoa(code) + " " + http.StatusText(code)}); got != want {
			t.Errorf("answer %+v, want %+v", got, want)
		}
	}
	if len(inside.asked()) > 0 {
		t.Error("a redirect was followed")
	}
}

// Both transports have the dialer, the one without verification and HTTP/2 too.
func TestHTTPSHooksThatNameLoopback(t *testing.T) {
	arrived := make(chan struct{}, 10)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	if got := answerTo(t, v1beta1.Webhook{URL: s.URL, DisableTLS: true}); !got.Passed {
		t.Fatalf("answer %+v where it is allowed", got)
	}
	<-arrived
	for _, insecure := range []bool{false, true} {
		got := answerUnder(t, egress.Policy{}, v1beta1.Webhook{URL: s.URL, DisableTLS: insecure})
		if !strings.Contains(got.Message, "loopback addresses are not allowed for hooks") {
			t.Errorf("answer %+v", got)
		}
	}
	if len(arrived) > 0 {
		t.Error("the hook has arrived")
	}
}

// Closed gates and event hooks have no events of their own that say why. What is
// told of an event hook is an event too, and must not be told for ever.
func TestRefusalsAreToldOnce(t *testing.T) {
	refused := make(chan string, 100)
	var hooks *Hooks
	event := v1beta1.Webhook{Name: "events", Type: v1beta1.EventHook, URL: "http://127.0.0.1:1"}
	hooks = New(Config{Notify: nobody, Refused: func(_ context.Context, canary types.NamespacedName, message string) {
		refused <- message
		hooks.Tell(canary, v1beta1.PhaseProgressing, []v1beta1.Webhook{event}, "Warning", message)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- hooks.Run(ctx) }()
	gate := callOf("http://localhost:1", "gate")
	gate.Every = time.Millisecond
	hooks.Call(podinfo, []rollout.Call{gate})
	got := []string{<-refused, <-refused}
	slices.Sort(got)
	if !strings.HasPrefix(got[0], "Hook events not called: refused to connect to 127.0.0.1:1: loopback") || !strings.HasPrefix(got[1], "Hook gate not called: refused to connect to ") {
		t.Errorf("told %q", got)
	}
	await(t, "all is told", func() bool {
		hooks.mu.Lock()
		defer hooks.mu.Unlock()
		return len(hooks.told) == 0 && len(hooks.busy) == 0
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(refused) > 0 {
		t.Errorf("told again: %q", <-refused)
	}
}
