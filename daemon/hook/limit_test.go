package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/rollout"
)

var other = types.NamespacedName{Namespace: "test", Name: "other"}

func nobody(context.Context, types.NamespacedName) {}

func callsOf(url string, n int) (calls []rollout.Call) {
	for i := range n {
		calls = append(calls, callOf(url, fmt.Sprint("hook-", i)))
	}
	return calls
}

func TestHooksBetweenTriesHoldUpNobody(t *testing.T) {
	broken, fine := serve(t, status(503)), serve(t, status(200))
	hooks, _ := running(t)
	calls := callsOf(broken.URL, atOnce)
	for i := range calls {
		calls[i].Webhook.Retries = new(int32(8)) // a minute and a half of pauses
	}
	hooks.Call(podinfo, calls)
	await(t, "the first tries", func() bool { return len(broken.asked()) >= atOnce })
	hooks.Call(other, callsOf(fine.URL, 1))
	await(t, "the other Canary's answer", func() bool { return len(hooks.Answers(other)) == 1 })
}

func TestTriesAtOnceAreLimited(t *testing.T) {
	var now, most atomic.Int64
	free := make(chan struct{})
	s := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		for n := now.Add(1); n > most.Load(); {
			most.CompareAndSwap(most.Load(), n)
		}
		defer now.Add(-1)
		select {
		case <-free:
		case <-r.Context().Done():
		}
	})
	hooks, _ := running(t)
	hooks.Call(podinfo, callsOf(s.URL, 3*atOnce))
	await(t, "all slots", func() bool { return now.Load() == atOnce })
	close(free)
	await(t, "all answers", func() bool { return len(hooks.Answers(podinfo)) == 3*atOnce })
	if most.Load() != atOnce {
		t.Errorf("%d tries at once, want %d", most.Load(), atOnce)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The wait for a slot is none of the hook's time.
func TestTimeoutBeginsWithTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{slots: make(chan struct{}, 1), timeout: time.Second, to: transportFunc(func(r *http.Request) (*http.Response, error) {
			if deadline, ok := r.Context().Deadline(); !ok || time.Until(deadline) != time.Second {
				t.Errorf("deadline in %v, want the whole timeout", time.Until(deadline))
			}
			return &http.Response{Body: http.NoBody}, nil
		})}
		l.slots <- struct{}{}
		time.AfterFunc(time.Hour, func() { <-l.slots })
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hook.test", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := l.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.slots) != 1 {
			t.Error("the slot is given back before the body is read")
		}
		_ = response.Body.Close()
		_ = response.Body.Close() // gives back one slot, not two
		if len(l.slots) != 0 {
			t.Error("the slot is kept")
		}
	})
}

func TestNoSlotBeforeTheCallIsForgotten(t *testing.T) {
	l := &limited{slots: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hook.test", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.RoundTrip(request); !errors.Is(err, context.Canceled) { //nolint:bodyclose // there is none
		t.Errorf("error %v", err)
	}
}

func TestRefusedConnectionIsTriedAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	p := newPoster(loopback)
	defer p.close()
	client := p.client(&v1beta1.Webhook{Retries: new(int32(1))}, defaultTimeout)
	refused := 0
	client.Backoff = func(_, _ time.Duration, _ int, response *http.Response) time.Duration {
		if response == nil {
			refused++
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		s := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
		s.Start()
		t.Cleanup(s.Close)
		return 0
	}
	request, err := retryablehttp.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if refused != 1 || response.StatusCode != http.StatusOK {
		t.Errorf("refused %d times, then %s", refused, response.Status)
	}
}

func TestServerDoesNotChooseALongPause(t *testing.T) {
	p := newPoster(loopback)
	defer p.close()
	pause := p.client(&v1beta1.Webhook{}, defaultTimeout).Backoff
	for _, header := range []string{"86400", "Fri, 31 Dec 2100 23:59:59 GMT"} {
		response := &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {header}}}
		if got := pause(firstPause, longestPause, 0, response); got != longestPause {
			t.Errorf("Retry-After %s: %v", header, got)
		}
	}
	if got := pause(firstPause, longestPause, 2, nil); got != 4*firstPause {
		t.Errorf("third try after %v", got)
	}
}

func TestNoTimeoutIsTheDefault(t *testing.T) {
	for text, want := range map[v1beta1.Duration]time.Duration{"": defaultTimeout, "0s": defaultTimeout, "1m": time.Minute} {
		if got := timeoutOf(&v1beta1.Webhook{Timeout: text}); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// The status line is as strange as the body.
func TestStatusTextIsCutAndCleaned(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 403 no\x1b[31m\xff"+strings.Repeat("y", 10_000)+"\r\nContent-Length: 0\r\n\r\n")
		_ = conn.Close()
	}()
	got := answerTo(t, v1beta1.Webhook{URL: "http://" + listener.Addr().String()})
	if !strings.HasPrefix(got.Message, "403 no [31m y") || len([]rune(got.Message)) != mostTold {
		t.Errorf("%d bytes: %q", len(got.Message), got.Message)
	}
}

// A body that never ends is left, and the server notices.
func TestBodyIsNotReadToItsEnd(t *testing.T) {
	left := make(chan struct{})
	s := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		defer close(left)
		for err := error(nil); err == nil; {
			_, err = w.Write(bytes.Repeat([]byte("x"), 1<<16))
		}
	})
	if got := answerTo(t, v1beta1.Webhook{URL: s.URL, Timeout: "1h"}); !got.Passed {
		t.Errorf("answer %+v", got)
	}
	<-left
}

func TestForgottenBeforeItBegan(t *testing.T) {
	hooks := New(Config{Notify: nobody})
	hooks.Call(podinfo, callsOf("http://127.0.0.1:1", 2))
	hooks.Call(podinfo, callsOf("http://127.0.0.1:1", 1))
	if starting, _ := hooks.due(); len(starting) != 1 || starting[0].Hook != "hook-0" {
		t.Errorf("%d calls begin, want the one that is wanted", len(starting))
	}
}

func TestSameCallTwiceIsOne(t *testing.T) {
	hooks := New(Config{Notify: nobody})
	one := callOf("http://127.0.0.1:1", "gate")
	for range 2 {
		hooks.Call(podinfo, []rollout.Call{one, one})
	}
	starting, _ := hooks.due()
	hooks.Stop(podinfo)
	if len(starting) != 1 || !starting[0].forgotten() {
		t.Errorf("%d calls begin", len(starting))
	}
}

func TestLostEventsAreLoggedOnce(t *testing.T) {
	var logged strings.Builder
	hooks := New(Config{Log: slog.New(slog.NewTextHandler(&logged, nil)), Notify: nobody})
	for range 2 {
		for range 2 * mostEvents {
			hooks.Tell(podinfo, v1beta1.PhaseProgressing, nil, "Normal", "message")
		}
		for ok := true; ok; {
			_, ok = hooks.next(podinfo)
		}
	}
	if n := strings.Count(logged.String(), "level=WARN"); n != 2 {
		t.Errorf("logged %d times, want once for each time it fell behind", n)
	}
}

func TestWithoutALog(*testing.T) {
	hooks := New(Config{Notify: nobody})
	for range mostEvents + 1 {
		hooks.Tell(podinfo, v1beta1.PhaseProgressing, nil, "Normal", "message")
	}
}
