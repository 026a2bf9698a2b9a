package loadgen

import (
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
	if err := s.readBody(conn, length, r.Expect.BodyContains != ""); err != nil {
		return s.broken(conn), false
	}
	// What a server sends unasked cannot be told from the next response.
	reusable = length != untilClose && code >= 200 && !header.ConnectionClose() && s.reader.Buffered() == 0
	return outcome, reusable
}

// maxInterim is how many 1xx responses may come before the final one.
const maxInterim = 16

// What fasthttp gives as the length of bodies that do not say it.
const (
	chunked    = -1
	untilClose = -2
)

// readBody reads the body to its end, and keeps its first part where it is to
// be searched.
func (s *http1Sender) readBody(conn *conn, length int, search bool) error {
	if length >= 0 && (!search || length == 0) {
		_, err := s.reader.Discard(length)
		return err
	}
	body := io.Reader(s.reader)
	if length != untilClose {
		s.response.StreamBody = true
		if err := s.response.ReadBody(s.reader, 0); err != nil {
			return err
		}
		defer func() { _ = s.response.CloseBodyStream() }() // read to its end, or dropped
		body = s.response.BodyStream()
	}
	for {
		n, err := body.Read(s.scratch[:])
		if keep := min(n, searchedBytes-len(s.searched)); search && keep > 0 {
			s.searched = append(s.searched, s.scratch[:keep]...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if length == chunked && conn.err != nil {
		return io.ErrUnexpectedEOF // fasthttp takes it for the end
	}
	if search {
		s.searched = decoded(s.searched, string(s.response.Header.ContentEncoding()))
	}
	return nil
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
