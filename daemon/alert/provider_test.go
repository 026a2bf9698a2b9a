package alert

import (
	"strings"
	"testing"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestAddressAndToken(t *testing.T) {
	const service = "https://hooks.slack.com/services/T/B/X"
	for _, tc := range []struct {
		name           string
		kind, spec     string
		secret         map[string]string
		address, token string
		wrong          string
	}{
		{name: "spec alone", kind: "slack", spec: service, address: service},
		{name: "secret alone", kind: "slack", secret: map[string]string{"address": service}, address: service},
		{name: "the end of a line", kind: "slack", secret: map[string]string{"address": service + "\n"}, address: service},
		{name: "the secret wins", kind: "gchat", spec: "https://a/", secret: map[string]string{"address": service}, address: service},
		{name: "the secret has both", kind: "slack", spec: "https://a/", secret: map[string]string{"address": "https://b/", "token": "xoxb-1\n"}, address: "https://b/", token: "xoxb-1"},
		{name: "a token alone", kind: "slack", secret: map[string]string{"token": "xoxb-1"}, address: slackAPI, token: "xoxb-1"},
		{name: "a token, and Slack's address", kind: "slack", spec: "https://slack.com/api/chat.postMessage", secret: map[string]string{"token": "xoxb-1"}, address: slackAPI, token: "xoxb-1"},
		{name: "a token for elsewhere", kind: "slack", spec: "https://evil.example/", secret: map[string]string{"token": "xoxb-1"}, wrong: "sent to https://slack.com only"},
		{name: "a token for elsewhere, disguised", kind: "slack", spec: "https://slack.com@evil.example/", secret: map[string]string{"token": "xoxb-1"}, wrong: "sent to https://slack.com only"},
		{name: "a token in the clear", kind: "slack", spec: "http://slack.com/api/chat.postMessage", secret: map[string]string{"token": "xoxb-1"}, wrong: "sent to https://slack.com only"},
		{name: "a token of another type", kind: "discord", secret: map[string]string{"token": "xoxb-1"}, wrong: `has no key "address"`},
		{name: "a token that is not used", kind: "discord", secret: map[string]string{"address": "https://a/", "token": "xoxb-1"}, address: "https://a/"},
		{name: "an empty secret", kind: "slack", spec: service, secret: map[string]string{}, wrong: `has no key "address"`},
		{name: "a secret file", kind: "slack", secret: map[string]string{"address": "file:///etc/passwd"}, wrong: `key "address" must be an http or https address`},
		{name: "not an address", kind: "slack", secret: map[string]string{"address": "https://a b/%zz"}, wrong: `key "address" must be an http or https address`},
		{name: "no host", kind: "slack", spec: "https:///services", wrong: "spec.address must be an http or https address"},
		{name: "neither", kind: "slack", wrong: "spec.address is missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			provider := webhook("a", tc.spec)
			provider.Spec.Type = tc.kind
			if tc.secret != nil {
				provider.Spec.SecretRef = &v1beta1.SecretRef{Name: "key"}
			}
			a := New(Config{Reader: cluster(t, provider, secret("key", tc.secret))})
			got, err := a.provider(t.Context(), destination{Namespace: "test", Name: "a"})
			if tc.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wrong) {
					t.Errorf("error %v, want %q", err, tc.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Address != tc.address || got.Token != tc.token {
				t.Errorf("address %q, token %q, want %q, %q", got.Address, got.Token, tc.address, tc.token)
			}
		})
	}
}
