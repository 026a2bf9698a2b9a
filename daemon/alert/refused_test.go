package alert

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/egress/egresstest"
)

// strict knows some names, and allows nothing more than the default.
func strict() egress.Policy {
	return egress.Policy{Resolver: egresstest.Resolver(func(host string, _ int) []string {
		if host == "inside.example" {
			return []string{"127.0.0.1"}
		}
		return nil
	})}
}

// Each address, or its proxy, leads to a server on loopback that takes messages.
func TestAlertsThatNameLoopback(t *testing.T) {
	address, requests := serve(t, http.StatusOK, "")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	const loopbackRefused = "loopback addresses are not allowed for alerts"
	for _, tc := range []struct {
		address, proxy, want string
		policy               egress.Policy
	}{
		{address: "http://localhost:" + port, want: loopbackRefused},
		{address: "http://127.0.0.1:" + port, want: "refused to connect to 127.0.0.1:" + port + ": " + loopbackRefused},
		{address: "http://[::ffff:127.0.0.1]:" + port, want: loopbackRefused},
		{address: "http://[::1]:" + port, want: loopbackRefused},
		{address: "http://inside.example:" + port, want: "(inside.example): " + loopbackRefused},
		{address: "http://0.0.0.0:" + port, want: "unspecified addresses are not allowed for alerts"},
		{address: "http://169.254.169.254/latest", want: "link-local addresses are not allowed for alerts"},
		{address: "http://2130706433:" + port, want: "no such host"},
		{address: "http://podinfo.example/", proxy: address, want: "refused to connect to 127.0.0.1:" + port + ": " + loopbackRefused},
		{address: "https://podinfo.example/", proxy: address, want: loopbackRefused},
		{address: "http://podinfo.example/", proxy: "socks5://localhost:" + port, want: "(localhost): " + loopbackRefused},
		{address: "http://podinfo.example/", proxy: "https://inside.example:" + port, want: "(inside.example): " + loopbackRefused},
		// The proxy is allowed, and would go on to what is not.
		{address: "http://169.254.169.254/latest", proxy: address, policy: loopback, want: "169.254.169.254:80: link-local"},
		{address: "http://[::1]/", proxy: address, policy: loopback, want: "[::1]:80: " + loopbackRefused},
	} {
		policy := strict()
		policy.Allow = tc.policy.Allow
		p := &Provider{Type: v1beta1.AlertWebhook, Address: tc.address, Proxy: tc.proxy}
		ctx, cancel := context.WithTimeout(t.Context(), tryTimeout)
		err := New(Config{Egress: policy}).post(ctx, p, hostile())
		cancel()
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s through %q: %v, want %q", tc.address, tc.proxy, err, tc.want)
		}
	}
	if len(requests) > 0 {
		t.Errorf("%d messages have arrived", len(requests))
	}
}

// The daemon's own recording proxy, on a laptop where loopback is allowed.
func TestRecordingProxyIsNoProxyForAlerts(t *testing.T) {
	address, requests := serve(t, http.StatusOK, "")
	_, text, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	policy := egress.Policy{Own: []uint16{uint16(port)}, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	p := &Provider{Type: v1beta1.AlertWebhook, Address: "http://canary-podinfo.b/status/500", Proxy: address}
	err = New(Config{Egress: policy}).post(t.Context(), p, hostile())
	if err == nil || !strings.HasSuffix(err.Error(), "the daemon itself listens there") {
		t.Error(err)
	}
	if len(requests) > 0 {
		t.Error("the message has arrived")
	}
}

// The Canary is told once; a refusal is not tried again.
func TestRefusedAlertIsToldToItsCanary(t *testing.T) {
	provider := webhook("people", "http://127.0.0.1:1/services/T0SECRET")
	type news struct {
		canary  types.NamespacedName
		message string
	}
	refused := make(chan news, 10)
	a := New(Config{Reader: cluster(t, provider), Refused: func(_ context.Context, canary types.NamespacedName, message string) {
		refused <- news{canary, message}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	a.Send(told("hello"), via("people"))
	want := news{podinfo, "Alert not sent to alert provider test/people: refused to connect to 127.0.0.1:1: loopback addresses are not allowed for alerts"}
	select {
	case got := <-refused:
		if got != want {
			t.Errorf("told %+v, want %+v", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Error("nobody is told within 20 s")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Whoever starts the daemon may use a proxy, or a relay, in its pod.
func TestGlobalProviderMayBeOnLoopback(t *testing.T) {
	address, requests := serve(t, http.StatusOK, "")
	a := New(Config{Global: &Provider{Type: v1beta1.AlertWebhook, Address: address}})
	if err := a.post(t.Context(), a.config.Global, hostile()); err != nil {
		t.Fatal(err)
	}
	<-requests
	err := a.post(t.Context(), &Provider{Type: v1beta1.AlertWebhook, Address: address}, hostile())
	if _, ok := errors.AsType[*egress.Refusal](err); !ok || len(requests) > 0 {
		t.Errorf("an AlertProvider uses its connection: %v", err)
	}
}

// Followed, the redirect would reach a server on loopback, which is allowed.
func TestRedirectsOfAlertsAreNotFollowed(t *testing.T) {
	inside, arrived := serve(t, http.StatusOK, "")
	for _, code := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside, code) }))
		err := New(Config{Egress: loopback}).post(t.Context(), &Provider{Type: v1beta1.AlertWebhook, Address: s.URL}, hostile())
		if err == nil || !strings.Contains(err.Error(), "answered "+strconv.Itoa(code)) {
			t.Errorf("%d: %v", code, err)
		}
		s.Close()
	}
	if len(arrived) > 0 {
		t.Error("a redirect was followed")
	}
}
