package report

import (
	"bytes"
	"strings"
	"testing"
)

func html(t *testing.T, r *Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A URL comes from whoever started the load, and the page may be shown to
// somebody else.
func TestHostileURLStaysText(t *testing.T) {
	got := html(t, runs()["hostile"])
	for what, want := range map[string]int{"<script": 0, "</style>": 1, "</title>": 1, "</svg>": 8, "<!--": 0, "\x1b": 0, "&lt;script&gt;": 4} {
		if n := strings.Count(got, what); n != want {
			t.Errorf("%q occurs %d times, want %d", what, n, want)
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	for name, r := range extremes() {
		got := html(t, r)
		for _, no := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", "src=", "href=", "ZgotmplZ", "NaN", "Inf"} {
			if strings.Contains(got, no) {
				t.Errorf("%s: the page has %s", name, no)
			}
		}
	}
}

func TestPageSaysWhatMakesItsFiguresSayLess(t *testing.T) {
	for name, want := range map[string][]string{
		"closed":  {"Closed loop: response time is service time here", "<code>-rate</code>"},
		"limited": {"Warning: The generator could not keep up", "<code>-cpus</code>", "generator too late"},
		"one":     {"34 requests waited for a free connection", "<code>-c</code>"},
	} {
		got := html(t, runs()[name])
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s does not say %q", name, w)
			}
		}
	}
}
