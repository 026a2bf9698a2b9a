package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The golden files are there to be looked at: open testdata/two.html.
func TestGolden(t *testing.T) {
	for _, test := range []struct {
		ext    string
		render func(io.Writer, *Run) error
		runs   []string
	}{
		{"json", JSON, []string{"one", "two", "closed", "limited", "empty", "broken", "hostile"}},
		{"txt", Text, []string{"one", "two", "closed", "limited", "empty", "broken", "hostile", "long"}},
		{"svg", SVG, []string{"one", "two", "limited", "empty", "long", "hostile"}},
		{"html", HTML, []string{"one", "two", "closed", "empty"}},
	} {
		for _, name := range test.runs {
			t.Run(name+"."+test.ext, func(t *testing.T) {
				var got bytes.Buffer
				if err := test.render(&got, runs()[name]); err != nil {
					t.Fatal(err)
				}
				golden(t, name+"."+test.ext, got.Bytes())
			})
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./report -update:\n%s", file, diff)
	}
}
