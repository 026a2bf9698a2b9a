package loadgen

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
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
	conn     *grpc.ClientConn

	resolving sync.Mutex  // held while the calls are made
	calls     []*grpcCall // by request; nil where its method is not known yet

	mu         sync.Mutex // guards connectErr
	connectErr error      // why the last attempt to connect failed
}

// grpcCall is a request, ready to be sent.
type grpcCall struct {
	*Request
	method   grpcMethod
	message  []byte
	metadata metadata.MD
}

func newGRPCClient(plan *Plan, e endpoint) (*grpcClient, error) {
	c := &grpcClient{plan: plan, endpoint: e, calls: make([]*grpcCall, len(plan.Requests))}
	for i := range plan.Requests {
		if err := c.prepare(i); err != nil {
			return nil, fmt.Errorf("requests[%d]: %w", i, err)
		}
	}
	conn, err := grpc.NewClient("passthrough:///"+e.host,
		grpc.WithAuthority(e.host),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := e.dial(ctx)
			c.noteConnect(err)
			return conn, err
		}),
		grpc.WithTransportCredentials(c.credentials()),
		grpc.WithUserAgent(orDefault(plan.Requests[0].Header.Get("User-Agent"), userAgent)),
		grpc.WithStatsHandler(progressHandler{}),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithNoProxy(), grpc.WithIdleTimeout(0),
		// Each request may try to connect: a server that is back is to be
		// found out at once.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond},
			MinConnectTimeout: min(plan.Timeout, time.Minute) + time.Second, // the request's own comes first
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, err
	}
	c.conn = conn
	return c, nil
}

func (c *grpcClient) close() { _ = c.conn.Close() } // closing it twice is its only error

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
	c.calls[i], err = newCall(r, method)
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

// callMetadata are a request's headers, by gRPC's rules for their names.
func callMetadata(header http.Header) (metadata.MD, error) {
	md := make(metadata.MD, len(header))
	for name, values := range header {
		name = strings.ToLower(name)
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || name == "" || strings.HasPrefix(name, "grpc-") {
			return nil, fmt.Errorf("header %q cannot be metadata of a gRPC call", name)
		}
		if name != "user-agent" && name != "content-type" && name != "te" { // gRPC's own
			md[name] = values
		}
	}
	return md, nil
}

// resolve asks the server for the methods that are not known yet. A server
// that is not there is no error: it may be later.
func (c *grpcClient) resolve(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx, c.plan.deadline(time.Now()))
	defer cancel()
	for i := range c.calls {
		_, err := c.call(ctx, i)
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

// call returns request i, asking the server for its method where need be.
func (c *grpcClient) call(ctx context.Context, i int) (*grpcCall, error) {
	c.resolving.Lock()
	defer c.resolving.Unlock()
	if c.calls[i] != nil {
		return c.calls[i], nil
	}
	r := &c.plan.Requests[i]
	method, err := reflectMethod(ctx, c.conn, r.Path)
	if err != nil {
		return nil, err
	}
	c.calls[i], err = newCall(r, method)
	return c.calls[i], err
}

func (c *grpcClient) noteConnect(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connectErr = err
}

func (c *grpcClient) lastConnectErr() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connectErr
}

func (c *grpcClient) credentials() credentials.TransportCredentials {
	if !c.endpoint.secure() {
		return insecure.NewCredentials()
	}
	config := c.endpoint.tlsConfig(c.plan)
	name := config.ServerName
	config.ServerName = "" // grpc-go wants it to be the authority
	return notedTLS{credentials.NewTLS(config), c, name}
}

// notedTLS takes down why a handshake failed, of which grpc-go passes on the
// text alone, and may ask for another name than that of the authority.
type notedTLS struct {
	credentials.TransportCredentials
	client *grpcClient
	name   string
}

func (n notedTLS) ClientHandshake(ctx context.Context, _ string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := n.TransportCredentials.ClientHandshake(ctx, n.name, raw)
	if err != nil {
		n.client.noteConnect(handshakeError{err})
	}
	return conn, info, err
}

func (n notedTLS) Clone() credentials.TransportCredentials {
	return notedTLS{n.TransportCredentials.Clone(), n.client, n.name}
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
	call, err := s.call(ctx, i)
	if err != nil {
		return failed(s.outcome(ctx, err, progress))
	}
	var header, trailer metadata.MD
	var response mem.BufferSlice
	err = s.conn.Invoke(metadata.NewOutgoingContext(ctx, call.metadata), call.Path(), call.message, &response,
		grpc.ForceCodecV2(bytesCodec{}), grpc.Header(&header), grpc.Trailer(&trailer))
	defer response.Free()
	if err != nil {
		outcome := s.outcome(ctx, err, progress)
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
