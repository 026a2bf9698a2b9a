package alert

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// target is the address to post to.
func (p *Provider) target() (*url.URL, error) {
	u, err := url.Parse(p.Address)
	if err != nil {
		return nil, errors.New("the address cannot be read") // the error repeats it
	}
	if p.Type == v1beta1.AlertDiscord && !strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/slack") {
		u = u.JoinPath("slack") // Discord's own form has no attachments
	}
	return u, nil
}

// payload is the message in the form of the provider, to be written as JSON.
func payload(p *Provider, target *url.URL, j *job) any {
	switch p.Type {
	case v1beta1.AlertSlack:
		return newSlackMessage(p, j, escape)
	case v1beta1.AlertDiscord, v1beta1.AlertRocket:
		return newSlackMessage(p, j, asItIs)
	case v1beta1.AlertTeams:
		if isConnector(target.Hostname()) {
			return newMessageCard(j)
		}
		return newAdaptiveMessage(j)
	case v1beta1.AlertGoogleChat:
		return newChatMessage(j)
	default:
		return newPlainMessage(j)
	}
}

// title says whom a message is about.
func (m *Message) title() string {
	if m.Service != "" && m.Service != m.Canary.Name {
		return m.Canary.String() + " (service " + m.Service + ")"
	}
	return m.Canary.String()
}

// color is one of three, to be told apart by the colour-blind too.
func (s Severity) color() string {
	switch s {
	case Error:
		return "#b3261e"
	case Warn:
		return "#e0a100"
	default:
		return "#2a7de1"
	}
}

func asItIs(text string) string { return text }

// escape keeps a text from being read as markup, mentions among it. Slack and
// Google Chat share the three characters.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// plainMessage is Serin's own form, of type webhook.
type plainMessage struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Service   string            `json:"service"`
	Severity  Severity          `json:"severity"`
	Message   string            `json:"message"`
	Fields    map[string]string `json:"fields"` // never null
	// Timestamp is when the message was sent first, RFC 3339.
	Timestamp time.Time `json:"timestamp"`
}

func newPlainMessage(j *job) plainMessage {
	fields := make(map[string]string, len(j.Fields))
	for _, f := range j.Fields {
		fields[f.Name] = f.Value
	}
	return plainMessage{
		Name: j.Canary.Name, Namespace: j.Canary.Namespace, Service: j.Service,
		Severity: j.Severity, Message: j.Text, Fields: fields, Timestamp: j.at.UTC(),
	}
}

// slackMessage is what incoming webhooks and chat.postMessage of Slack take,
// and the webhooks of Rocket.Chat and Discord that are made after them.
type slackMessage struct {
	Channel     string            `json:"channel"`
	Username    string            `json:"username"`
	IconEmoji   string            `json:"icon_emoji"`
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Fallback   string       `json:"fallback"` // for notifications
	Color      string       `json:"color"`
	AuthorName string       `json:"author_name"`
	Text       string       `json:"text"`
	MrkdwnIn   []string     `json:"mrkdwn_in"`
	Fields     []slackField `json:"fields,omitempty"`
}

type slackField struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

// shortValue is how many characters fit beside another field.
const shortValue = 24

func newSlackMessage(p *Provider, j *job, literal func(string) string) slackMessage {
	attachment := slackAttachment{
		Fallback:   literal(j.title() + ": " + j.Text),
		Color:      j.Severity.color(),
		AuthorName: j.title(),
		Text:       literal(j.Text),
		MrkdwnIn:   []string{"text"},
	}
	for _, f := range j.Fields {
		attachment.Fields = append(attachment.Fields, slackField{f.Name, literal(f.Value), len(f.Value) <= shortValue})
	}
	return slackMessage{
		Channel: p.channel(), Username: p.username(), IconEmoji: ":bird:",
		Attachments: []slackAttachment{attachment},
	}
}
