package alert

import (
	"slices"
	"strings"
)

// isConnector reports whether a host is of Teams' older webhooks, which take
// MessageCards. Those of workflows take Adaptive Cards alone.
func isConnector(host string) bool {
	host = strings.ToLower(host)
	return strings.HasSuffix(host, ".webhook.office.com") ||
		slices.Contains([]string{"webhook.office.com", "outlook.office.com", "outlook.office365.com"}, host)
}

// messageCard is a legacy actionable message of Microsoft's.
type messageCard struct {
	Type       string        `json:"@type"`
	Context    string        `json:"@context"`
	ThemeColor string        `json:"themeColor"` // without #
	Summary    string        `json:"summary"`
	Sections   []cardSection `json:"sections"`
}

type cardSection struct {
	ActivityTitle    string     `json:"activityTitle"`
	ActivitySubtitle string     `json:"activitySubtitle"`
	Facts            []cardFact `json:"facts,omitempty"`
	Markdown         bool       `json:"markdown"` // true when it is left out
}

type cardFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newMessageCard(j *job) messageCard {
	section := cardSection{ActivityTitle: j.Text, ActivitySubtitle: j.title()}
	for _, f := range j.Fields {
		section.Facts = append(section.Facts, cardFact(f))
	}
	return messageCard{
		Type: "MessageCard", Context: "https://schema.org/extensions",
		ThemeColor: strings.TrimPrefix(j.Severity.color(), "#"),
		Summary:    j.title() + ": " + j.Text,
		Sections:   []cardSection{section},
	}
}

// adaptiveMessage is what the webhook trigger of a Teams workflow takes.
type adaptiveMessage struct {
	Type        string               `json:"type"`
	Attachments []adaptiveAttachment `json:"attachments"`
}

type adaptiveAttachment struct {
	ContentType string       `json:"contentType"`
	Content     adaptiveCard `json:"content"`
}

type adaptiveCard struct {
	Schema       string            `json:"$schema"`
	Type         string            `json:"type"`
	Version      string            `json:"version"`
	FallbackText string            `json:"fallbackText"`
	Body         []adaptiveElement `json:"body"`
	Teams        adaptiveTeams     `json:"msteams"`
}

// adaptiveTeams asks for the whole width of the channel.
type adaptiveTeams struct {
	Width string `json:"width"`
}

// adaptiveElement is a TextBlock or a FactSet.
type adaptiveElement struct {
	Type     string         `json:"type"`
	Text     string         `json:"text,omitempty"`
	Weight   string         `json:"weight,omitempty"`
	Color    string         `json:"color,omitempty"`
	IsSubtle bool           `json:"isSubtle,omitempty"`
	Wrap     bool           `json:"wrap,omitempty"`
	Facts    []adaptiveFact `json:"facts,omitempty"`
}

type adaptiveFact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

func newAdaptiveMessage(j *job) adaptiveMessage {
	card := adaptiveCard{
		Schema: "http://adaptivecards.io/schemas/adaptive-card.json",
		Type:   "AdaptiveCard", Version: "1.2",
		FallbackText: j.title() + ": " + j.Text,
		Body: []adaptiveElement{
			{Type: "TextBlock", Text: j.Text, Weight: "Bolder", Color: j.Severity.word(), Wrap: true},
			{Type: "TextBlock", Text: j.title(), IsSubtle: true, Wrap: true},
		},
		Teams: adaptiveTeams{Width: "Full"},
	}
	if len(j.Fields) > 0 {
		facts := adaptiveElement{Type: "FactSet"}
		for _, f := range j.Fields {
			facts.Facts = append(facts.Facts, adaptiveFact{f.Name, f.Value})
		}
		card.Body = append(card.Body, facts)
	}
	return adaptiveMessage{
		Type:        "message",
		Attachments: []adaptiveAttachment{{"application/vnd.microsoft.card.adaptive", card}},
	}
}

// word is a colour of an Adaptive Card, which follows the reader's theme.
func (s Severity) word() string {
	switch s {
	case Error:
		return "Attention"
	case Warn:
		return "Warning"
	default:
		return "Default"
	}
}

// chatMessage is a message of Google Chat's. A card shows no text of its own
// in notifications: fallbackText is for them.
type chatMessage struct {
	FallbackText string     `json:"fallbackText"`
	Cards        []chatCard `json:"cardsV2"`
}

type chatCard struct {
	ID   string `json:"cardId"`
	Card struct {
		Header   chatHeader    `json:"header"`
		Sections []chatSection `json:"sections"`
	} `json:"card"`
}

type chatHeader struct {
	Title    string `json:"title"`
	Subtitle string `json:"subtitle"`
}

type chatSection struct {
	Widgets []chatWidget `json:"widgets"`
}

// chatWidget has one of its fields.
type chatWidget struct {
	Paragraph *chatParagraph `json:"textParagraph,omitempty"`
	Decorated *chatDecorated `json:"decoratedText,omitempty"`
}

type chatParagraph struct {
	Text string `json:"text"`
}

type chatDecorated struct {
	TopLabel string `json:"topLabel"`
	Text     string `json:"text"`
	WrapText bool   `json:"wrapText"`
}

func newChatMessage(j *job) chatMessage {
	section := chatSection{Widgets: []chatWidget{{
		Paragraph: &chatParagraph{`<font color="` + j.Severity.color() + `"><b>` + escape(j.Text) + "</b></font>"},
	}}}
	for _, f := range j.Fields {
		section.Widgets = append(section.Widgets, chatWidget{Decorated: &chatDecorated{f.Name, escape(f.Value), true}})
	}
	card := chatCard{ID: "serin"}
	card.Card.Header = chatHeader{Title: j.title(), Subtitle: "Serin, " + string(j.Severity)}
	card.Card.Sections = []chatSection{section}
	return chatMessage{FallbackText: j.title() + ": " + j.Text, Cards: []chatCard{card}}
}
