package measure

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
)

// The log format is HdrHistogram's, version 1.3. Each interval is a line,
//
//	[Tag=tag,]start,length,max,histogram
//
// with its start and length in seconds, its greatest value in milliseconds and
// its counts as [Histogram.Encode] gives them, in nanoseconds. Starts count
// from the base time, which a comment names together with the log's start:
//
//	#[StartTime: 1767323045.000 (seconds since epoch), 2026-01-02T03:04:05Z]
//	#[BaseTime: 1767323045.000 (seconds since epoch)]
//
// Lines are read and written here and not by hdrhistogram-go 1.4.0. Its writer
// cuts the log's start to whole seconds, and lets tags through that begin or
// end with a comma or a line break. Its reader cuts times to milliseconds,
// takes lines of any length, passes over broken ones and gives a tag on from
// such a line to the next interval.
const (
	logVersion = "#[Histogram log format version 1.3]"
	logLegend  = `"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"`
	startTime  = "#[StartTime:"
	baseTime   = "#[BaseTime:"
	tagPrefix  = "Tag="

	// maxLine is the length of the longest line that is read, in bytes: twenty
	// times what a histogram of ours can have.
	maxLine = 4 << 20

	// lineBreaks are what any of the readers takes for the end of a line; Java's
	// knows the most.
	lineBreaks = "\n\v\f\r\u0085\u2028\u2029"
)

// Interval is one line of a log.
type Interval struct {
	// Tag tells intervals apart that are of one time, such as several targets.
	// It holds no comma, space or line break. Empty: no tag.
	Tag string
	// Start and End are between 1970 and 2262; End is not before Start.
	Start, End time.Time
	// Histogram is not nil. That of a Snapshot is without the cold start, which
	// Snapshot.WithColdStart puts in.
	Histogram *Histogram
}

// LogWriter writes intervals to a histogram log, which HistogramLogProcessor
// and other programs for HdrHistogram read. It is for one goroutine at a time.
type LogWriter struct {
	w     io.Writer
	start time.Time
}

// NewLogWriter begins a log. No interval of it may start before start. Each
// comment is one line.
func NewLogWriter(w io.Writer, start time.Time, comments ...string) (*LogWriter, error) {
	var head bytes.Buffer
	for _, c := range comments {
		if strings.ContainsAny(c, lineBreaks) {
			return nil, fmt.Errorf("histogram log: comment %.40q has a line break: pass each line by itself", c)
		}
		fmt.Fprintf(&head, "# %s\n", c) // the space keeps it from being read as a start time
	}
	if err := checkInstant(start); err != nil {
		return nil, fmt.Errorf("histogram log: start: %w", err)
	}
	epoch := formatSeconds(time.Duration(start.UnixNano()))
	fmt.Fprintln(&head, logVersion)
	fmt.Fprintf(&head, startTime+" %s (seconds since epoch), %s]\n", epoch, start.UTC().Format(time.RFC3339Nano))
	fmt.Fprintf(&head, baseTime+" %s (seconds since epoch)]\n", epoch)
	fmt.Fprintln(&head, logLegend)
	if _, err := w.Write(head.Bytes()); err != nil {
		return nil, fmt.Errorf("histogram log: %w", err)
	}
	return &LogWriter{w: w, start: start.Round(0)}, nil
}

// Write appends one interval, in a single call of the underlying Write, so that
// what breaks off leaves whole lines.
func (l *LogWriter) Write(iv Interval) error {
	// The wall clock alone: the reader has nothing else either.
	iv.Start, iv.End = iv.Start.Round(0), iv.End.Round(0)
	line, err := l.format(iv)
	if err == nil {
		_, err = l.w.Write(line)
	}
	if err != nil {
		return fmt.Errorf("histogram log: interval %.40q: %w", iv.Tag, err)
	}
	return nil
}

func (l *LogWriter) format(iv Interval) ([]byte, error) {
	if err := l.check(iv); err != nil {
		return nil, err
	}
	encoded, err := iv.Histogram.Encode()
	if err != nil {
		return nil, err
	}
	var line []byte
	if iv.Tag != "" {
		line = fmt.Appendf(line, tagPrefix+"%s,", iv.Tag)
	}
	millis := float64(iv.Histogram.Max()) / float64(time.Millisecond)
	return fmt.Appendf(line, "%s,%s,%.3f,%s\n",
		formatSeconds(iv.Start.Sub(l.start)), formatSeconds(iv.End.Sub(iv.Start)), millis, encoded), nil
}

func (l *LogWriter) check(iv Interval) error {
	switch {
	case iv.Histogram == nil:
		return errors.New("there is no histogram: pass an empty one")
	case strings.ContainsAny(iv.Tag, ", "+lineBreaks):
		return errors.New("a tag must not have commas, spaces or line breaks")
	case iv.Start.Before(l.start):
		return fmt.Errorf("it starts %v before the log: begin the log with the earliest start", l.start.Sub(iv.Start))
	case iv.End.Before(iv.Start):
		return fmt.Errorf("it ends %v before its start", iv.Start.Sub(iv.End))
	}
	return checkInstant(iv.End)
}

// checkInstant holds for what fits in 63 bits of nanoseconds.
func checkInstant(t time.Time) error {
	if t.Before(time.Unix(0, 0)) || t.After(time.Unix(0, math.MaxInt64)) {
		return fmt.Errorf("%v is not between 1970 and 2262", t)
	}
	return nil
}

// formatSeconds prints d, which is not negative, with three decimals as others
// do, and with up to nine where it has them.
func formatSeconds(d time.Duration) string {
	s := fmt.Sprintf("%d.%09d", d/time.Second, d%time.Second)
	return s[:max(len(strings.TrimRight(s, "0")), len(s)-6)]
}

// ReadLog reads the intervals of a log, of ours or of another program for
// HdrHistogram whose values are nanoseconds; see [DecodeHistogram] for what
// becomes of them. Times are in UTC, exact to what the log has. The log can be
// read once. An error, which names the line, is the last that is returned. What
// is in memory at a time is one line of at most 4 MiB and its histogram.
func ReadLog(r io.Reader) iter.Seq2[Interval, error] {
	return func(yield func(Interval, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		var p logParser
		n := 1
		for ; lines.Scan(); n++ {
			iv, ok, err := p.parse(strings.TrimSpace(lines.Text()))
			if err != nil && lines.Err() != nil {
				break // the line is broken because reading is
			}
			if err != nil {
				yield(Interval{}, fmt.Errorf("histogram log: line %d: %w", n, err))
				return
			}
			if ok && !yield(iv, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Interval{}, fmt.Errorf("histogram log: line %d: %w", n, explainTooLong(err)))
		}
	}
}

func explainTooLong(err error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("longer than %d MiB: is this a histogram log?", maxLine>>20)
	}
	return err
}

// logParser holds what lines say about the times of those below them, as time
// since 1970. nil: not said.
type logParser struct{ start, base *time.Duration }

// parse reads one line. ok is false for a line that is no interval.
func (p *logParser) parse(line string) (iv Interval, ok bool, err error) {
	switch {
	case line == "", strings.HasPrefix(line, `"StartTimestamp"`):
		return iv, false, nil
	case strings.HasPrefix(line, startTime):
		p.start, err = headerTime(line)
		return iv, false, err
	case strings.HasPrefix(line, baseTime):
		p.base, err = headerTime(line)
		return iv, false, err
	case line[0] == '#':
		return iv, false, nil
	}
	iv, err = p.interval(line)
	return iv, err == nil, err
}

// headerTime reads the first word after the colon.
func headerTime(line string) (*time.Duration, error) {
	name, value, _ := strings.Cut(line, ":")
	value, _, _ = strings.Cut(strings.TrimSpace(value), " ")
	d, err := parseSeconds(strings.TrimPrefix(name, "#["), strings.TrimSuffix(value, "]"))
	return &d, err
}

func (p *logParser) interval(line string) (Interval, error) {
	var iv Interval
	rest := line
	if tagged, ok := strings.CutPrefix(line, tagPrefix); ok {
		iv.Tag, rest, _ = strings.Cut(tagged, ",")
	}
	fields := strings.SplitN(rest, ",", 5)
	if len(fields) != 4 {
		return iv, fmt.Errorf("%.40q is no interval: want [Tag=tag,]start,length,max,histogram", line)
	}
	offset, err := parseSeconds("start", fields[0])
	if err != nil {
		return iv, err
	}
	length, err := parseSeconds("length", fields[1])
	if err != nil {
		return iv, err
	}
	if length < 0 {
		return iv, fmt.Errorf("length %v is negative", length)
	}
	// The maximum is that of the histogram. It is looked at to tell an interval
	// from a line of something else.
	if _, err := strconv.ParseFloat(strings.TrimSpace(fields[2]), 64); err != nil {
		return iv, fmt.Errorf("max %.40q is not a number", fields[2])
	}
	iv.Start = time.Unix(0, int64(p.baseOf(offset))).Add(offset).UTC()
	iv.End = iv.Start.Add(length)
	if err := errors.Join(checkInstant(iv.Start), checkInstant(iv.End)); err != nil {
		return iv, err
	}
	iv.Histogram, err = DecodeHistogram([]byte(strings.TrimSpace(fields[3])))
	return iv, err
}

// baseOf returns what to add to an interval's start. A log that does not say is
// judged by its first interval, as HdrHistogram's own reader does: one that
// seems to be from more than a year before the log counts from the log's start,
// any other from 1970.
func (p *logParser) baseOf(offset time.Duration) time.Duration {
	if p.start == nil {
		p.start = &offset
	}
	if p.base == nil {
		p.base = new(time.Duration)
		if offset < *p.start-365*24*time.Hour {
			p.base = p.start
		}
	}
	return *p.base
}

// parseSeconds reads a decimal number without going through a float, which has
// no nanoseconds left beside the seconds since 1970.
func parseSeconds(name, s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	d, err := time.ParseDuration(s + "s")
	if err != nil || strings.Trim(strings.TrimPrefix(s, "-"), "0123456789.") != "" {
		return 0, fmt.Errorf("%s %.40q is not a number of seconds, or too large", name, s)
	}
	return d, nil
}
