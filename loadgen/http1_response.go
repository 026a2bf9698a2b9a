package loadgen

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/serin-dev/serin/measure"
)

// receive reads a response whose first byte is there, and says whether the
// connection can be used for another one.
func (s *http1Sender) receive(conn *conn, r *Request) (outcome measure.Outcome, reusable bool) {
	header := &s.response.Header
	s.searched = s.searched[:0]
	for interim := 0; ; interim++ {
		if s.hasNoStatus() {
			return s.broken(conn), false
		}
		if err := header.Read(s.reader); err != nil {
			return s.broken(conn), false
		}
		code := header.StatusCode()
		if code < 100 || code > 599 || interim > maxInterim {
			return measure.Protocol, false
		}
		if code >= 200 || code == http.StatusSwitchingProtocols {
			break
		}
	}
	code := header.StatusCode()
	outcome = measure.Status(code)
	length := header.ContentLength()
	if r.Method == http.MethodHead || code < 200 || code == http.StatusNoContent || code == http.StatusNotModified {
		length = 0
	}
	if err := s.readBody(length, r.Expect.BodyContains != ""); err != nil {
		return s.broken(conn), false
	}
	// What a server sends unasked cannot be told from the next response.
	reusable = length != untilClose && code >= 200 && !header.ConnectionClose() && s.reader.Buffered() == 0
	return outcome, reusable
}

// hasNoStatus reports whether a response begins with the status 000, which
// fasthttp takes for 200, or with no line of a status at all.
func (s *http1Sender) hasNoStatus() bool {
	for want := 1; ; {
		if _, err := s.reader.Peek(want); err != nil {
			return true
		}
		there, _ := s.reader.Peek(s.reader.Buffered()) // is there
		if line, _, ended := bytes.Cut(there, []byte("\n")); ended {
			_, status, _ := bytes.Cut(line, []byte(" "))
			status = bytes.TrimLeft(status, " ")
			return len(status) == 0 || bytes.HasPrefix(status, []byte("000"))
		}
		want = len(there) + 1
	}
}

// maxInterim is how many 1xx responses may come before the final one.
const maxInterim = 16

// What fasthttp gives as the length of bodies that do not say it.
const (
	chunked    = -1
	untilClose = -2
)

// readBody reads the body, and decodes what is kept of it where it is to be
// searched.
func (s *http1Sender) readBody(length int, search bool) error {
	if length >= 0 && (!search || length == 0) {
		_, err := s.reader.Discard(length)
		return err
	}
	var err error
	switch length {
	case chunked:
		s.chunks.reset(s.reader)
		if err = s.drain(&s.chunks, search); err == nil {
			err = unexpected(s.response.Header.ReadTrailer(s.reader))
		}
	case untilClose:
		err = s.drain(s.reader, search)
	default:
		rest := &io.LimitedReader{R: s.reader, N: int64(length)}
		if err = s.drain(rest, search); err == nil && rest.N > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		return err
	}
	if search {
		s.searched = decoded(s.searched, string(s.response.Header.ContentEncoding()))
	}
	return nil
}

// drain reads a body to its end, and keeps its first part where it is to be
// searched.
func (s *http1Sender) drain(body io.Reader, search bool) error {
	for {
		n, err := body.Read(s.scratch[:])
		if keep := min(n, searchedBytes-len(s.searched)); search && keep > 0 {
			s.searched = append(s.searched, s.scratch[:keep]...)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// broken says why a response that began did not arrive whole.
func (s *http1Sender) broken(conn *conn) measure.Outcome {
	switch {
	case conn.err == nil:
		return measure.Protocol // all that came was read, and made no sense
	case isTimeout(conn.err):
		return measure.Timeout
	default:
		return measure.Truncated
	}
}
