package loadgen

import (
	"strings"
	"testing"

	"github.com/serin-dev/serin/measure"
)

func TestExpectations(t *testing.T) {
	for _, tc := range []struct {
		name    string
		expect  Expectation
		outcome measure.Outcome
		body    string
		good    bool
	}{
		{"nothing said, good", Expectation{}, measure.Status(404), "", true},
		{"nothing said, bad", Expectation{}, measure.Status(500), "", false},
		{"status in a range", Expectation{Status: []StatusRange{{200, 299}, {404, 404}}}, measure.Status(404), "", true},
		{"first of a range", Expectation{Status: []StatusRange{{200, 299}}}, measure.Status(200), "", true},
		{"last of a range", Expectation{Status: []StatusRange{{200, 299}}}, measure.Status(299), "", true},
		{"beside a range", Expectation{Status: []StatusRange{{200, 299}}}, measure.Status(300), "", false},
		{"an error that is wanted", Expectation{Status: []StatusRange{{500, 599}}}, measure.Status(503), "", true},
		{"body", Expectation{BodyContains: "ell"}, measure.Status(200), "hello", true},
		{"wrong body", Expectation{BodyContains: "bye"}, measure.Status(200), "hello", false},
		{"body of an error", Expectation{BodyContains: "ell"}, measure.Status(500), "hello", false},
	} {
		body, err := tc.expect.read(strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := tc.expect.good(tc.outcome, body); got != tc.good {
			t.Errorf("%s: good is %v", tc.name, got)
		}
	}
}

func TestOnlyTheBeginningOfABodyIsKept(t *testing.T) {
	body := strings.NewReader(strings.Repeat("x", searchedBytes) + "needle")
	searched, err := Expectation{BodyContains: "needle"}.read(body)
	if err != nil || len(searched) != searchedBytes || body.Len() != 0 {
		t.Errorf("kept %d bytes, left %d unread, error %v", len(searched), body.Len(), err)
	}
}

func TestParseStatusRange(t *testing.T) {
	for text, want := range map[string]StatusRange{"204": {204, 204}, "200-399": {200, 399}, "100-599": {100, 599}} {
		if got, err := ParseStatusRange(text); err != nil || got != want {
			t.Errorf("%q = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", "2xx", "200-", "99", "200-600", "300-200", "200-300-400"} {
		if got, err := ParseStatusRange(text); err == nil {
			t.Errorf("%q = %v, want an error", text, got)
		}
	}
}
