package loadgen

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/serin-dev/serin/measure"
)

// echo answers unary calls with their payload, or with the status asked for.
type echo struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (echo) UnaryCall(ctx context.Context, r *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	if s := r.GetResponseStatus(); s.GetCode() != 0 {
		return nil, status.Error(codes.Code(s.GetCode()), s.GetMessage())
	}
	if r.GetFillUsername() { // never answers
		<-ctx.Done()
		return nil, ctx.Err()
	}
	md, _ := metadata.FromIncomingContext(ctx)
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-served-by", "echo"))
	seen := strings.Join(append(md.Get("x-test"), md.Get(":authority")...), " ") + " " + strings.Join(md.Get("user-agent"), " ")
	return &grpc_testing.SimpleResponse{Payload: r.GetPayload(), Username: seen}, nil
}

// grpcServer serves what every test here needs.
func grpcServer(t *testing.T, withReflection bool, options ...grpc.ServerOption) (url string, checks *health.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	checks = health.NewServer()
	grpc_health_v1.RegisterHealthServer(s, checks)
	grpc_testing.RegisterTestServiceServer(s, echo{})
	if withReflection {
		reflection.Register(s)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l) // until it is stopped
	}()
	t.Cleanup(func() {
		s.Stop()
		<-ended
	})
	return "grpc://" + l.Addr().String(), checks
}

const unaryCall = "/grpc.testing.TestService/UnaryCall"

// testService describes the service, as protoc would.
func testService() *descriptorpb.FileDescriptorSet {
	set := new(descriptorpb.FileDescriptorSet)
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i))
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(grpc_testing.File_grpc_testing_test_proto)
	seen := map[string]bool{}
	unique := set.File[:0]
	for _, f := range set.File {
		if !seen[f.GetName()] {
			seen[f.GetName()] = true
			unique = append(unique, f)
		}
	}
	set.File = unique
	return set
}

func grpcRequest(path, body string, e Expectation) []Request {
	return []Request{{Path: path, Body: []byte(body), Expect: e}}
}

func TestGRPCHealthCheck(t *testing.T) {
	url, checks := grpcServer(t, false)
	serving, not := grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING
	checks.SetServingStatus("good", serving)
	checks.SetServingStatus("bad", not)
	for _, tc := range []struct {
		name, path, body string
		want             measure.Outcome
	}{
		{"of the server", "/", "", measure.Status(200)},
		{"by its name", healthCheck, `{}`, measure.Status(200)},
		{"of a service", "/", `{"service": "good"}`, measure.Status(200)},
		{"of a service that is not well", "/", `{"service": "bad"}`, measure.Status(503)},
		{"of a service that is not there", "/", `{"service": "other"}`, measure.Status(404)},
	} {
		plan := Plan{Requests: grpcRequest(tc.path, tc.body, Expectation{Status: []StatusRange{{200, 200}}})}
		check(t, tc.name, sendOnce(t, plan, Target{URL: url}), tc.want)
	}
}

func TestGRPCMethods(t *testing.T) {
	for _, tc := range []struct {
		name        string
		reflection  bool
		descriptors *descriptorpb.FileDescriptorSet
	}{{"by reflection", true, nil}, {"by descriptors", false, testService()}} {
		url, _ := grpcServer(t, tc.reflection)
		request := Request{
			Path: unaryCall, Body: []byte(`{"payload": {"body": "aGVsbG8="}}`),
			Header: http.Header{"X-Test": {"one"}},
			Expect: Expectation{BodyContains: "aGVsbG8=", Header: map[string]string{"x-served-by": "echo"}},
		}
		plan := Plan{Descriptors: tc.descriptors, Requests: []Request{request}}
		target := Target{URL: url, Host: "podinfo.test", ConnectTo: strings.TrimPrefix(url, "grpc://")}
		check(t, tc.name, sendOnce(t, plan, target), measure.Status(200))
		plan.Requests[0].Expect = Expectation{BodyContains: "one podinfo.test serin"}
		check(t, tc.name+": metadata", sendOnce(t, plan, target), measure.Status(200))
	}
}

// Many senders begin at once, and share what the server is asked and the
// connection.
func TestGRPCRun(t *testing.T) {
	url, _ := grpcServer(t, true)
	rec := measure.NewRecorder()
	plan := Plan{Closed: true, Connections: 20, MaxRequests: 400, Requests: grpcRequest(unaryCall, `{"payload":{"body":"eA=="}}`, Expectation{})}
	if err := Run(t.Context(), plan, Target{URL: url, Recorder: rec}); err != nil {
		t.Fatal(err)
	}
	if got := rec.Take(); got.Outcomes[measure.Status(200)] != 400 {
		t.Errorf("outcomes %v", got.Outcomes)
	}
}

func TestGRPCCodes(t *testing.T) {
	url, _ := grpcServer(t, true)
	for code, want := range httpStatus {
		request := grpcRequest(unaryCall, fmt.Sprintf(`{"responseStatus": {"code": %d, "message": "asked for"}}`, code), Expectation{})
		got := sendOnce(t, Plan{Requests: request}, Target{URL: url})
		if got.outcome != measure.Status(want) {
			t.Errorf("%v: %v, want %d", code, got.outcome, want)
		}
	}
}

func TestGRPCFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	url, _ := grpcServer(t, true)
	asGRPC := func(s string) string { return "grpc" + strings.TrimPrefix(s, "http") }
	for _, tc := range []struct {
		name, url, path, body string
		want                  measure.Outcome
	}{
		{"nobody listens", "grpc://" + closed.Addr().String(), "/", "", measure.Connect},
		{"unknown name", "grpc://no-such-host.invalid", "/", "", measure.DNS},
		{"closes at once", asGRPC(acceptAll(t, func(net.Conn) {})), "/", "", measure.Reset},
		{"speaks HTTP/1.1", asGRPC(acceptAll(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		})), "/", "", measure.Protocol},
		{"says nothing", asGRPC(acceptAll(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })), "/", "", measure.Timeout},
		{"never answers", url, unaryCall, `{"fillUsername": true}`, measure.Timeout},
		{"no TLS there", "grpcs" + strings.TrimPrefix(url, "grpc"), "/", "", measure.TLS},
	} {
		timeout := 20 * time.Second
		if tc.want == measure.Timeout {
			timeout = 200 * time.Millisecond
		}
		got := sendOnce(t, Plan{Timeout: timeout, Requests: grpcRequest(tc.path, tc.body, Expectation{})}, Target{URL: tc.url})
		if got.outcome != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got.outcome, tc.want)
		}
	}
}

func TestGRPCOverTLS(t *testing.T) {
	server, pool := startTLS(t, func(*httptest.Server) {})
	url, _ := grpcServer(t, false, grpc.Creds(credentials.NewServerTLSFromCert(&server.TLS.Certificates[0])))
	secure := Target{URL: "grpcs://example.com", ConnectTo: strings.TrimPrefix(url, "grpc://")}
	check(t, "trusted", sendOnce(t, Plan{TLS: &tls.Config{RootCAs: pool}}, secure), measure.Status(200))
	check(t, "unknown authority", sendOnce(t, Plan{}, secure), measure.TLS)
}

func TestGRPCRequestsThatMakeNoSense(t *testing.T) {
	url, _ := grpcServer(t, true)
	silent, _ := grpcServer(t, false)
	for _, tc := range []struct {
		name, url   string
		descriptors *descriptorpb.FileDescriptorSet
		request     Request
		want        string
	}{
		{"no method", url, nil, Request{Path: "/just/a/path"}, "must be /package.Service/Method"},
		{"unknown service", url, nil, Request{Path: "/no.Service/Method"}, "no.Service"},
		{"unknown method", url, nil, Request{Path: "/grpc.testing.TestService/Other"}, "has no method Other"},
		{"not a service", url, nil, Request{Path: "/grpc.testing.SimpleRequest/Other"}, "not a gRPC service"},
		{"a stream", url, nil, Request{Path: "/grpc.testing.TestService/FullDuplexCall"}, "only unary methods"},
		{"a stream, described", url, testService(), Request{Path: "/grpc.testing.TestService/FullDuplexCall"}, "only unary methods"},
		{"wrong message", url, nil, Request{Path: unaryCall, Body: []byte(`{"other": 1}`)}, "is not a grpc.testing.SimpleRequest in JSON"},
		{"wrong message, described", url, testService(), Request{Path: unaryCall, Body: []byte(`{`)}, "is not a grpc.testing.SimpleRequest in JSON"},
		{"wrong check", url, nil, Request{Body: []byte(`[]`)}, "is not a grpc.health.v1.HealthCheckRequest in JSON"},
		{"no reflection", silent, nil, Request{Path: unaryCall}, "give a descriptor set"},
		{"reserved header", url, nil, Request{Header: http.Header{"Grpc-Timeout": {"1S"}}}, "cannot be metadata"},
	} {
		plan := Plan{Closed: true, Connections: 1, MaxRequests: 1, Descriptors: tc.descriptors, Requests: []Request{tc.request}}
		err := Run(t.Context(), plan, Target{URL: tc.url, Recorder: measure.NewRecorder()})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an error with %q", tc.name, err, tc.want)
		}
	}
}

// A server that is gone is tried again with the next request.
func TestGRPCServerThatComesBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	plan := Plan{}.withDefaults()
	c, err := newClient(&plan, Target{URL: "grpc://" + address})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	s := c.sender(t.Context())
	defer s.close()
	if got := s.send(0, nil); got.outcome != measure.Connect {
		t.Errorf("before: %v, want connect", got.outcome)
	}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Skip("the port was taken meanwhile: ", err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	var got reply
	// grpc-go waits a millisecond between its attempts.
	for end := time.Now().Add(10 * time.Second); !got.ok && time.Now().Before(end); {
		got = s.send(0, nil)
	}
	if got.outcome != measure.Status(200) {
		t.Errorf("after: %v, want 200", got.outcome)
	}
	server.Stop()
	<-ended
}
