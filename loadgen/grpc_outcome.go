package loadgen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
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
func (c *grpcClient) outcome(ctx context.Context, err error, p *callProgress) measure.Outcome {
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
		return c.unconnected(err)
	case code != codes.Unavailable:
		return measure.Protocol
	case p.begun:
		return measure.Truncated
	default:
		return measure.Reset
	}
}

// unconnected says why there was no connection to send a call on.
func (c *grpcClient) unconnected(err error) measure.Outcome {
	if connectErr := c.lastConnectErr(); connectErr != nil {
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
