package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/mux"
	"k8s.io/apimachinery/pkg/types"
)

// outstanding is how much a server has in hand, and the most that it had.
type outstanding struct {
	now, most atomic.Int64
}

func (o *outstanding) add(n int64) {
	now := o.now.Add(n)
	for most := o.most.Load(); now > most && !o.most.CompareAndSwap(most, now); {
		most = o.most.Load()
	}
}

// stalled is a body whose last byte comes when the rest is let go.
type stalled struct {
	*outstanding
	left int
	rest <-chan struct{}
}

func (s *stalled) Read(p []byte) (int, error) {
	n := min(len(p), s.left)
	if n == 0 {
		<-s.rest
		return 0, io.EOF
	}
	s.left -= n
	s.add(int64(n))
	return n, nil
}

// readsAll is a contract that reads bodies.
func (s *tested) readsAll() {
	s.Contract = func(router *mux.Router, handle func(func(http.ResponseWriter, *http.Request) error) http.Handler) {
		router.Handle("/", handle(func(w http.ResponseWriter, r *http.Request) error {
			if _, err := io.ReadAll(r.Body); err != nil {
				return err
			}
			return respond(w, http.StatusOK, "read")
		})).Methods(http.MethodPost)
	}
}

// Two hundred and fifty clients with a large body each, whether they say how large
// it is or not, are read as many at a time as there is room for. The others are
// told to come back, in bounded time.
func TestBodiesTogetherAreBounded(t *testing.T) {
	for _, says := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			s.readsAll()
			handler := s.Handler()
			var asked outstanding
			rest := make(chan struct{})
			answers := make(chan *httptest.ResponseRecorder, 250)
			for i := range cap(answers) {
				r := outside("POST", "/", "")
				r.RemoteAddr = fmt.Sprintf("10.9.%d.9:4711", i)
				r.Body, r.ContentLength = io.NopCloser(&stalled{&asked, maxBody, rest}), maxBody
				if !says {
					r.ContentLength = -1
				}
				go func() {
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					answers <- w
				}()
			}
			time.Sleep(patience + time.Second) //nolint:forbidigo // bubble time
			synctest.Wait()
			if most := asked.most.Load(); most > bodyBudget || most < bodyBudget/2 {
				t.Errorf("%d bytes were read at once, want %d at most", most, bodyBudget)
			}
			if n := len(answers); n != 250-bodyBudget/maxBody {
				t.Errorf("%d were answered while the others were being read", n)
			}
			for range len(answers) {
				if w := <-answers; w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "try again") {
					t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
				}
			}
			close(rest)
			synctest.Wait()
			for range len(answers) {
				if w := <-answers; w.Code != http.StatusOK {
					t.Errorf("%d %s, of what there was room for", w.Code, w.Body)
				}
			}
			if s.limits().bodies.held != 0 || len(s.limits().bodies.by) != 0 {
				t.Errorf("%d bytes are still held", s.limits().bodies.held)
			}
		})
	}
}

// Who sends slowly, from one address, leaves the most of the room to others.
func TestOneClientDoesNotTakeTheRoomOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.readsAll()
		handler := s.Handler()
		var asked outstanding
		rest := make(chan struct{})
		defer close(rest)
		for range 100 {
			r := outside("POST", "/", "")
			r.Body, r.ContentLength = io.NopCloser(&stalled{&asked, maxBody, rest}), maxBody
			go handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		synctest.Wait()
		other := outside("POST", "/", strings.Repeat("x", maxBody))
		other.RemoteAddr = "10.9.9.10:4711"
		begin := time.Now()
		if w := s.ask(other); w.Code != http.StatusOK || time.Since(begin) > 0 {
			t.Errorf("%d %s after %v", w.Code, w.Body, time.Since(begin))
		}
	})
}

// What is refused for want of a token, or for its size, is not read.
func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	s := newServer(t)
	fault := `{"namespace": "test", "name": "podinfo", "reset": true}`
	for name, tc := range map[string]struct {
		path, authorization string
		length              int64
		status              int
	}{
		"a fault without a token":         {"/api/v1/faults", "", int64(len(fault)), 401},
		"a fault with an unknown token":   {"/api/v1/faults", "Bearer bad", int64(len(fault)), 401},
		"a command without a token":       {"/api/v1/canaries/test/podinfo/abort", "", 10, 401},
		"a fault that says it is large":   {"/api/v1/faults", "Bearer good", maxBody + 1, 413},
		"a body for what answers no POST": {"/healthz", "", 10, 405},
	} {
		r := outside("POST", tc.path, "")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", tc.authorization)
		if tc.authorization == "" {
			r.Header.Del("Authorization")
		}
		var asked outstanding
		rest := make(chan struct{})
		close(rest)
		r.Body, r.ContentLength = io.NopCloser(&stalled{&asked, 100, rest}), tc.length
		if w := s.ask(r); w.Code != tc.status || asked.most.Load() > 0 {
			t.Errorf("%s: %d %s, and %d bytes were read", name, w.Code, w.Body, asked.most.Load())
		}
	}
}

// pipes is a listener of connections that hold nothing: what is written is read at
// that moment, or waits.
type pipes struct {
	coming   chan net.Conn
	end      context.Context
	narrowed *atomic.Int64
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.coming:
		return c, nil
	case <-p.end.Done():
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 8080} }

// dial returns a client's end.
func (p pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.coming <- pipe{server, p.narrowed}
	return client
}

type pipe struct {
	net.Conn
	narrowed *atomic.Int64
}

func (p pipe) SetWriteBuffer(n int) error { p.narrowed.Add(int64(n)); return nil }

// large is a shelf with one large report, which counts what is read of it and how
// many of it are open.
type large struct {
	shelf
	size int
	read atomic.Int64
	open outstanding
}

func (l *large) Open(context.Context, types.NamespacedName, string) (io.ReadCloser, error) {
	l.open.add(1)
	return &largePage{large: l, left: l.size}, nil
}

type largePage struct {
	*large
	left   int
	closed sync.Once
}

func (p *largePage) Read(b []byte) (int, error) {
	n := min(len(b), p.left)
	if n == 0 {
		return 0, io.EOF
	}
	p.left -= n
	p.read.Add(int64(n))
	return n, nil
}

func (p *largePage) Close() error {
	p.closed.Do(func() { p.open.add(-1) })
	return nil
}

// servePipes runs a server in a bubble.
func servePipes(t *testing.T, s *tested) pipes {
	ctx, cancel := context.WithCancel(context.Background())
	p := pipes{make(chan net.Conn), ctx, new(atomic.Int64)}
	s.Listener = p
	done := make(chan error, 1)
	go func() { done <- s.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Start returned %v after its context had ended", err)
		}
	})
	return p
}

const keptReport = "/api/v1/canaries/test/podinfo/reports/x"

// A client that does not read, whatever it has asked for, is dropped.
func TestClientsThatDoNotReadAreDropped(t *testing.T) {
	for _, path := range []string{"/", "/healthz", "/metrics", "/live", "/canaries/test/podinfo/live", "/api/v1/canaries/test/podinfo/stream", "/api/v1/canaries/test/podinfo/report", keptReport, "/nowhere"} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			kept := &large{size: 16 << 20}
			s.Reports = kept
			p := servePipes(t, s)
			client := p.dial()
			if _, err := fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: serin.test\r\n\r\n", path); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * writeTimeout) //nolint:forbidigo // bubble time
			synctest.Wait()
			// It is closed if nothing but what was written at once is there to be read.
			_ = client.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := io.Copy(io.Discard, client); err != nil {
				t.Errorf("%s: the connection is still open: %v", path, err)
			}
			if p.narrowed.Load() != sendBuffer {
				t.Errorf("the kernel may keep %d bytes", p.narrowed.Load())
			}
			if kept.open.now.Load() != 0 || s.limits().answers.held != 0 || s.streams.Load() != 0 {
				t.Errorf("%s: something is still held for it", path)
			}
			_ = client.Close()
		})
	}
}

// A body whose chunks are mostly extensions ends before it costs much. All of it is
// sent, so that only the bound tells it from a body that is taken.
func TestChunkExtensionsOfBodiesAreBounded(t *testing.T) {
	for name, body := range map[string]string{
		"one extension":   "1;" + strings.Repeat("x", 1<<20) + "\r\nx\r\n",
		"many extensions": strings.Repeat("1;"+strings.Repeat("x", 3000)+"\r\nx\r\n", 300),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			s.readsAll()
			client := servePipes(t, s).dial()
			defer func() { _ = client.Close() }()
			go func() {
				_, _ = io.WriteString(client, "POST / HTTP/1.1\r\nHost: serin.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"+body+"0\r\n\r\n") // as far as it is read
			}()
			answer, _ := io.ReadAll(client) // to the end, however it ends
			if strings.Contains(string(answer), " 200 ") || len(answer) == 0 {
				t.Errorf("%s: %q", name, answer)
			}
		})
	}
}

// Who reads a stream keeps it, for an hour; then a browser begins another.
func TestStreamsLastAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		client := servePipes(t, s).dial()
		defer func() { _ = client.Close() }()
		begin := time.Now()
		if _, err := io.WriteString(client, "GET /live HTTP/1.1\r\nHost: serin.test\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, client); err != nil {
			t.Error(err)
		}
		if lasted := time.Since(begin); lasted < streamTime || lasted > streamTime+10*beat {
			t.Errorf("it lasted %v", lasted)
		}
	})
}

// Forty slow readers of a report hold a piece each, of as many as there is room
// for. The others are told to come back.
func TestSlowReadersOfReportsHoldLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		kept := &large{size: 27 << 20}
		s.Reports = kept
		handler := s.Handler()
		answers := make(chan int, 40)
		slow := make(chan struct{})
		for i := range cap(answers) {
			r := outside("GET", keptReport, "")
			r.RemoteAddr = fmt.Sprintf("10.9.%d.9:4711", i)
			go func() {
				w := &slowRecorder{ResponseRecorder: httptest.NewRecorder(), slow: slow}
				defer func() {
					_ = recover() // the connection breaks
					answers <- w.Code
				}()
				handler.ServeHTTP(w, r)
			}()
		}
		time.Sleep(patience + time.Second) //nolint:forbidigo // bubble time
		synctest.Wait()
		const room = answerBudget / reportWeight
		if kept.open.most.Load() > room || kept.read.Load() > room*pieceSize {
			t.Errorf("%d reports are open and %d bytes were read", kept.open.most.Load(), kept.read.Load())
		}
		if len(answers) != 40-room {
			t.Errorf("%d were answered", len(answers))
		}
		for range len(answers) {
			if status := <-answers; status != http.StatusServiceUnavailable {
				t.Errorf("status %d", status)
			}
		}
		close(slow)
		synctest.Wait()
		if kept.open.now.Load() != 0 || s.limits().answers.held != 0 {
			t.Errorf("%d are still open", kept.open.now.Load())
		}
	})
}

// slowRecorder takes nothing of a page until it is told to, and then breaks.
type slowRecorder struct {
	*httptest.ResponseRecorder
	slow <-chan struct{}
}

func (s *slowRecorder) Write(p []byte) (int, error) {
	if s.Code != http.StatusOK {
		return s.ResponseRecorder.Write(p)
	}
	<-s.slow
	return 0, errors.New("the client is gone")
}

// Those who ask for the report of a rollout that runs share one.
func TestReadersShareTheReportOfARollout(t *testing.T) {
	s := newServer(t)
	first, err := s.freshReport(s.cluster.canaries[0])
	if err != nil || len(first) == 0 {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	again, err := s.freshReport(s.cluster.canaries[0])
	if err != nil || &first[0] != &again[0] {
		t.Errorf("two were made in the same moment: %v", err)
	}
}
