package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// server is what the load goes to.
type server struct {
	name, url string
	stop      func()
}

const nginxConfig = `worker_processes 1;
daemon off;
pid %[1]s/pid;
error_log %[1]s/errors;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server { listen %[2]s; location / { return 200 "hello world!"; } }
}
`

// startServer starts nginx with one worker and a body of 12 bytes, or, where
// there is none, a server of Go's.
func (b *bench) startServer(ctx context.Context) (*server, error) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx" // where Debian has it, which is not on every PATH
	}
	if _, err := os.Stat(nginx); err != nil {
		b.printf("nginx is not on the PATH: a Go server in this process stands in for it.\n\n")
		return goServer()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	_ = l.Close() // for nginx to take
	config := filepath.Join(b.dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, b.dir, address), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, nginx, "-c", config)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{name: "nginx with one worker", url: "http://" + address + "/", stop: func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // killed by a signal
	}}
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return s, nil
		}
		if time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("nginx does not listen: %w", err)
		}
	}
}

func goServer() (*server, error) {
	return serve("a Go server", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("hello world!"))
	}))
}

// serve runs a server in this process.
func serve(name string, handler http.Handler) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l) // until it is closed
	}()
	return &server{name: name, url: "http://" + l.Addr().String() + "/", stop: func() {
		_ = s.Close()
		<-ended
	}}, nil
}
