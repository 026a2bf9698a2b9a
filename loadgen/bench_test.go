package loadgen

import (
	"bufio"
	"net"
	"net/http"
	"testing"

	"github.com/serin-dev/serin/measure"
)

// BenchmarkHTTP1 is one request after the other on one connection. The server
// is in the same process, and allocates nothing either.
func BenchmarkHTTP1(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world!")
		for r := bufio.NewReader(conn); ; {
			for line := []byte(nil); len(line) != len("\r\n"); { // to the empty line
				if line, err = r.ReadSlice('\n'); err != nil {
					return
				}
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}()
	plan := Plan{Closed: true, Connections: 1, Requests: []Request{{Method: http.MethodGet}}}.withDefaults()
	r, err := newRun(&plan, Target{URL: "http://" + l.Addr().String(), Recorder: measure.NewRecorder()})
	if err != nil {
		b.Fatal(err)
	}
	w := r.newWorker(b.Context())
	b.ReportAllocs()
	for b.Loop() {
		w.send(b.Context(), job{})
	}
	b.StopTimer()
	w.close()
	<-ended
	if got := r.target.Recorder.Take(); got.Failures > 0 {
		b.Fatalf("outcomes %v", got.Outcomes)
	}
}
