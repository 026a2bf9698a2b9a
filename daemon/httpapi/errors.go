package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
)

// Error is an error that the client is told. So is every other error that has
// a method HTTPStatus() int. Of all others the client gets a bare 500, and the
// log a line.
type Error struct {
	Status  int
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// HTTPStatus returns the status.
func (e *Error) HTTPStatus() int { return e.Status }

// handle adapts a handler that returns an error.
func (s *Server) handle(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.contain(w, r)
		if err := f(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// contain is deferred by a handler that may panic.
func (s *Server) contain(w http.ResponseWriter, r *http.Request) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p) // meant to cut the connection
	default:
		s.Log.ErrorContext(r.Context(), "handler panicked", "stack", string(debug.Stack()))
		s.fail(w, r, fmt.Errorf("panic: %v", p))
	}
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var told interface {
		error
		HTTPStatus() int
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		told = &Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body may have %d bytes at most", tooLarge.Limit)}
	case errors.As(err, &told):
	default:
		s.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		told = &Error{http.StatusInternalServerError, "internal error; the log has more"}
	}
	if _, busy := errors.AsType[*busyError](err); busy {
		w.Header().Set("Retry-After", retryAfter)
	}
	if told.HTTPStatus() == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	// The client may be gone; there is nobody else to tell.
	_ = respond(w, told.HTTPStatus(), map[string]string{"error": strings.ReplaceAll(told.Error(), "\n", "; ")})
}

func respond(w http.ResponseWriter, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client may be gone
	return nil
}
