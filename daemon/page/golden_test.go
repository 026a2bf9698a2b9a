package page

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// pages are what the golden files and the browser show.
func pages() map[string]func(io.Writer) error {
	canary := func(c *Canary) func(io.Writer) error { return func(w io.Writer) error { return WriteCanary(w, c) } }
	return map[string]func(io.Writer) error{
		"overview": func(w io.Writer) error { return WriteOverview(w, overview()) },
		"none": func(w io.Writer) error {
			return WriteOverview(w, &Overview{Version: "v0.9.0", Namespaces: "namespace shop", Now: began})
		},
		"progressing": canary(progressing()),
		"overwritten": canary(overwritten()),
		"failed":      canary(failed()),
		"waiting":     canary(waiting()),
		"untouched":   canary(untouched()),
		"refused":     canary(refused()),
		"report":      func(w io.Writer) error { return WriteReport(w, failed()) },
	}
}

func render(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Paths of charts and style sheets have golden files elsewhere, or are looked
// at.
var left = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(?s)(<svg class="(?:wide|narrow)"[^>]*>).*?</svg>`), "$1</svg>"},
	{regexp.MustCompile(`(?s)<style>.*?</style>`), "<style></style>"},
}

func TestGolden(t *testing.T) {
	for name, write := range pages() {
		t.Run(name, func(t *testing.T) {
			got := render(t, write)
			for _, l := range left {
				got = l.pattern.ReplaceAllString(got, l.by)
			}
			golden(t, name+".html", got)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./daemon/page -update:\n%s", file, diff)
	}
}
