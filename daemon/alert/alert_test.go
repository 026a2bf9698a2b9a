package alert

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestSeverities(t *testing.T) {
	for _, tc := range []struct {
		filter               Severity
		quiet, info, warn, e bool // which messages pass
	}{
		{"", true, true, true, true},
		{Info, true, true, true, true},
		{Warn, false, false, true, true},
		{Error, false, false, false, true},
		{"loud", true, true, true, true},
	} {
		for message, want := range map[Severity]bool{"": tc.quiet, Info: tc.info, Warn: tc.warn, Error: tc.e} {
			if got := message.reaches(tc.filter); got != want {
				t.Errorf("filter %q, message %q: passes %t, want %t", tc.filter, message, got, want)
			}
		}
	}
}

func TestWhoIsTold(t *testing.T) {
	global := func(s Severity) *Provider {
		return &Provider{Type: v1beta1.AlertWebhook, Address: "http://global/", Severity: s}
	}
	only := func(severity string) []v1beta1.Alert {
		alerts := via("a", "b")
		alerts[1].Severity = severity
		return alerts
	}
	elsewhere := via("a")
	elsewhere[0].ProviderRef.Namespace = "ops"
	for _, tc := range []struct {
		name     string
		severity Severity
		global   *Provider
		alerts   []v1beta1.Alert
		want     string
	}{
		{"nobody", Error, nil, nil, ""},
		{"the global one", "", global(""), nil, "http://global/"},
		{"the global one, loud enough", Warn, global(Warn), nil, "http://global/"},
		{"the global one, too quiet", Info, global(Warn), nil, ""},
		{"all of the Canary's", Error, global(""), only("error"), "http://a/ http://b/"},
		{"some of the Canary's", Warn, global(""), only("error"), "http://a/"},
		{"none of the Canary's, so not the global one either", Info, global(""), only("error")[1:], ""},
		{"one of another namespace", Info, nil, elsewhere, "http://ops/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ops := webhook("a", "http://ops/")
				ops.Namespace = "ops"
				b := begin(t, tc.global, webhook("a", "http://a/"), webhook("b", "http://b/"), ops)
				b.run(t)
				message := told("hello")
				message.Severity = tc.severity
				for _, alert := range oneThenAll(tc.alerts) {
					b.Send(message, alert)
					synctest.Wait() // so that the order is known
				}
				var got []string
				for _, one := range b.got() {
					got = append(got, one.url)
				}
				if strings.Join(got, " ") != tc.want {
					t.Errorf("told %q, want %q", got, tc.want)
				}
			})
		})
	}
}

// oneThenAll has the first alert told alone, then all: the first is told once.
func oneThenAll(alerts []v1beta1.Alert) [][]v1beta1.Alert {
	if len(alerts) < 2 {
		return [][]v1beta1.Alert{alerts}
	}
	return [][]v1beta1.Alert{alerts[:1], alerts}
}

func TestARepeatedTextIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, nil, webhook("a", "http://a/"), webhook("b", "http://b/"))
		b.run(t)
		other := told("hello")
		other.Canary = types.NamespacedName{Namespace: "test", Name: "other"}
		b.Send(told("hello"), via("a", "a"))
		b.Send(told("bye"), via("a"))
		b.Send(other, via("a"))
		b.Send(told("hello"), via("b"))
		after(0)
		if got := b.got(); len(got) != 4 {
			t.Errorf("%d posts, want 4: another text, Canary or provider is no repetition: %v", len(got), got)
		}
		after(time.Minute - 1)
		b.Send(told("hello"), via("a", "b"))
		after(0)
		if got := b.got(); len(got) != 4 {
			t.Errorf("%d posts: the text was repeated within the minute", len(got))
		}
		after(1)
		b.Send(told("hello"), via("a", "b"))
		after(0)
		if got := b.got(); len(got) != 6 {
			t.Errorf("%d posts, want 6: a minute is over", len(got))
		}
	})
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, nil, webhook("a", "http://a/"))
		b.run(t)
		for i := range 13 {
			b.Send(told(fmt.Sprintf("message %02d", i)), via("a"))
		}
		after(time.Minute)
		for i, one := range b.got() {
			if want := time.Duration(max(0, i-9)) * time.Second; one.at.Round(time.Millisecond) != want || !strings.Contains(one.body, fmt.Sprintf("message %02d", i)) {
				t.Errorf("post %d at %v, want %v: %s", i, one.at, want, one.body)
			}
		}
	})
}

func TestTheOldestMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, nil, webhook("a", "http://a/"))
		for i := range queueLength + 2 {
			b.Send(told(fmt.Sprintf("message %03d", i)), via("a"))
		}
		b.Send(told("message 000"), via("a")) // was dropped, so it is no repetition
		if got := strings.Count(b.log.String(), "alert dropped"); got != 3 || !strings.Contains(b.log.String(), "message 002") {
			t.Errorf("%d dropped, want messages 000 to 002:\n%s", got, b.log)
		}
		b.run(t)
		after(2 * time.Minute)
		got := b.got()
		if len(got) != queueLength || !strings.Contains(got[0].body, "message 003") || !strings.Contains(got[queueLength-1].body, "message 000") {
			t.Errorf("%d posts, from %v", len(got), got[0])
		}
	})
}

// A line remembers what it has told, and is forgotten with it.
func TestIdleLinesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, nil, webhook("a", "http://a/"))
		b.run(t)
		count := func() int {
			b.Alerts.mu.Lock()
			defer b.Alerts.mu.Unlock()
			return len(b.lines)
		}
		b.Send(told("hello"), via("a", "unknown"))
		after(memory - 1)
		if count() != 2 {
			t.Errorf("%d lines before a minute is over", count())
		}
		after(1)
		if count() != 0 {
			t.Errorf("%d lines after an idle minute", count())
		}
		b.Send(told("hello again"), via("a"))
		after(0)
		if len(b.got()) != 2 {
			t.Error("a line that ended does not begin again")
		}
	})
}

func TestConfigIsValidated(t *testing.T) {
	reader := cluster(t)
	good := Provider{Type: v1beta1.AlertSlack, Address: "https://hooks.slack.com/secret", Proxy: "http://proxy:3128", Severity: Warn}
	for _, config := range []Config{{Reader: reader}, {Reader: reader, Global: &good}} {
		if err := config.Validate(); err != nil {
			t.Error(err)
		}
	}
	bad := Provider{Type: "pager", Address: "hooks.slack.com/secret", Proxy: "secret:3128", Severity: "loud"}
	err := Config{Global: &bad}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"no reader", `severity must be info, warn or error, not "loud"`, "type must be slack,", "address must be", "proxy must be"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("an address is repeated: %v", err)
	}
}
