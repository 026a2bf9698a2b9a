package loadgen

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	// maxChunkLine is how long the line before a chunk may be, in bytes: its
	// size, and extensions, which mean nothing here.
	maxChunkLine = 4 << 10
	// maxChunkOverhead is how many bytes more than a fair share of a body may
	// be sizes and extensions of chunks, as in net/http.
	maxChunkOverhead = 16 << 10
	// fairOverhead is the share of each chunk, with one byte more for each byte
	// of its content.
	fairOverhead = 16
	// maxChunkDigits is how many digits a size may have: up to 2^60-1 bytes.
	maxChunkDigits = 15
)

var errChunk = errors.New("malformed chunk")

// chunkedBody reads the content of a chunked body (RFC 9112, section 7.1), up to
// its last chunk: the trailers are left. A server cannot keep it busy with
// extensions that bring no content. The zero value reads nothing; reset begins.
type chunkedBody struct {
	r        *bufio.Reader
	left     int64 // of the chunk
	inChunk  bool  // the line break after its content was not read yet
	overhead int64 // bytes that were no content, less their fair share
	err      error
}

func (c *chunkedBody) reset(r *bufio.Reader) { *c = chunkedBody{r: r} }

// Read returns io.EOF after the last chunk, and io.ErrUnexpectedEOF where the
// connection ends before.
func (c *chunkedBody) Read(p []byte) (n int, err error) {
	if c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err = c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.err = unexpected(err)
	return n, c.err
}

// next goes to the content of the next chunk.
func (c *chunkedBody) next() error {
	if c.inChunk {
		end, err := c.r.Peek(2)
		switch {
		case err != nil:
			return unexpected(err)
		case string(end) != "\r\n":
			return errChunk
		}
		_, _ = c.r.Discard(2) // it is there
		c.inChunk = false
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	size, ok := chunkSize(line)
	if !ok {
		return errChunk
	}
	c.overhead = max(c.overhead+int64(len(line))+2-fairOverhead-size, 0)
	switch {
	case c.overhead > maxChunkOverhead:
		return errChunk
	case size == 0:
		return io.EOF
	}
	c.left, c.inChunk = size, true
	return nil
}

// line reads the line before a chunk, without its end.
func (c *chunkedBody) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || len(line) > maxChunkLine:
		return nil, errChunk
	case err != nil:
		return nil, unexpected(err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.IndexByte(line, '\r') >= 0 {
		return nil, errChunk
	}
	return line, nil
}

// chunkSize reads the size at the beginning of a line.
func chunkSize(line []byte) (size int64, ok bool) {
	digits, _, _ := bytes.Cut(bytes.TrimRight(line, " \t"), []byte(";"))
	if len(digits) == 0 || len(digits) > maxChunkDigits {
		return 0, false
	}
	for _, d := range digits {
		switch {
		case '0' <= d && d <= '9':
			d -= '0'
		case 'a' <= d|0x20 && d|0x20 <= 'f':
			d = d | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		size = size<<4 | int64(d)
	}
	return size, true
}

// unexpected is an error where the body was to go on.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
