package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Provider is where to send messages, with nothing left to look up.
type Provider struct {
	// Type is one of an AlertProvider's.
	Type string
	// Address is http or https, and a secret.
	Address string
	// Token is for Slack's API, instead of a webhook; a secret.
	Token string
	// Channel and Username, where the type knows them. Default general, serin.
	Channel, Username string
	// Proxy is http, https or socks5; empty for the environment's.
	Proxy string
	// Severity of the messages that are sent, and above; empty for all. Only of
	// a global provider: a Canary's alerts have their own.
	Severity Severity
}

const (
	defaultChannel  = "general"
	defaultUsername = "serin"
	slackAPI        = "https://slack.com/api/chat.postMessage"
)

// The keys of a Secret, as Flagger has them.
const (
	addressKey = "address"
	tokenKey   = "token"
)

// validate reports what is wrong with a global provider, without repeating an
// address.
func (p *Provider) validate() (errs []error) {
	switch p.Type {
	case v1beta1.AlertSlack, v1beta1.AlertTeams, v1beta1.AlertDiscord, v1beta1.AlertRocket, v1beta1.AlertGoogleChat, v1beta1.AlertWebhook:
	default:
		errs = append(errs, fmt.Errorf("global alert provider: type must be slack, msteams, discord, rocket, gchat or webhook, not %q", p.Type))
	}
	if !isAddress(p.Address, "http", "https") {
		errs = append(errs, errors.New("global alert provider: address must be an http or https address"))
	}
	if p.Proxy != "" && !isAddress(p.Proxy, "http", "https", "socks5") {
		errs = append(errs, errors.New("global alert provider: proxy must be an http, https or socks5 address"))
	}
	return errs
}

func isAddress(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && slices.Contains(schemes, u.Scheme)
}

func (p *Provider) channel() string { return cmp.Or(p.Channel, defaultChannel) }

func (p *Provider) username() string { return cmp.Or(p.Username, defaultUsername) }

// provider reads what a destination is now.
func (a *Alerts) provider(ctx context.Context, to destination) (*Provider, error) {
	if to == (destination{}) {
		return a.config.Global, nil
	}
	var object v1beta1.AlertProvider
	if err := a.read(ctx, types.NamespacedName(to), &object); err != nil {
		return nil, fmt.Errorf("read alert provider %s: %w", to, err)
	}
	if err := object.Validate(); err != nil {
		return nil, fmt.Errorf("alert provider %s: %w", to, err)
	}
	spec := &object.Spec
	p := &Provider{Type: spec.Type, Address: spec.Address, Channel: spec.Channel, Username: spec.Username, Proxy: spec.Proxy}
	if spec.SecretRef != nil {
		name := types.NamespacedName{Namespace: to.Namespace, Name: spec.SecretRef.Name}
		var secret corev1.Secret
		if err := a.read(ctx, name, &secret); err != nil {
			return nil, fmt.Errorf("read secret %s of alert provider %s: %w", name, to, err)
		}
		if err := p.use(&secret); err != nil {
			return nil, fmt.Errorf("secret %s of alert provider %s: %w", name, to, err)
		}
	}
	return p, nil
}

// use takes the address and the token from a Secret.
func (p *Provider) use(secret *corev1.Secret) error {
	address := strings.TrimSpace(string(secret.Data[addressKey]))
	if p.Type == v1beta1.AlertSlack {
		p.Token = strings.TrimSpace(string(secret.Data[tokenKey]))
	}
	switch {
	case address != "":
		p.Address = address
	case p.Token == "":
		return fmt.Errorf("it has no key %q", addressKey)
	default:
		// Whoever may write an AlertProvider must not be able to have tokens
		// of Secrets that they cannot read sent to themselves.
		p.Address = cmp.Or(p.Address, slackAPI)
		if !isSlack(p.Address) {
			return fmt.Errorf("its token is sent to https://slack.com only: put another address under the key %q", addressKey)
		}
	}
	if !isAddress(p.Address, "http", "https") {
		return fmt.Errorf("key %q must be an http or https address", addressKey)
	}
	return nil
}

func isSlack(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && slices.Contains([]string{"slack.com", "slack-gov.com"}, u.Host)
}

// read reads an object. What only somebody's deed can change is a final error;
// an API server that does not answer is a temporary one.
func (a *Alerts) read(ctx context.Context, name types.NamespacedName, object client.Object) error {
	err := a.config.Reader.Get(ctx, name, object)
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return errors.New("it does not exist")
	case meta.IsNoMatchError(err):
		return errors.New("the cluster does not know the kind: kubectl apply -f chart/crds")
	case apierrors.IsForbidden(err):
		return fmt.Errorf("serin is not allowed to: %w", err)
	}
	return temporary{error: err}
}
