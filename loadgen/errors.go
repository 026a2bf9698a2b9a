package loadgen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/serin-dev/serin/measure"
)

// Classify names the kind of error that kept a response from arriving.
func Classify(err error) measure.Outcome {
	switch {
	case isTimeout(err):
		return measure.Timeout
	case is[*net.DNSError](err):
		return measure.DNS
	case isDial(err):
		return measure.Connect
	case isTLS(err):
		return measure.TLS
	case errors.Is(err, io.ErrUnexpectedEOF):
		return measure.Truncated
	case isBroken(err):
		return measure.Reset
	default:
		// What is left is net/http's verdict on what the server said, for
		// which it has no exported error types.
		return measure.Protocol
	}
}

// unanswered is Classify for an error that came instead of the first byte of a
// response: a connection that ended there was reset, even where TLS says that
// it was cut off.
func unanswered(err error) measure.Outcome {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return measure.Reset
	}
	return Classify(err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// handshakeError is any error of a TLS handshake but the end of its time.
type handshakeError struct{ error }

func (e handshakeError) Unwrap() error { return e.error }

// isTLS reports whether the handshake failed. Not all of its errors have a
// type of their own.
func isTLS(err error) bool {
	return is[handshakeError](err) || is[*tls.CertificateVerificationError](err) || is[tls.RecordHeaderError](err) ||
		is[tls.AlertError](err) || is[x509.UnknownAuthorityError](err) || strings.Contains(err.Error(), "tls: ")
}

// isBroken reports whether the connection ended. EOF before the first byte is
// a connection closed under the request.
func isBroken(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) ||
		errors.Is(err, io.EOF)
}
