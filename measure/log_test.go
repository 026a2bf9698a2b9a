package measure

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// all reads a log to its end or its error.
func all(log iter.Seq2[Interval, error]) (intervals []Interval, err error) {
	for iv, e := range log {
		if e != nil {
			err = e
			continue
		}
		if err != nil {
			return intervals, errors.New("an interval follows an error")
		}
		intervals = append(intervals, iv)
	}
	return intervals, err
}

// writeLog makes a log that begins with the earliest interval.
func writeLog(intervals []Interval, comments ...string) ([]byte, error) {
	start := epoch
	if len(intervals) > 0 {
		start = slices.MinFunc(intervals, func(a, b Interval) int { return a.Start.Compare(b.Start) }).Start
	}
	var log bytes.Buffer
	w, err := NewLogWriter(&log, start, comments...)
	for _, iv := range intervals {
		err = cmp.Or(err, w.Write(iv))
	}
	return log.Bytes(), err
}

// mustWrite is writeLog where it cannot fail.
func mustWrite(t testing.TB, intervals []Interval, comments ...string) []byte {
	t.Helper()
	log, err := writeLog(intervals, comments...)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// differs says in which way intervals are not the same.
func differs(a, b []Interval) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d intervals, want %d", len(b), len(a))
	}
	for i, x := range a {
		y := b[i]
		if x.Tag != y.Tag || !x.Start.Equal(y.Start) || !x.End.Equal(y.End) {
			return fmt.Sprintf("interval %d: %q %v to %v, want %q %v to %v", i, y.Tag, y.Start, y.End, x.Tag, x.Start, x.End)
		}
		if !slices.Equal(counts(x.Histogram), counts(y.Histogram)) {
			return fmt.Sprintf("interval %d: counts %v, want %v", i, counts(y.Histogram), counts(x.Histogram))
		}
	}
	return ""
}

// rollout is two seconds of two targets.
func rollout() []Interval {
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	return []Interval{
		{"stable", at(0), at(time.Second), histogram(time.Millisecond, 2*time.Millisecond, 3*time.Millisecond)},
		{"canary", at(0), at(time.Second), histogram(4*time.Millisecond, time.Hour)},
		{"stable", at(time.Second), at(2*time.Second + 1), histogram(5 * time.Microsecond)},
		{"canary", at(time.Second + 2*time.Microsecond), at(2*time.Second + 3*time.Millisecond), new(Histogram)},
		{"", at(2 * time.Second), at(2 * time.Second), histogram(1500 * time.Microsecond)},
	}
}

// What compression makes of the counts may change with a release of Go, and
// cannot be read anyway: they are compared and shown as what is in them.
func TestGoldenLog(t *testing.T) {
	file := filepath.Join("testdata", "golden.hlog")
	got := mustWrite(t, rollout(), "Serin", "url: http://canary.example, rate: 100/s")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(readable(t, want), readable(t, got)); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test ./measure -run Golden -update:\n%s", file, diff)
	}
}

// readable replaces the encoded histogram of each line by its counts.
func readable(t *testing.T, log []byte) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(string(log)) {
		head, encoded, found := strings.Cut(line, ",HIST")
		if !found {
			b.WriteString(line)
			continue
		}
		h, err := DecodeHistogram([]byte("HIST" + encoded))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s,%v\n", head, counts(h))
	}
	return b.String()
}

func TestLogIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nanos := rapid.Int64Range(0, int64(400*24*time.Hour))
		intervals := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Interval {
			start := epoch.Add(time.Duration(nanos.Draw(t, "start")))
			return Interval{
				Tag:       rapid.StringMatching(`[^, \n\v\f\r\x{85}\x{2028}\x{2029}]{0,12}`).Draw(t, "tag"),
				Start:     start,
				End:       start.Add(time.Duration(nanos.Draw(t, "length"))),
				Histogram: drawHistogram(t),
			}
		}), 0, 5).Draw(t, "intervals")
		log, err := writeLog(intervals, "[StartTime: 5 (seconds since epoch), a comment]")
		if err != nil {
			t.Fatal(err)
		}
		got, err := all(ReadLog(bytes.NewReader(log)))
		if err != nil {
			t.Fatalf("%v in\n%s", err, log)
		}
		if d := differs(intervals, got); d != "" {
			t.Fatalf("%s in\n%s", d, log)
		}
	})
}

// Each log has its own times, and so logs can be put one behind the other.
func TestLogsAddUp(t *testing.T) {
	first := rollout()
	second := []Interval{{"late", epoch.Add(time.Hour), epoch.Add(2 * time.Hour), histogram(time.Second)}}
	log := slices.Concat(mustWrite(t, first), mustWrite(t, second))
	got, err := all(ReadLog(bytes.NewReader(log)))
	if err != nil {
		t.Fatal(err)
	}
	if d := differs(slices.Concat(first, second), got); d != "" {
		t.Error(d)
	}
}

func TestBrokenLinesAreNamed(t *testing.T) {
	const h = "HISTFAAAACd42pJpmSzMwMDAyAABzFDqBQMDA+8P9wgG+w9QGUAAAAD//2GWBQk="
	for _, tc := range []struct{ line, want string }{
		{"something else", `"something else" is no interval: want [Tag=tag,]start,length,max,histogram`},
		{"Tag=lonely", `"Tag=lonely" is no interval`},
		{"0,1,2", "is no interval"},
		{"0,1,2," + h + ",3", "is no interval"},
		{",1,2," + h, `start "" is not a number of seconds`},
		{"x,1,2," + h, `start "x" is not a number of seconds`},
		{"1h5,1,2," + h, `start "1h5" is not a number of seconds`},
		{"NaN,1,2," + h, `start "NaN" is not a number of seconds`},
		{"1e9,1,2," + h, `start "1e9" is not a number of seconds`},
		{"9999999999,1,2," + h, `start "9999999999" is not a number of seconds, or too large`},
		{"0,1.2.3,2," + h, `length "1.2.3" is not a number of seconds`},
		{"0,-1,2," + h, "length -1s is negative"},
		{"-1,1,2," + h, "is not between 1970 and 2262"},
		{"9223372036,9,2," + h, "is not between 1970 and 2262"},
		{"0,1,much," + h, `max "much" is not a number`},
		{"0,1,2,", "decode histogram: 0 bytes"},
		{"Tag=a,0,1,2," + h[:40], "decode histogram: "},
		{"#[StartTime: soon (seconds since epoch)]", `StartTime "soon" is not a number of seconds`},
		{"#[BaseTime: ", `BaseTime "" is not a number of seconds`},
		{"0,1,2," + strings.Repeat("A", maxLine), "longer than 4 MiB: is this a histogram log?"},
		{strings.Repeat(",", maxLine-2), "is no interval"},
	} {
		log := "# a comment\n0,1,2," + h + "\n" + tc.line + "\n0,1,2," + h + "\n"
		got, err := all(ReadLog(strings.NewReader(log)))
		if len(got) != 1 {
			t.Errorf("%.60q: %d intervals are read, want the one before it", tc.line, len(got))
		}
		if err == nil || !strings.HasPrefix(err.Error(), "histogram log: line 3: ") || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.60q: error %v, want one of line 3 with %s", tc.line, err, tc.want)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%.60q: an error of %d bytes", tc.line, len(err.Error()))
		}
	}
}

// What a crash leaves is readable up to the interval that it cut.
func TestCutOffLogHasItsWholeIntervals(t *testing.T) {
	whole := rollout()[:2]
	log := mustWrite(t, whole)
	for n := range log {
		got, err := all(ReadLog(bytes.NewReader(log[:n])))
		if d := differs(whole[:min(len(got), len(whole))], got); d != "" {
			t.Fatalf("cut at %d: %s", n, d)
		}
		_, body, headed := bytes.Cut(log[:n], []byte(logLegend+"\n"))
		if lines := bytes.Count(body, []byte("\n")); headed && (len(got) < lines || len(got) > lines+1) {
			t.Fatalf("cut at %d: %d intervals of %d whole lines", n, len(got), lines)
		}
		if headed && err == nil && len(got) == bytes.Count(body, []byte("\n")) && !bytes.HasSuffix(log[:n], []byte("\n")) {
			t.Fatalf("cut at %d: the broken line is passed over", n)
		}
	}
}

func TestReadingEndsWhereItIsAsked(t *testing.T) {
	n := 0
	for _, err := range ReadLog(bytes.NewReader(mustWrite(t, rollout()))) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d intervals", n)
	}
}

func TestErrorOfTheReaderIsPassedOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	log := mustWrite(t, rollout())
	log = log[:len(log)-20] // the last line looks broken, but the disk is to blame
	got, err := all(ReadLog(io.MultiReader(bytes.NewReader(log), iotest.ErrReader(broken))))
	if !errors.Is(err, broken) || len(got) != 4 {
		t.Errorf("%d intervals, error %v; want 4 and %v", len(got), err, broken)
	}
}

// endless is a line without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '#'
	}
	return len(p), nil
}

func TestEndlessLineEnds(t *testing.T) {
	_, err := all(ReadLog(endless{}))
	if err == nil || !strings.Contains(err.Error(), "line 1: longer than 4 MiB") {
		t.Errorf("error %v", err)
	}
}

func TestWriterRefusesWhatCannotBeReadBack(t *testing.T) {
	var log bytes.Buffer
	w, err := NewLogWriter(&log, epoch)
	if err != nil {
		t.Fatal(err)
	}
	head := log.Len()
	second := epoch.Add(time.Second)
	for _, tc := range []struct {
		iv   Interval
		want string
	}{
		{Interval{"a,b", epoch, second, new(Histogram)}, "must not have commas, spaces or line breaks"},
		{Interval{",", epoch, second, new(Histogram)}, "must not have commas, spaces or line breaks"},
		{Interval{" a", epoch, second, new(Histogram)}, "must not have commas, spaces or line breaks"},
		{Interval{"a\n", epoch, second, new(Histogram)}, "must not have commas, spaces or line breaks"},
		{Interval{"a\rb", epoch, second, new(Histogram)}, "must not have commas, spaces or line breaks"},
		{Interval{"a\u2028b", epoch, second, new(Histogram)}, "must not have commas, spaces or line breaks"},
		{Interval{"a", epoch, second, nil}, "there is no histogram: pass an empty one"},
		{Interval{"a", epoch.Add(-time.Second), second, new(Histogram)}, "starts 1s before the log: begin the log with the earliest start"},
		{Interval{"a", second, epoch, new(Histogram)}, "ends 1s before its start"},
		{Interval{"a", epoch, epoch.AddDate(300, 0, 0), new(Histogram)}, "is not between 1970 and 2262"},
		{Interval{"a", epoch.AddDate(9000, 0, 0), epoch.AddDate(9001, 0, 0), new(Histogram)}, "is not between 1970 and 2262"},
	} {
		if err := w.Write(tc.iv); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q %v to %v: error %v, want one with %q", tc.iv.Tag, tc.iv.Start, tc.iv.End, err, tc.want)
		}
	}
	if log.Len() != head {
		t.Errorf("a part of a refused interval was written:\n%s", &log)
	}
	if _, err := NewLogWriter(&log, time.Time{}); err == nil {
		t.Error("a log begins in the year 1")
	}
	if _, err := NewLogWriter(&log, epoch, "two\nlines"); err == nil {
		t.Error("a comment goes on as an interval")
	}
}

// failing takes n writes.
type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestErrorOfTheWriterIsPassedOn(t *testing.T) {
	if _, err := NewLogWriter(&failing{0}, epoch); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("head: error %v", err)
	}
	w, err := NewLogWriter(&failing{1}, epoch)
	if err != nil {
		t.Fatal("the head took more than one write")
	}
	if err := w.Write(rollout()[0]); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("interval: error %v", err)
	}
}

// Whatever is read without an error can be written, and then reads the same.
func FuzzReadLog(f *testing.F) {
	for _, name := range []string{"golden.hlog", "java-2.1.11.hlog", "js-3.0.1.hlog"} {
		log, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(log)
	}
	f.Add([]byte("#[StartTime: 1.5]\nTag=x,-0.5,1,NaN,HISTFAAAACd42pJpmSzMwMDAyAABzFDqBQMDA+8P9wgG+w9QGUAAAAD//2GWBQk="))
	f.Fuzz(func(t *testing.T, log []byte) {
		intervals, err := all(ReadLog(bytes.NewReader(log)))
		if err != nil && !strings.HasPrefix(err.Error(), "histogram log: line ") {
			t.Fatalf("error %v names no line", err)
		}
		for i := range intervals {
			// Others' tags may have what ours must not.
			intervals[i].Tag = strings.Join(strings.FieldsFunc(intervals[i].Tag, func(r rune) bool {
				return strings.ContainsRune(" "+lineBreaks, r)
			}), "")
		}
		got, err := all(ReadLog(bytes.NewReader(mustWrite(t, intervals))))
		if err != nil {
			t.Fatal(err)
		}
		if d := differs(intervals, got); d != "" {
			t.Fatal(d)
		}
	})
}

func ExampleReadLog() {
	var file bytes.Buffer
	log, err := NewLogWriter(&file, epoch, "two seconds of one target")
	if err != nil {
		fmt.Println(err)
		return
	}
	var h Histogram
	h.Record(20 * time.Millisecond)
	for second := range 2 {
		start := epoch.Add(time.Duration(second) * time.Second)
		if err := log.Write(Interval{Tag: "canary", Start: start, End: start.Add(time.Second), Histogram: &h}); err != nil {
			fmt.Println(err)
			return
		}
	}

	var whole Histogram
	for interval, err := range ReadLog(&file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		whole.Merge(interval.Histogram)
	}
	fmt.Println(whole.Count(), whole.Max().Round(time.Millisecond))
	// Output: 2 20ms
}
