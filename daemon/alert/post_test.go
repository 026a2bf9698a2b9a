package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/serin-dev/serin/api/v1beta1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// request is what a server has got.
type request struct {
	url    string
	header http.Header
	body   []byte
}

// serve answers on loopback and hands over what it gets. It is a proxy too.
func serve(t *testing.T, status int, answer string) (address string, requests <-chan request) {
	t.Helper()
	got := make(chan request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s: %v", r.Method, err)
		}
		got <- request{r.URL.String(), r.Header, body}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(answer, "URL", r.URL.String()))
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func hostile() *job {
	return &job{Message{
		Canary: podinfo, Service: "web", Severity: Error,
		Text: "Rolling back: \"a & b\" said <!channel> *look* \u00e9\u2713\nand more",
		Fields: []Field{
			{"Target", "Service/podinfo.test"},
			{"error-rate", "4.2% > 1%"},
			{"Reason", "<b>the canary revision</b> fails more often than the primary one"},
		},
	}, time.Date(2026, 7, 28, 12, 0, 0, 0, time.FixedZone("", 7200))}
}

// Each type's message, as the provider's documentation asks for it, comes
// through a real proxy: http addresses stand in for the true hosts.
func TestGoldenMessages(t *testing.T) {
	plain := &job{Message{Canary: podinfo, Service: "podinfo", Text: "Promotion completed!", Severity: Info}, hostile().at}
	warning := &job{Message{Canary: podinfo, Text: "Waiting for approval", Severity: Warn, Fields: []Field{{"Revision", "podinfo-00002"}}}, hostile().at}
	for _, tc := range []struct {
		golden, kind, address, posted string
		job                           *job
	}{
		{"slack", "slack", "http://hooks.slack.com/services/T/B/X", "", hostile()},
		{"slack-plain", "slack", "http://hooks.slack.com/services/T/B/X", "", plain},
		{"discord", "discord", "http://discord.com/api/webhooks/1/X?thread_id=2", "http://discord.com/api/webhooks/1/X/slack?thread_id=2", hostile()},
		{"discord", "discord", "http://discord.com/api/webhooks/1/X/slack", "", hostile()},
		{"rocket", "rocket", "http://rocket.example.com/hooks/X", "", hostile()},
		{"msteams-connector", "msteams", "http://acme.webhook.office.com/webhookb2/X", "", hostile()},
		{"msteams-connector-plain", "msteams", "http://outlook.office.com/webhook/X", "", plain},
		{"msteams-workflow", "msteams", "http://prod-1.westeurope.logic.azure.com/workflows/X/triggers/manual/paths/invoke?sig=Y", "", hostile()},
		{"msteams-workflow-warning", "msteams", "http://webhook.office.com.example.com/", "", warning},
		{"gchat", "gchat", "http://chat.googleapis.com/v1/spaces/X/messages?key=Y&token=Z", "", hostile()},
		{"webhook", "webhook", "http://example.com/", "", hostile()},
		{"webhook-plain", "webhook", "http://example.com/", "", plain},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			proxy, requests := serve(t, http.StatusOK, "ok")
			p := &Provider{Type: tc.kind, Address: tc.address, Proxy: proxy, Channel: "releases"}
			if tc.kind == "rocket" {
				p.Channel, p.Username = "", "canary bird"
			}
			if err := New(Config{Egress: loopback}).post(t.Context(), p, tc.job); err != nil {
				t.Fatal(err)
			}
			got := <-requests
			if want := tc.posted; got.url != want && (want != "" || got.url != tc.address) {
				t.Errorf("posted to %s", got.url)
			}
			if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
				t.Errorf("content type %q", kind)
			}
			golden(t, tc.golden+".json", got.body)
		})
	}
}

func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./daemon/alert -update:\n%s", file, diff)
	}
}

// From a Canary's alert to a server that knows the token, with everything real
// but the cluster.
func TestEndToEnd(t *testing.T) {
	address, requests := serve(t, http.StatusOK, `{"ok":true}`)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	provider := webhook("on-call", "")
	provider.Spec.Type = v1beta1.AlertSlack
	provider.Spec.SecretRef = &v1beta1.SecretRef{Name: "key"}
	a := New(Config{
		Egress: loopback,
		Reader: cluster(t, provider, secret("key", map[string]string{"address": address + "/api/chat.postMessage", "token": "xoxb-1"})),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	a.Send(told("hello"), via("on-call"))
	got := <-requests
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got.url != "/api/chat.postMessage" || got.header.Get("Authorization") != "Bearer xoxb-1" {
		t.Errorf("%s with authorization %q", got.url, got.header.Get("Authorization"))
	}
	var message slackMessage
	if err := json.Unmarshal(got.body, &message); err != nil {
		t.Fatal(err)
	}
	if message.Channel != "general" || message.Username != "serin" || message.Attachments[0].Text != "hello" {
		t.Errorf("%+v", message)
	}
}

func TestRunClosesIdleConnections(t *testing.T) {
	address, _ := serve(t, http.StatusOK, "")
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	a := New(Config{Egress: loopback})
	if err := a.post(t.Context(), &Provider{Type: v1beta1.AlertWebhook, Address: address}, hostile()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
}

// Slack's API says in the body what is wrong.
func TestSlackAnswers(t *testing.T) {
	for _, tc := range []struct {
		token, answer, want string
		again               bool
	}{
		{"xoxb-1", `{"ok":true}`, "", false},
		{"xoxb-1", `ok`, "", false},
		{"xoxb-1", `{"ok":false,"error":"channel_not_found"}`, `slack answered "channel_not_found"`, false},
		{"xoxb-1", `{"ok":false,"error":"internal_error"}`, `slack answered "internal_error"`, true},
		{"", `{"ok":false,"error":"channel_not_found"}`, "", false},
	} {
		address, _ := serve(t, http.StatusOK, tc.answer)
		err := New(Config{Egress: loopback}).post(t.Context(), &Provider{Type: v1beta1.AlertSlack, Address: address, Token: tc.token}, hostile())
		_, again := err.(temporary) //nolint:errorlint // it is returned as it is
		if (err == nil) != (tc.want == "") || (err != nil && err.Error() != tc.want) || again != tc.again {
			t.Errorf("%s: %v, again %t; want %q", tc.answer, err, again, tc.want)
		}
	}
}

// The answer helps, so it is shown; the address is a secret, so it is not,
// whoever repeats it.
func TestErrorsHoldNoSecrets(t *testing.T) {
	echo, requests := serve(t, http.StatusNotFound, "invalid_payload at\nURL "+strings.Repeat("x", 10_000))
	redirect, redirected := serve(t, http.StatusTemporaryRedirect, "URL")
	const path = "/services/T0SECRET/B0%2FSECRET/x?sig=SECRET%21sig&key=SECRETkey"
	for _, tc := range []struct{ name, address, proxy, want string }{
		{"an echo", echo + path, "", "answered 404 \"invalid_payload at /***/***"},
		{"a redirect", redirect + path, "", "answered 307"},
		{"nobody there", "http://127.0.0.1:1" + path, "", "connection refused"},
		{"no such proxy", "http://example.com" + path, "http://user:SECRETpw@127.0.0.1:1", "connection refused"},
		{"unreadable", "http://127.0.0.1:SECRET" + path, "", "address cannot be read"},
		{"an unreadable proxy", echo + path, "http://:SECRET", "proxy's address cannot be read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &Provider{Type: v1beta1.AlertSlack, Address: tc.address, Token: "SECRETtoken", Proxy: tc.proxy}
			err := New(Config{Egress: loopback}).post(t.Context(), p, hostile())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if err != nil && (strings.Contains(strings.ToUpper(err.Error()), "SECRET") || len(err.Error()) > 400 || strings.Contains(err.Error(), "\n")) {
				t.Errorf("the error says too much: %v", err)
			}
		})
	}
	if len(requests) != 1 || len(redirected) != 1 {
		t.Errorf("%d and %d requests, want 1 each: redirects are not followed", len(requests), len(redirected))
	}
}
