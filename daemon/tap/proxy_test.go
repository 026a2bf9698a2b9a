package tap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/measure"
)

const host = "canary-podinfo.test"

// tapped is a proxy in front of one workload, which has one host.
type tapped struct {
	*httptest.Server
	client   *http.Client
	recorded chan measure.Result
	wrap     func(hosts.Place, http.RoundTripper) http.RoundTripper
}

func newTapped(t testing.TB, workload http.HandlerFunc) *tapped {
	t.Helper()
	target := httptest.NewServer(workload)
	t.Cleanup(target.Close)
	p := &tapped{recorded: make(chan measure.Result, 1000)}
	proxy := New(Config{
		Find: func(_ context.Context, asked string) (hosts.Place, error) {
			if asked != host && asked != host+":8080" {
				return hosts.Place{}, fmt.Errorf("%w: %q is not", hosts.ErrUnknown, asked)
			}
			return hosts.Place{Side: v1beta1.SideCanary, Host: asked, Address: target.Listener.Addr().String()}, nil
		},
		Record: func(place hosts.Place, r measure.Result) {
			if place.Side != v1beta1.SideCanary {
				t.Errorf("recorded for %+v", place)
			}
			p.recorded <- r
		},
		Wrap: func(place hosts.Place, next http.RoundTripper) http.RoundTripper {
			if p.wrap != nil {
				return p.wrap(place, next)
			}
			return next
		},
		Log: slog.New(slog.DiscardHandler),
	})
	p.Server = httptest.NewServer(proxy)
	t.Cleanup(func() { p.Close(); proxy.Close() })
	at, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(at), DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	p.client = &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p
}

// answer is one that came whole.
type answer struct {
	status          int
	header, trailer http.Header
	body            string
}

// ask sends one request.
func (p *tapped) ask(t *testing.T, req *http.Request) (answer, error) {
	t.Helper()
	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{resp.StatusCode, resp.Header, resp.Trailer, string(body)}, nil
}

func get(t *testing.T, target string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestRequestsAreForwardedAndMeasured(t *testing.T) {
	p := newTapped(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Asked", fmt.Sprintf("%s %s %s %q %s", r.Method, r.Host, r.URL, body, r.Header.Get("User-Agent")))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+host+":8080/a%2Fb?q=1;2&x", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "curl/8")
	got, err := p.ask(t, req)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := got.header.Get("X-Asked"), `PUT `+host+`:8080 /a%2Fb?q=1;2&x "body" curl/8`; got != want {
		t.Errorf("the workload was asked %s, want %s", got, want)
	}
	if got.status != http.StatusTeapot || got.body != "short and stout" {
		t.Errorf("answer %+v", got)
	}
	r := <-p.recorded
	if r.Outcome != measure.Status(418) || !r.OK || r.Lag() != 0 || r.ResponseTime() <= 0 {
		t.Errorf("recorded %+v", r)
	}
}

func TestFailuresAreWhatTheyAre(t *testing.T) {
	p := newTapped(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/status/500":
			w.WriteHeader(http.StatusInternalServerError)
		case "/reset":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		case "/truncated":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "ten bytes.")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/nonsense":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "hello?\r\n\r\n")
				_ = conn.Close()
			}
		}
	})
	for path, want := range map[string]struct {
		outcome measure.Outcome
		status  int // that the client gets; 0 for an error
	}{
		"/":           {measure.Status(200), 200},
		"/status/500": {measure.Status(500), 500},
		"/reset":      {measure.Reset, 502},
		"/truncated":  {measure.Truncated, 0},
		"/nonsense":   {measure.Protocol, 502},
	} {
		if got, err := p.ask(t, get(t, "http://"+host+path)); got.status != want.status {
			t.Errorf("%s: the client gets %+v, %v; want %d", path, got, err, want.status)
		}
		if r := <-p.recorded; r.Outcome != want.outcome || r.OK == want.outcome.Failed() {
			t.Errorf("%s: recorded %+v, want %v", path, r, want.outcome)
		}
	}
}

// A connection that a fault resets is reset for the client too.
func TestResetIsPassedOn(t *testing.T) {
	p := newTapped(t, func(http.ResponseWriter, *http.Request) {})
	p.wrap = func(hosts.Place, http.RoundTripper) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNRESET })
	}
	if got, err := p.ask(t, get(t, "http://"+host+"/")); err == nil {
		t.Errorf("answer %+v", got)
	}
	if r := <-p.recorded; r.Outcome != measure.Reset {
		t.Errorf("recorded %+v", r)
	}
}

func TestNothingElseIsForwarded(t *testing.T) {
	asked := make(chan string, 100)
	p := newTapped(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r.Host })
	for _, tc := range []struct {
		raw    string
		status int
		says   string
	}{
		{"GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", 403, "this proxy goes nowhere else"},
		{"GET http://169.254.169.254/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 403, "169.254.169.254"},
		{"GET http://localhost:8080/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, "localhost"},
		{"GET http://" + host + "@evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "evil.example"},
		{"GET http://canary-podinfo.kube-system/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "kube-system"},
		{"GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 400, "this is a proxy, not a server"},
		{"GET //" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 400, "this is a proxy"},
		{"GET https://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 400, "only http:// can be measured, not https://"},
		{"GET file:///etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 400, "this is a proxy"},
		{"CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 501, "CONNECT is refused"},
		{"GET http://" + host + "/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 501, "upgrades are refused"},
		{"nonsense\r\n\r\n", 400, ""},
	} {
		conn, err := net.Dial("tcp", p.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, tc.raw)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		_ = resp.Body.Close()
		_ = conn.Close()
		if resp.StatusCode != tc.status || !strings.Contains(string(body), tc.says) {
			t.Errorf("%q: %d %s, want %d with %q", tc.raw, resp.StatusCode, body, tc.status, tc.says)
		}
	}
	if len(asked) > 0 || len(p.recorded) > 0 {
		t.Errorf("%d requests were forwarded, %d measured", len(asked), len(p.recorded))
	}
}

func TestHeadersOfOneConnectionStayThere(t *testing.T) {
	p := newTapped(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "X-Server")
		w.Header().Set("X-Server", "of this connection")
		for _, name := range []string{"Proxy-Authorization", "Proxy-Connection", "X-Secret", "Keep-Alive", "X-Forwarded-For", "X-Kept", "User-Agent"} {
			if v := r.Header.Get(name); v != "" {
				w.Header().Add("X-Got", name+"="+v)
			}
		}
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "chunked")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "42")
	})
	req := get(t, "http://"+host+"/")
	req.Header = http.Header{
		"Connection": {"X-Secret, Keep-Alive"}, "X-Secret": {"s"}, "Keep-Alive": {"timeout=5"},
		"Proxy-Authorization": {"Basic eA=="}, "Proxy-Connection": {"keep-alive"},
		"X-Kept": {"yes"}, "X-Forwarded-For": {"192.0.2.1"}, "User-Agent": {""},
	}
	answered, err := p.ask(t, req)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(answered.header["X-Got"], " "); got != "X-Forwarded-For=192.0.2.1 X-Kept=yes" {
		t.Errorf("the workload got %s", got)
	}
	if answered.header.Get("X-Server") != "" || answered.trailer.Get("X-Sum") != "42" {
		t.Errorf("the client got %+v", answered)
	}
}

func TestAnswersAreStreamed(t *testing.T) {
	more := make(chan struct{})
	p := newTapped(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-more
		_, _ = io.WriteString(w, "second")
	})
	resp, err := p.client.Do(get(t, "http://"+host+"/"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	first := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first" {
		t.Fatalf("%q, %v", first, err)
	}
	close(more)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "second" {
		t.Errorf("%q, %v", rest, err)
	}
	if r := <-p.recorded; r.Outcome != measure.Status(200) {
		t.Errorf("recorded %+v", r)
	}
}

func TestRequestsAreStreamed(t *testing.T) {
	arrived := make(chan string)
	p := newTapped(t, func(_ http.ResponseWriter, r *http.Request) {
		first := make([]byte, 5)
		_, _ = io.ReadFull(r.Body, first)
		arrived <- string(first)
		rest, _ := io.ReadAll(r.Body)
		arrived <- string(rest)
	})
	body, write := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+host+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := p.ask(t, req)
		ended <- err
	}()
	_, _ = io.WriteString(write, "first")
	if got := <-arrived; got != "first" {
		t.Errorf("%q arrived before the rest was sent", got)
	}
	_, _ = io.WriteString(write, "second")
	_ = write.Close()
	if got := <-arrived; got != "second" {
		t.Errorf("then %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Nobody knows how a request would have ended whose client goes away.
func TestClientThatGoesAwayIsNoFailure(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan struct{})
	p := newTapped(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			close(arrived)
			<-r.Context().Done()
			close(gone)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if resp, err := p.client.Do(get(t, "http://"+host+"/wait").WithContext(ctx)); err == nil {
		_ = resp.Body.Close()
		t.Error("there is an answer")
	}
	<-gone // the workload hears of it, so the proxy has given up
	if _, err := p.ask(t, get(t, "http://"+host+"/")); err != nil {
		t.Fatal(err)
	}
	if r := <-p.recorded; r.Outcome != measure.Status(200) || len(p.recorded) > 0 {
		t.Errorf("recorded %+v and %d more", r, len(p.recorded))
	}
}

func TestRedirectsAreTheClients(t *testing.T) {
	p := newTapped(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
	})
	got, err := p.ask(t, get(t, "http://"+host+"/"))
	if err != nil || got.status != http.StatusFound || got.header.Get("Location") != "http://169.254.169.254/" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTargetThatIsNotThere(t *testing.T) {
	proxy := New(Config{
		Find: func(_ context.Context, asked string) (hosts.Place, error) {
			if asked == "broken" {
				return hosts.Place{}, errors.New("the cache is not filled yet")
			}
			return hosts.Place{Host: asked, Address: "127.0.0.1:1"}, nil
		},
		Record: func(_ hosts.Place, r measure.Result) {
			if r.Outcome != measure.Connect {
				t.Errorf("recorded %v", r.Outcome)
			}
		},
		Log: slog.New(slog.DiscardHandler),
	})
	for asked, want := range map[string]int{host: 502, "broken": 503} {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+asked+"/", nil))
		if w.Code != want || !strings.Contains(w.Body.String(), `{"error":`) {
			t.Errorf("%s: %d %s", asked, w.Code, w.Body)
		}
	}
}
