package loadgen

import (
	"net/http"
	"testing"

	"github.com/serin-dev/serin/measure"
)

func TestExpectations(t *testing.T) {
	header := http.Header{"X-Served-By": {"a-1", "b-2"}}
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
		{"header", Expectation{Header: map[string]string{"x-served-by": "b"}}, measure.Status(200), "", true},
		{"any header value", Expectation{Header: map[string]string{"x-served-by": ""}}, measure.Status(200), "", true},
		{"wrong header value", Expectation{Header: map[string]string{"x-served-by": "c"}}, measure.Status(200), "", false},
		{"no such header", Expectation{Header: map[string]string{"x-other": ""}}, measure.Status(200), "", false},
		{"one header of two", Expectation{Header: map[string]string{"x-served-by": "a", "x-other": "a"}}, measure.Status(200), "", false},
	} {
		if got := expected(&tc.expect, tc.outcome, header.Values, []byte(tc.body)); got != tc.good {
			t.Errorf("%s: good is %v", tc.name, got)
		}
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
