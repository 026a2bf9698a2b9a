package load

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
)

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLSFlags(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		w.Header().Set("X-Name", r.TLS.ServerName)
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	authority := writePEM(t, "ca.pem", "CERTIFICATE", server.Certificate().Raw)
	client := []string{"-cert", writePEM(t, "cert.pem", "CERTIFICATE", server.Certificate().Raw), "-key", writePEM(t, "key.pem", "PRIVATE KEY", key)}
	for _, tc := range []struct {
		name string
		args []string
		ok   bool
	}{
		{"nobody is trusted unless said", nil, false},
		{"insecure", []string{"-insecure"}, true},
		{"an authority", []string{"-cacert", authority, "-expect", "header=X-Proto: HTTP/1.1"}, true},
		{"HTTP/2", []string{"-cacert", authority, "-h2", "-expect", "header=X-Proto: HTTP/2.0"}, true},
		{"another name", []string{"-cacert", authority, "-servername", "example.com", "-expect", "header=X-Name: example.com"}, true},
		{"the host's name", []string{"-cacert", authority, "-host", "example.com", "-expect", "header=X-Name: example.com"}, true},
		{"a wrong name", []string{"-cacert", authority, "-servername", "other.test"}, false},
	} {
		args := append(append([]string{"-n", "2", "-c", "1"}, client...), tc.args...)
		if _, err := run(t, append(args, server.URL)...); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestGRPCFromTheCommandLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	defer func() {
		server.Stop()
		<-ended
	}()
	set, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(grpc_health_v1.File_grpc_health_v1_health_proto),
	}})
	if err != nil {
		t.Fatal(err)
	}
	protoset := filepath.Join(t.TempDir(), "health.pb")
	if err := os.WriteFile(protoset, set, 0o600); err != nil {
		t.Fatal(err)
	}
	url := "grpc://" + l.Addr().String()
	for _, tc := range []struct {
		args []string
		want string // in the error; empty for none
	}{
		{[]string{url}, ""},
		{[]string{"-U", "mine", "-H", "X-Test: 1", url + "/grpc.health.v1.Health/Check"}, ""},
		{[]string{"-d", `{"service": "other"}`, "-expect", "status=404", url}, ""},
		{[]string{"-protoset", protoset, "-expect", "body=SERVING", url + "/grpc.health.v1.Health/Check"}, ""},
		{[]string{"-protoset", protoset, url + "/grpc.health.v1.Health/Watch"}, "only unary methods"},
		{[]string{url + "/other.Service/Method"}, "reflection"},
	} {
		_, err := run(t, append([]string{"-n", "4", "-c", "2"}, tc.args...)...)
		if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.args, err, tc.want)
		}
	}
}
