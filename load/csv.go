package load

import (
	"bufio"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/serin-dev/serin/loadgen"
)

// csvWriter writes a line for each request, in the order in which they ended,
// with hey's columns: times in seconds, and the offset of the intended start
// from that of the run. Like hey, it leaves out requests without a response.
type csvWriter struct {
	begin time.Time

	mu  sync.Mutex // guards what follows
	buf *bufio.Writer
	err error
}

func newCSVWriter(w io.Writer, begin time.Time) *csvWriter {
	c := &csvWriter{begin: begin, buf: bufio.NewWriterSize(w, 64<<10)}
	_, c.err = c.buf.WriteString("response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n")
	return c
}

func (c *csvWriter) write(d *loadgen.Detail) {
	if d.Outcome.Code() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		_, c.err = fmt.Fprintf(c.buf, "%.4f,%.4f,%.4f,%.4f,%.4f,%.4f,%d,%.4f\n", d.ResponseTime().Seconds(),
			d.Connect.Seconds(), d.DNS.Seconds(), d.Write.Seconds(), d.Phases.Wait.Seconds(), d.Read.Seconds(),
			d.Outcome.Code(), d.Intended.Sub(c.begin).Seconds())
	}
}

// close writes what is left and returns the first error.
func (c *csvWriter) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = c.buf.Flush()
	}
	return c.err
}
