package history

import (
	"bytes"
	"io"
	"time"

	"github.com/serin-dev/serin/measure"
)

// maxLog bounds the lines that are kept of a rollout, in bytes.
const maxLog = 1 << 20

// intervals are the lines of a histogram log, of which the oldest are dropped.
type intervals struct {
	head   []byte
	lines  [][]byte
	size   int // of the lines
	writer *measure.LogWriter
}

func newIntervals(start time.Time) *intervals {
	l := new(intervals)
	// Its start is now and it has no line break, so this is no error; without a
	// writer nothing is kept.
	l.writer, _ = measure.NewLogWriter(l, start, "serin: response times in nanoseconds; tags are primary and canary; without the cold start")
	return l
}

// Write takes one line, or the head; measure.LogWriter writes them whole.
func (l *intervals) Write(line []byte) (int, error) {
	if l.head == nil {
		l.head = bytes.Clone(line)
		return len(line), nil
	}
	l.lines = append(l.lines, bytes.Clone(line))
	l.size += len(line)
	drop := 0
	for l.size > maxLog {
		l.size -= len(l.lines[drop])
		drop++
	}
	l.lines = l.lines[drop:]
	return len(line), nil
}

func (l *intervals) add(tag string, begin, end time.Time, response *measure.Histogram) {
	if l.writer == nil || response.Count() == 0 {
		return
	}
	// An interval that the format cannot hold, as after a jump of the clock, is
	// left out.
	_ = l.writer.Write(measure.Interval{Tag: tag, Start: begin, End: end, Histogram: response})
}

// WriteLog writes what was measured as an HdrHistogram interval log.
func (r *Rollout) WriteLog(w io.Writer) error {
	if _, err := w.Write(r.log.head); err != nil {
		return err
	}
	for _, line := range r.log.lines {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}
