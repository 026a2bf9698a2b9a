package loadgen

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/reflection"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/serin-dev/serin/measure"
)

// listener counts its connections and can break them.
type listener struct {
	net.Listener
	mu       sync.Mutex // guards the rest
	accepted int
	open     []net.Conn
}

func listen(t testing.TB, network, address string) *listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return &listener{Listener: l}
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	l.open = append(l.open, conn)
	return conn, nil
}

// reset breaks all connections, so that the client's side is reset.
func (l *listener) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.open {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	l.open = nil
}

func (l *listener) connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// serve serves on l until stop, or the end of the test.
func serve(t testing.TB, l net.Listener, s *grpc.Server) (stop func()) {
	t.Helper()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(l) })
	stop = func() {
		s.Stop()
		wg.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// startSender returns a sender of the client that Run would use.
func startSender(t testing.TB, plan Plan, target Target) sender {
	t.Helper()
	plan = plan.withDefaults()
	c, err := newClient(&plan, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c.sender(t.Context())
}

// A client that goes on connecting while nobody sends would be a load of its
// own on a target that is down.
func TestGRPCConnectsForRequestsOnly(t *testing.T) {
	connected := make(chan struct{}, 100)
	url := acceptAll(t, func(net.Conn) {
		select {
		case connected <- struct{}{}:
		default:
		}
	})
	s := startSender(t, Plan{}, Target{URL: "grpc" + strings.TrimPrefix(url, "http")})
	for range 3 {
		if got := s.send(0, nil); got.outcome != measure.Reset {
			t.Errorf("outcome = %v, want reset", got.outcome)
		}
		<-connected
	}
	select {
	case <-connected:
		t.Error("connected, and nobody sends")
	case <-time.After(100 * time.Millisecond):
	}
}

// Whoever sends first to a server that is back has its answer, not the error of
// the request before.
func TestGRPCFirstRequestToAServerThatIsBack(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	address := l.Addr().String()
	s := startSender(t, Plan{}, Target{URL: "grpc://" + address})
	for i := range 20 {
		stop := serve(t, l, grpc.NewServer())
		if got := s.send(0, nil); got.outcome != measure.Status(200) {
			t.Errorf("start %d: %v, want 200", i, got.outcome)
		}
		stop()
		// The first may find out that the connection has broken.
		if got := s.send(0, nil); got.outcome != measure.Connect && got.outcome != measure.Reset {
			t.Errorf("stop %d: %v, want connect or reset", i, got.outcome)
		}
		if got := s.send(0, nil); got.outcome != measure.Connect {
			t.Errorf("stop %d: %v, want connect", i, got.outcome)
		}
		again, err := net.Listen("tcp", address)
		if err != nil {
			t.Skip("the port was taken meanwhile: ", err)
		}
		l = &listener{Listener: again}
	}
	_ = l.Close()
}

// slow answers calls when it is told to, and says when there is one.
type slow struct {
	grpc_testing.UnimplementedTestServiceServer
	called, answer chan struct{}
}

func newSlow() slow { return slow{called: make(chan struct{}, 10), answer: make(chan struct{})} }

func (s slow) UnaryCall(ctx context.Context, _ *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	s.called <- struct{}{}
	select {
	case <-s.answer:
	case <-ctx.Done():
	}
	return new(grpc_testing.SimpleResponse), nil
}

// A server that shuts down answers the calls that it has. That others cannot
// connect any more is nothing to them.
func TestGRPCCallsOutliveTheirServersListener(t *testing.T) {
	l, slow, server := listen(t, "tcp", "127.0.0.1:0"), newSlow(), grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, slow)
	serve(t, l, server)
	plan := Plan{Descriptors: testService(), Requests: grpcRequest(unaryCall, "", Expectation{})}
	s := startSender(t, plan, Target{URL: "grpc://" + l.Addr().String()})
	first, stopped := make(chan reply), make(chan struct{})
	go func() { first <- s.send(0, nil) }()
	<-slow.called
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()
	// Until the client knows, its calls get through to the server, which may
	// refuse them; then there is nobody to connect to.
	refused := 0
	for end := time.Now().Add(10 * time.Second); refused < 3 && time.Now().Before(end); {
		select {
		case got := <-first:
			t.Fatalf("the first call ended with the listener: %v", got.outcome)
		default:
		}
		if got := probe(s); got == measure.Connect {
			refused++
		}
	}
	close(slow.answer)
	if got := <-first; got.outcome != measure.Status(200) || refused != 3 {
		t.Errorf("outcome = %v, want 200, after %d of 3 others were refused", got.outcome, refused)
	}
	<-stopped
}

// probe sends what no server answers for long.
func probe(s sender) measure.Outcome {
	g := s.(*grpcSender)
	ctx, cancel := context.WithTimeout(g.ctx, 50*time.Millisecond)
	defer cancel()
	return (&grpcSender{grpcClient: g.grpcClient, ctx: ctx}).send(0, nil).outcome
}

// Requests that wait for the server to have fewer of them stay on their
// connection.
func TestGRPCKeepsToTheServersNumberOfStreams(t *testing.T) {
	l, slow, server := listen(t, "tcp", "127.0.0.1:0"), newSlow(), grpc.NewServer(grpc.MaxConcurrentStreams(1))
	grpc_testing.RegisterTestServiceServer(server, slow)
	serve(t, l, server)
	plan := Plan{Timeout: 20 * time.Second, Descriptors: testService(), Requests: grpcRequest(unaryCall, "", Expectation{})}
	s := startSender(t, plan, Target{URL: "grpc://" + l.Addr().String()})
	first := make(chan reply)
	go func() { first <- s.send(0, nil) }()
	<-slow.called
	for range 3 {
		if got := probe(s); got != measure.Timeout {
			t.Errorf("waiting: %v, want timeout", got)
		}
	}
	close(slow.answer)
	if got := <-first; got.outcome != measure.Status(200) || l.connections() != 1 {
		t.Errorf("outcome = %v on %d connections, want 200 on one", got.outcome, l.connections())
	}
}

// What stands before a server may answer in HTTP, and in HTTP/2 calls break
// without their connection.
func TestGRPCAnswersThatAreNoGRPC(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   measure.Outcome
	}{
		"no upstream":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "none", http.StatusServiceUnavailable) }, measure.Status(503)},
		"bad upstream": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, measure.Status(502)},
		"too many":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, measure.Status(429)},
		"no route":     {http.NotFound, measure.Status(404)},
		"a web page":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, measure.Protocol},
		"broken off":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, measure.Reset},
		"broken off within": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, measure.Truncated},
		"the server's own word": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "14")
		}, measure.Status(503)},
	} {
		server := httptest.NewUnstartedServer(tc.answer)
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
		got := sendOnce(t, Plan{}, Target{URL: "grpc" + strings.TrimPrefix(server.URL, "http")})
		server.Close()
		if got.outcome != tc.want {
			t.Errorf("%s: %v, want %v", name, got.outcome, tc.want)
		}
	}
}

// breaking answers each call by breaking its connection.
type breaking struct {
	grpc_testing.UnimplementedTestServiceServer
	*listener
}

func (b breaking) UnaryCall(context.Context, *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	b.reset()
	return new(grpc_testing.SimpleResponse), nil
}

// How asking for the method went says nothing of the call that follows.
func TestGRPCResetAfterReflection(t *testing.T) {
	for name, register := range map[string]func(*grpc.Server){
		"v1": func(s *grpc.Server) { reflection.RegisterV1(s) },
		"v1alpha": func(s *grpc.Server) {
			reflectionv1alpha.RegisterServerReflectionServer(s, reflection.NewServer(reflection.ServerOptions{Services: s}))
		},
	} {
		l, server := listen(t, "tcp", "127.0.0.1:0"), grpc.NewServer()
		grpc_testing.RegisterTestServiceServer(server, breaking{listener: l})
		register(server)
		serve(t, l, server)
		s := startSender(t, Plan{Requests: grpcRequest(unaryCall, "", Expectation{})}, Target{URL: "grpc://" + l.Addr().String()})
		for range 2 {
			if got := s.send(0, nil); got.outcome != measure.Reset {
				t.Errorf("%s: %v, want reset", name, got.outcome)
			}
		}
	}
}

// Senders that wait for another to learn the method have their own timeouts.
func TestGRPCFirstSendsWaitWithinTheirTimeout(t *testing.T) {
	const timeout = 200 * time.Millisecond
	url := acceptAll(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	plan := Plan{Timeout: timeout, Requests: grpcRequest(unaryCall, "", Expectation{})}
	s := startSender(t, plan, Target{URL: "grpc" + strings.TrimPrefix(url, "http")}).(*grpcSender)
	s.resolving <- struct{}{} // by somebody who has more time
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := s.send(0, nil); got.outcome != measure.Timeout {
				t.Errorf("outcome = %v, want timeout", got.outcome)
			}
		})
	}
	wg.Wait() // for ever, if they did not
	<-s.resolving
}

// All of the first sends learn the method from the one that asks.
func TestGRPCConcurrentFirstSends(t *testing.T) {
	url, _ := grpcServer(t, true)
	s := startSender(t, Plan{Timeout: 20 * time.Second, Requests: grpcRequest(unaryCall, "", Expectation{})}, Target{URL: url})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { check(t, "first", s.send(0, nil), measure.Status(200)) })
	}
	wg.Wait()
}

func TestGRPCOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	serve(t, listen(t, "unix", path), grpc.NewServer())
	check(t, "unix", sendOnce(t, Plan{}, Target{URL: "grpc://podinfo.test", ConnectTo: "unix:" + path}), measure.Status(200))
}

func TestGRPCMetadataThatCannotBeSent(t *testing.T) {
	for name, tc := range map[string]struct {
		header http.Header
		want   string
	}{
		"of the connection": {http.Header{"Connection": {"close"}}, `"connection" cannot be metadata`},
		"control character": {http.Header{"X-Test": {"ok", "a\x01"}}, `"x-test" has a value with more than printable ASCII`},
		"not ASCII":         {http.Header{"X-Test": {"é"}}, `"x-test" has a value with more than printable ASCII`},
		"binary, as named":  {http.Header{"X-Test-Bin": {"\x00\xff"}}, ""},
	} {
		plan := Plan{Requests: []Request{{Header: tc.header}}}.withDefaults()
		c, err := newClient(&plan, Target{URL: "grpc://podinfo.test"})
		switch {
		case err == nil && tc.want != "":
			t.Errorf("%s: no error, want one with %q", name, tc.want)
		case err != nil && (tc.want == "" || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v, want an error with %q", name, err, tc.want)
		}
		if err == nil {
			c.close()
		}
	}
}

// BenchmarkGRPC is one call after the other. The server is in the same process:
// most of what is allocated is its.
func BenchmarkGRPC(b *testing.B) {
	l, server := listen(b, "tcp", "127.0.0.1:0"), grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, echo{})
	serve(b, l, server)
	s := startSender(b, Plan{Descriptors: testService(), Requests: grpcRequest(unaryCall, "", Expectation{})}, Target{URL: "grpc://" + l.Addr().String()})
	b.ReportAllocs()
	for b.Loop() {
		if got := s.send(0, nil); !got.ok {
			b.Fatalf("outcome %v", got.outcome)
		}
	}
}
