package v1beta1

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AlertProvider is a place to which the messages of rollouts are sent.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=alertproviders,singular=alertprovider,categories=all
// +kubebuilder:printcolumn:name="Type",type="string",JSONPath=".spec.type"
type AlertProvider struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec AlertProviderSpec `json:"spec"`
	// +optional
	Status AlertProviderStatus `json:"status,omitempty"`
}

// AlertProviderList is a list of AlertProviders.
//
// +kubebuilder:object:root=true
type AlertProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AlertProvider `json:"items"`
}

// The types of an AlertProvider. AlertWebhook is Serin's own.
const (
	AlertSlack      = "slack"
	AlertTeams      = "msteams"
	AlertDiscord    = "discord"
	AlertRocket     = "rocket"
	AlertGoogleChat = "gchat"
	AlertWebhook    = "webhook"
)

// alertTypes is what the definition's enum holds.
var alertTypes = []string{AlertSlack, AlertTeams, AlertDiscord, AlertRocket, AlertGoogleChat, AlertWebhook}

// AlertProviderSpec says where messages go and in which form.
//
// Flagger's definition wants exactly one of address and secretRef; its guide
// shows both. Both are accepted here, and the Secret's address wins.
//
// The definition is no stricter than Flagger's, whose providers these are too,
// except for type webhook, which is Serin's own. [AlertProvider.Validate] is.
//
// +kubebuilder:validation:XValidation:rule="has(self.secretRef) || (has(self.address) && (self.type != 'webhook' || size(self.address) > 0))",message="no address: give address, or secretRef for a Secret with the key address"
// +kubebuilder:validation:XValidation:rule="self.type != 'webhook' || !has(self.address) || size(self.address) == 0 || self.address.matches('^https?://[^/]')",message="address must be an http or https address, such as https://example.com/hook",fieldPath=".address"
// +kubebuilder:validation:XValidation:rule="self.type != 'webhook' || !has(self.proxy) || size(self.proxy) == 0 || self.proxy.matches('^(https?|socks5)://[^/]')",message="proxy must be an address such as http://proxy.example.com:3128",fieldPath=".proxy"
type AlertProviderSpec struct {
	// Type is the form of the messages: slack, msteams, discord, rocket, gchat,
	// or webhook for a JSON object of Serin's own.
	//
	// +kubebuilder:validation:Enum=slack;msteams;discord;rocket;gchat;webhook
	Type string `json:"type"`

	// Channel to write to, where the type knows channels. Default general.
	//
	// +optional
	Channel string `json:"channel,omitempty"`

	// Username to write as, where the type knows users. Default serin.
	//
	// +optional
	Username string `json:"username,omitempty"`

	// Address to post to, http or https. Whoever knows the address of a webhook
	// can write to it: a Secret is a better place.
	//
	// +optional
	Address string `json:"address,omitempty"`

	// SecretRef names a Secret in the provider's namespace. Its key address wins
	// over spec.address; its key token, with type slack, is sent to Slack's API.
	//
	// +optional
	SecretRef *SecretRef `json:"secretRef,omitempty"`

	// Proxy to post through: http, https or socks5. Without it, that of the
	// daemon's environment.
	//
	// +optional
	Proxy string `json:"proxy,omitempty"`
}

// SecretRef names a Secret in the namespace of what refers to it.
type SecretRef struct {
	Name string `json:"name"`
}

// AlertProviderStatus is Flagger's; Serin keeps it and writes nothing.
type AlertProviderStatus struct {
	// +optional
	Conditions []Condition `json:"conditions,omitempty"`
}

// Validate reports, joined, all that keeps messages from being sent. It never
// repeats an address, which is a secret.
func (p *AlertProvider) Validate() error {
	var found problems
	s := &p.Spec
	if !slices.Contains(alertTypes, s.Type) {
		found.add("spec.type", "must be one of %s, not %q", strings.Join(alertTypes, ", "), s.Type)
	}
	switch {
	case s.Address != "":
		if !isAddress(s.Address, "http", "https") {
			found.add("spec.address", "must be an http or https address")
		}
	case s.SecretRef == nil:
		found.add("spec.address", "is missing: give it, or secretRef for a Secret with the key address")
	}
	if s.SecretRef != nil && s.SecretRef.Name == "" {
		found.add("spec.secretRef.name", "is missing")
	}
	if s.Proxy != "" && !isAddress(s.Proxy, "http", "https", "socks5") {
		found.add("spec.proxy", "must be an http, https or socks5 address")
	}
	return errors.Join(found...)
}

// isAddress reports whether a text is an address with one of the schemes.
func isAddress(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && slices.Contains(schemes, u.Scheme)
}
