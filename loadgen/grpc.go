package loadgen

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/serin-dev/serin/measure"
)

// maxMessage is how long a gRPC message may be, in bytes.
const maxMessage = 64 << 20

// grpcClient is gRPC, unary calls. Messages are made once and sent as bytes;
// all senders share one connection, which grpc-go opens and keeps.
type grpcClient struct {
	plan     *Plan
	endpoint endpoint

	resolving chan struct{}              // holds one, while the target is asked for a method
	calls     []atomic.Pointer[grpcCall] // by request; nil where its method is not known yet

	mu   sync.Mutex // guards conn
	conn *grpcConn  // for the next call
}

// grpcCall is a request, ready to be sent.
type grpcCall struct {
	*Request
	method   grpcMethod
	message  []byte
	metadata metadata.MD
}

func newGRPCClient(plan *Plan, e endpoint) (*grpcClient, error) {
	c := &grpcClient{plan: plan, endpoint: e, resolving: make(chan struct{}, 1), calls: make([]atomic.Pointer[grpcCall], len(plan.Requests))}
	for i := range plan.Requests {
		if err := c.prepare(i); err != nil {
			return nil, fmt.Errorf("requests[%d]: %w", i, err)
		}
	}
	conn, err := c.newConn()
	if err != nil {
		return nil, err
	}
	c.conn = conn
	return c, nil
}

// prepare makes request i ready, if its method is known without the server.
func (c *grpcClient) prepare(i int) error {
	r := &c.plan.Requests[i]
	if _, err := callMetadata(r.Header); err != nil {
		return err
	}
	method, known, err := knownMethod(c.plan.Descriptors, r.Path)
	if err != nil || !known {
		return err
	}
	return c.makeCall(i, method)
}

func (c *grpcClient) makeCall(i int, method grpcMethod) error {
	call, err := newCall(&c.plan.Requests[i], method)
	if err == nil {
		c.calls[i].Store(call)
	}
	return err
}

func newCall(r *Request, method grpcMethod) (*grpcCall, error) {
	header, err := callMetadata(r.Header)
	if err != nil {
		return nil, err
	}
	message := dynamicpb.NewMessage(method.input)
	if len(r.Body) > 0 {
		if err := (protojson.UnmarshalOptions{Resolver: method.types}).Unmarshal(r.Body, message); err != nil {
			return nil, fmt.Errorf("body is not a %s in JSON: %w", method.input.FullName(), err)
		}
	}
	wire, err := proto.Marshal(message)
	return &grpcCall{Request: r, method: method, message: wire, metadata: header}, err
}

// callMetadata are a request's headers, by the rules of gRPC and HTTP/2.
func callMetadata(header http.Header) (metadata.MD, error) {
	md := make(metadata.MD, len(header))
	for name, values := range header {
		name = strings.ToLower(name)
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || name == "" || strings.HasPrefix(name, "grpc-") || ofConnection[name] {
			return nil, fmt.Errorf("header %q cannot be metadata of a gRPC call", name)
		}
		if !strings.HasSuffix(name, "-bin") && slices.ContainsFunc(values, unprintable) {
			return nil, fmt.Errorf("header %q has a value with more than printable ASCII, for which gRPC has names in -bin", name)
		}
		if name != "user-agent" && name != "content-type" && name != "te" { // gRPC's own
			md[name] = append(md[name], values...)
		}
	}
	return md, nil
}

// ofConnection are the names that HTTP/2 has no use for (RFC 9113, 8.2.2).
var ofConnection = map[string]bool{
	"connection": true, "proxy-connection": true, "keep-alive": true, "transfer-encoding": true, "upgrade": true,
}

func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// resolve asks the server for the methods that are not known yet. A server
// that is not there is no error: it may be later.
func (c *grpcClient) resolve(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx, c.plan.deadline(time.Now()))
	defer cancel()
	conn := c.acquire()
	defer c.release(conn, true)
	for i := range c.calls {
		_, err := c.call(ctx, conn, i)
		switch status.Code(err) {
		case codes.OK, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		case codes.Unimplemented:
			return fmt.Errorf("requests[%d]: the server does not describe its methods (reflection): give a descriptor set", i)
		default:
			return fmt.Errorf("requests[%d]: %w", i, err)
		}
	}
	return nil
}

// call returns request i, asking the server for its method where need be. Only
// one asks; the others wait for as long as their own time allows.
func (c *grpcClient) call(ctx context.Context, conn *grpcConn, i int) (*grpcCall, error) {
	if call := c.calls[i].Load(); call != nil {
		return call, nil
	}
	select {
	case c.resolving <- struct{}{}:
		defer func() { <-c.resolving }()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if call := c.calls[i].Load(); call != nil {
		return call, nil
	}
	method, err := reflectMethod(ctx, conn.ClientConn, c.plan.Requests[i].Path)
	if err != nil {
		return nil, err
	}
	err = c.makeCall(i, method)
	return c.calls[i].Load(), err
}

func (c *grpcClient) sender(ctx context.Context) sender { return &grpcSender{grpcClient: c, ctx: ctx} }

type grpcSender struct {
	*grpcClient
	ctx context.Context // of the worker, which ends with it
}

func (s *grpcSender) close() {}

func (s *grpcSender) send(i int, _ *Phases) reply {
	ctx, cancel := withDeadline(s.ctx, s.plan.deadline(time.Now()))
	defer cancel()
	progress := new(callProgress)
	ctx = context.WithValue(ctx, progressKey{}, progress)
	conn := s.acquire()
	defer func() { s.release(conn, progress.wasSent()) }()
	call, err := s.call(ctx, conn, i)
	if err != nil {
		return failed(outcome(ctx, conn, err, progress))
	}
	var header, trailer metadata.MD
	var response mem.BufferSlice
	err = conn.Invoke(metadata.NewOutgoingContext(ctx, call.metadata), call.Path(), call.message, &response,
		grpc.ForceCodecV2(bytesCodec{}), grpc.Header(&header), grpc.Trailer(&trailer))
	defer response.Free()
	if err != nil {
		outcome := outcome(ctx, conn, err, progress)
		if outcome.Code() == 0 {
			return failed(outcome)
		}
		return call.judge(outcome, header, trailer, nil)
	}
	return call.judge(measure.Status(http.StatusOK), header, trailer, response)
}

// Path is the full name of the method, as it is asked for.
func (c *grpcCall) Path() string { return c.method.path }

// judge looks at what a health check says and at what is expected.
func (c *grpcCall) judge(outcome measure.Outcome, header, trailer metadata.MD, response mem.BufferSlice) reply {
	var searched []byte
	if outcome == measure.Status(http.StatusOK) && (c.method.health || c.Expect.BodyContains != "") {
		message := dynamicpb.NewMessage(c.method.output)
		if err := proto.Unmarshal(response.Materialize(), message); err != nil {
			return failed(measure.Protocol)
		}
		searched, _ = protojson.MarshalOptions{Resolver: c.method.types}.Marshal(message) // what cannot be shown is not found
		if c.method.health {
			field := message.Descriptor().Fields().ByName("status")
			if message.Get(field).Enum() != grpc_health_v1.HealthCheckResponse_SERVING.Number() {
				outcome = measure.Status(http.StatusServiceUnavailable)
			}
		}
	}
	values := func(name string) []string { return append(header.Get(name), trailer.Get(name)...) }
	return reply{outcome: outcome, ok: expected(&c.Expect, outcome, values, searched)}
}

// bytesCodec passes messages on as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("message is a %T, not bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(message)}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*mem.BufferSlice)
	if !ok {
		return fmt.Errorf("message is for a %T, not bytes", v)
	}
	data.Ref()
	*message = data
	return nil
}
