package report

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func text(t *testing.T, r *Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextFitsATerminal(t *testing.T) {
	for name, r := range runs() {
		for line := range strings.Lines(text(t, r)) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > 80 && !strings.Contains(line, "http://") {
				t.Errorf("%s: a line of %d columns: %s", name, n, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%s: a line ends with spaces: %q", name, line)
			}
		}
	}
}

func TestTextSaysWhatMakesItsFiguresSayLess(t *testing.T) {
	for name, want := range map[string][]string{
		"closed":  {"Closed loop", "-rate", "service time"},
		"limited": {"WARNING", "30 of 30", "4.04 ms", "1.97 of 2 cores", "-rate", "-cpus"},
		"one":     {"34 requests waited", "-c"},
		"two":     {"34 requests (A) waited for a free connection", "-5.3 points"},
		"long":    {"1 request took longer than 1 min"},
		"empty":   {"No answer and no error"},
	} {
		got := strings.Join(strings.Fields(text(t, runs()[name])), " ")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s does not say %q:\n%s", name, w, got)
			}
		}
	}
	late := strings.Join(strings.Fields(text(t, extremes()["two of three late"])), " ")
	if want := "in 30 of 30 intervals, lag p99 4.04 ms (A); in 30 of 30 intervals, lag p99 4.04 ms (B). It used"; !strings.Contains(late, want) {
		t.Errorf("two of three late targets do not give %q:\n%s", want, late)
	}
	if got := text(t, runs()["broken"]); strings.Contains(got, "Note") || strings.Contains(got, "WARNING") {
		t.Errorf("notes where there is nothing to note:\n%s", got)
	}
}

// What a distribution counts has to add up to the requests, wherever the
// bounds are.
func TestDistributionCountsEveryRequest(t *testing.T) {
	for name, r := range runs() {
		for i := range r.Targets {
			total := r.Targets[i].total()
			if total.Requests() == 0 {
				continue
			}
			sum := int64(0)
			for _, n := range countBetween(&total.Response, r.bounds()) {
				sum += n
			}
			if sum != total.Requests() {
				t.Errorf("%s: %d of %d requests are in the distribution", name, sum, total.Requests())
			}
		}
	}
}

func TestProgressIsNeverTooWide(t *testing.T) {
	for name, r := range runs() {
		for width := 0; width < 120; width += 9 {
			got := Progress(r, width)
			if n := utf8.RuneCountInString(got); n > width || strings.ContainsAny(got, "\n\r\x1b") {
				t.Fatalf("%s: %d columns in %d: %q", name, n, width, got)
			}
		}
	}
}

func TestProgressLeavesOutWhatMattersLeast(t *testing.T) {
	r := runs()["closed"]
	r.Targets[0].RateIntended = 100
	for width, want := range map[int]string{
		120: "30 s  50.0/s of 100/s  94.73% ok  p99 57.6 ms  p50 14.5 ms  79 failures  1,500 requests",
		60:  "30 s  50.0/s of 100/s  94.73% ok  p99 57.6 ms  p50 14.5 ms",
		40:  "30 s  50.0/s of 100/s  94.73% ok",
		4:   "30 s",
		2:   "30",
		-1:  "",
	} {
		if got := Progress(r, width); got != want {
			t.Errorf("in %d columns: %q, want %q", width, got, want)
		}
	}
	if got := Progress(&Run{Elapsed: 300 * time.Millisecond, Targets: []Target{{RateIntended: 50}}}, 80); got != "0.3 s  0.00/s of 50.0/s  no answers yet" {
		t.Errorf("before the first answer: %q", got)
	}
}
