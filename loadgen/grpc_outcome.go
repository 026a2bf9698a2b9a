package loadgen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/serin-dev/serin/measure"
)

// httpStatus is what a gRPC code is in HTTP, by the comments of
// google.rpc.Code.
var httpStatus = map[codes.Code]int{
	codes.Canceled:           499,
	codes.Unknown:            http.StatusInternalServerError,
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.Unauthenticated:    http.StatusUnauthorized,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.FailedPrecondition: http.StatusBadRequest,
	codes.Aborted:            http.StatusConflict,
	codes.OutOfRange:         http.StatusBadRequest,
	codes.Unimplemented:      http.StatusNotImplemented,
	codes.Internal:           http.StatusInternalServerError,
	codes.Unavailable:        http.StatusServiceUnavailable,
	codes.DataLoss:           http.StatusInternalServerError,
}

// outcome is what has become of a call that failed. grpc-go folds all that
// can go wrong into the codes that servers answer with; how far the call came
// tells them apart.
func outcome(ctx context.Context, conn *grpcConn, err error, p *callProgress) measure.Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := status.Code(err)
	deadline, limited := ctx.Deadline()
	switch {
	case code == codes.DeadlineExceeded && limited && time.Until(deadline) < 10*time.Millisecond:
		return measure.Timeout // gRPC tells the server of it, which may be first to say so
	case p.answered:
		if mapped, ok := httpStatus[code]; ok {
			return measure.Status(mapped)
		}
		return measure.Protocol
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return measure.Timeout
	case !p.sent:
		return unconnected(conn, err)
	}
	return unfinished(err, code, p.begun)
}

// unfinished says what became of a call that was sent and got no status of
// gRPC. What else the server did, grpc-go puts into words only.
func unfinished(err error, code codes.Code, begun bool) measure.Outcome {
	_, plain, isPlain := strings.Cut(err.Error(), plainAnswer)
	switch {
	case isPlain:
		return plainStatus(plain)
	case code != codes.Unavailable && !strings.Contains(err.Error(), resetStream):
		return measure.Protocol
	case begun:
		return measure.Truncated
	default:
		return measure.Reset
	}
}

// What grpc-go says of an answer without gRPC in it, such as a proxy's that
// does not reach the server, and of a call that the server broke off. A test
// holds each to the version of grpc-go that is used.
const (
	plainAnswer = "unexpected HTTP status code received from server: "
	resetStream = "stream terminated by RST_STREAM"
)

// plainStatus is the status at the start of text. A good one is none to a call.
func plainStatus(text string) measure.Outcome {
	digits, _, _ := strings.Cut(text, " ")
	code, err := strconv.Atoi(digits)
	if err != nil || code < 300 || code > 599 {
		return measure.Protocol
	}
	return measure.Status(code)
}

// unconnected says why there was no connection to send a call on.
func unconnected(conn *grpcConn, err error) measure.Outcome {
	if connectErr := conn.lastErr(); connectErr != nil {
		if is[*net.OpError](connectErr) || is[*net.DNSError](connectErr) || is[handshakeError](connectErr) {
			return unanswered(connectErr)
		}
		return measure.Connect
	}
	// The server was reached, and does not speak HTTP/2, or not at all.
	switch text := err.Error(); {
	case strings.Contains(text, "HTTP/1.1 header"):
		return measure.Protocol
	case strings.Contains(text, context.DeadlineExceeded.Error()):
		return measure.Timeout
	}
	for _, broken := range []error{io.EOF, syscall.ECONNRESET, syscall.EPIPE} {
		if strings.Contains(err.Error(), broken.Error()) {
			return measure.Reset
		}
	}
	return measure.Protocol
}

// callProgress is how far a call has come.
type callProgress struct {
	mu                    sync.Mutex // guards the rest
	sent, begun, answered bool
}

func (p *callProgress) wasSent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

type progressKey struct{}

// progressHandler takes down the progress of calls. It is told by grpc-go.
type progressHandler struct{}

func (progressHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (progressHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	p, ok := ctx.Value(progressKey{}).(*callProgress)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s.(type) {
	case *stats.Begin: // of this call, after those that asked for its method
		p.sent, p.begun, p.answered = false, false, false
	case *stats.OutHeader:
		p.sent = true
	case *stats.InHeader:
		p.begun = true
	case *stats.InTrailer:
		p.answered = true
	}
}

func (progressHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (progressHandler) HandleConn(context.Context, stats.ConnStats) {}
