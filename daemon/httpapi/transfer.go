package httpapi

import (
	"io"
	"net/http"
	"time"
)

const (
	// pieceSize is how much of an answer is written at a time, in bytes, and
	// writeTimeout how long a client may take to make room for it, or for an event
	// of a stream.
	pieceSize    = 32 << 10
	writeTimeout = 10 * time.Second
	// answerTimeout is how long a client may take for a large answer.
	answerTimeout = 5 * time.Minute
	// reportWeight is what a report takes of the budget while it is served: what
	// is kept of all reports of a Canary, and once more while it is read.
	reportWeight = 2 << 20
	// metricsWeight is what all metrics take, which are gathered before they are
	// written.
	metricsWeight = 4 << 20
	// largeAnswer is from which size on an answer in memory takes of the budget.
	largeAnswer = 64 << 10
)

// heldBody is the body of a request, which takes its size of the budget before
// its first byte is read, and gives it back when it is closed: a handler that
// refuses a request reads nothing of it, and one that has read it closes it.
type heldBody struct {
	io.ReadCloser
	take     func() (giveBack func(), err error)
	giveBack func() // nil until something was read
	err      error  // of take
}

// Read reads, once there is room.
func (b *heldBody) Read(p []byte) (int, error) {
	if b.giveBack == nil && b.err == nil {
		b.giveBack, b.err = b.take()
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

// Close gives back what was taken.
func (b *heldBody) Close() error {
	if b.giveBack != nil {
		b.giveBack()
	}
	return b.ReadCloser.Close()
}

// holdBody bounds the body of a request, its size and the time that it takes, and
// the sum of all. What it returns is to be called when the request was answered.
func (s *Server) holdBody(w http.ResponseWriter, r *http.Request) (done func(), err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return func() {}, nil
	}
	size := r.ContentLength
	switch {
	case size > maxBody:
		return nil, &http.MaxBytesError{Limit: maxBody}
	case size < 0:
		size = maxBody
	}
	// What cannot set deadlines, such as a recorder of a test, has no slow client.
	slow := func() { _ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) }
	slow()
	ctx, client := r.Context(), clientOf(r)
	held := &heldBody{ReadCloser: r.Body, take: func() (func(), error) {
		giveBack, err := s.limits().bodies.take(ctx, client, size, patience)
		slow() // the wait was not the client's
		return giveBack, err
	}}
	r.Body = http.MaxBytesReader(w, held, maxBody)
	return func() {
		if held.giveBack != nil {
			held.giveBack()
		}
	}, nil
}

// pacedWriter gives each piece of an answer a time to be written in.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func pace(w http.ResponseWriter) *pacedWriter {
	p := &pacedWriter{w, http.NewResponseController(w)}
	p.extend()
	return p
}

// extend gives the client time for the next piece.
func (p *pacedWriter) extend() {
	_ = p.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // what cannot set deadlines has no slow client
}

// Unwrap is for http.ResponseController.
func (p *pacedWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// WriteHeader writes the header.
func (p *pacedWriter) WriteHeader(status int) {
	p.extend()
	p.ResponseWriter.WriteHeader(status)
}

// Write writes piece by piece.
func (p *pacedWriter) Write(text []byte) (written int, err error) {
	for {
		piece := text[written:min(written+pieceSize, len(text))]
		p.extend()
		n, err := p.ResponseWriter.Write(piece)
		written += n
		if err != nil || written == len(text) {
			return written, err
		}
	}
}

// holdAnswer takes of the budget for a large answer, and has the request wait for
// it where nothing is held for it yet. What it returns gives it back.
func (s *Server) holdAnswer(r *http.Request, size int64, wait time.Duration) (giveBack func(), err error) {
	return s.limits().answers.take(r.Context(), clientOf(r), size, wait)
}

// deliver writes an answer that is in memory.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, text []byte) error {
	if len(text) > largeAnswer {
		giveBack, err := s.holdAnswer(r, int64(min(len(text), answerBudget/clientShare)), 0)
		if err != nil {
			return err
		}
		defer giveBack()
	}
	_, _ = w.Write(text) // the client may be gone
	return nil
}

// copyAnswer writes an answer while it is read, and holds no more than a piece.
// One that breaks off, or takes too long, breaks the connection: half a page must
// not look like a whole one.
func copyAnswer(w io.Writer, text io.Reader) {
	end := time.Now().Add(answerTimeout)
	piece := make([]byte, pieceSize)
	for {
		n, err := text.Read(piece)
		if _, writeErr := w.Write(piece[:n]); writeErr != nil || time.Now().After(end) {
			panic(http.ErrAbortHandler)
		}
		switch err {
		case nil:
		case io.EOF:
			return
		default:
			panic(http.ErrAbortHandler)
		}
	}
}
