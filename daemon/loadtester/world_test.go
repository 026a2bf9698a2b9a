package loadtester

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/hosts"
	"github.com/serin-dev/serin/measure"
)

// TestMain is a program of two processes, too, when it is called so.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "family" {
		family()
		return
	}
	goleak.VerifyTestMain(m)
}

const podinfo = "podinfo.test"

var canary = types.NamespacedName{Namespace: "test", Name: "podinfo"}

// world is a load tester in front of one workload, which has one Canary.
type world struct {
	*testing.T
	*Tester
	server *httptest.Server
	asked  chan *http.Request
	stop   context.CancelFunc
	ended  chan error
	reg    *prometheus.Registry

	mu       sync.Mutex // guards what follows
	place    hosts.Place
	findErr  error
	recorded map[v1beta1.Side][]measure.Result
	told     []string
}

func newWorld(t *testing.T, workload http.HandlerFunc, edit func(*Config)) *world {
	t.Helper()
	if workload == nil {
		workload = func(http.ResponseWriter, *http.Request) {}
	}
	w := &world{T: t, asked: make(chan *http.Request, 100_000), ended: make(chan error, 1), recorded: make(map[v1beta1.Side][]measure.Result), reg: prometheus.NewPedanticRegistry()}
	target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked <- r
		workload(rw, r)
	}))
	t.Cleanup(target.Close)
	w.place = hosts.Place{Canary: canary, Side: v1beta1.SidePrimary, Host: podinfo, Address: target.Listener.Addr().String()}
	config := Config{
		Gateway: w.place.Address, // or it would be refused, as it is on loopback
		Find:    w.find, Record: w.record, Registerer: w.reg, Log: slog.New(slog.DiscardHandler),
		Notify: func(_ context.Context, about types.NamespacedName, kind, message string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, fmt.Sprintf("%s %s %s", about, kind, message))
		},
	}
	if edit != nil {
		edit(&config)
	}
	var err error
	if w.Tester, err = New(config); err != nil {
		t.Fatal(err)
	}
	router := mux.NewRouter()
	router.UseEncodedPath()
	w.Register(router, adapt)
	w.server = httptest.NewServer(router)
	t.Cleanup(w.server.Close)
	return w
}

// adapt is what the daemon's own surface does with errors.
func adapt(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		if err == nil {
			return
		}
		status := http.StatusInternalServerError
		if told, ok := err.(interface{ HTTPStatus() int }); ok {
			status = told.HTTPStatus()
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
	})
}

// run has the tester run until the test ends, or stopped is called.
func (w *world) run() *world {
	ctx, stop := context.WithCancel(w.Context())
	w.stop = stop
	go func() { w.ended <- w.Tester.Run(ctx) }()
	w.eventually("it runs", func() bool { w.Tester.mu.Lock(); defer w.Tester.mu.Unlock(); return w.open })
	w.Cleanup(w.stopped)
	return w
}

func (w *world) stopped() {
	w.Helper()
	w.stop()
	select {
	case err := <-w.ended:
		if err != nil {
			w.Error(err)
		}
		w.ended <- nil // for the next who asks
	case <-time.After(20 * time.Second):
		w.Error("it does not end")
	}
}

func (w *world) find(_ context.Context, asked string) (hosts.Place, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.findErr != nil {
		return hosts.Place{}, w.findErr
	}
	name, _, _ := strings.Cut(asked, ":")
	if name != podinfo && name != w.place.Host {
		return hosts.Place{}, fmt.Errorf("%w: %q is not", hosts.ErrUnknown, asked)
	}
	return w.place, nil
}

func (w *world) move(place func(*hosts.Place), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if place != nil {
		place(&w.place)
	}
	w.findErr = err
}

func (w *world) record(place hosts.Place, r measure.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recorded[place.Side] = append(w.recorded[place.Side], r)
}

func (w *world) results(side v1beta1.Side) []measure.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]measure.Result(nil), w.recorded[side]...)
}

func (w *world) events() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.told, "\n")
}

// post sends a body and returns the status and the answer.
func (w *world) post(path, body string) (int, string) {
	w.Helper()
	status, answer, _ := w.ask(http.MethodPost, path, body)
	return status, answer
}

func (w *world) ask(method, path, body string) (int, string, http.Header) {
	w.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	resp, err := w.server.Client().Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// hook is the body of a hook with a command.
func hook(cmd string, more ...string) string {
	metadata := map[string]string{"cmd": cmd}
	for i := 0; i < len(more); i += 2 {
		metadata[more[i]] = more[i+1]
	}
	text, err := json.Marshal(map[string]any{"name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "85d557f47b", "metadata": metadata})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// load starts a load and waits for its end.
func (w *world) load(cmd string) {
	w.Helper()
	if status, answer := w.post("/", hook(cmd)); status != http.StatusAccepted || answer != "" {
		w.Fatalf("%s: %d %q", cmd, status, answer)
	}
	w.idle()
}

func (w *world) idle() {
	w.Helper()
	w.eventually("everything has ended", func() bool {
		w.Tester.mu.Lock()
		defer w.Tester.mu.Unlock()
		return len(w.running) == 0 && w.reserved == 0
	})
}

func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline:
			w.Fatal("not in 20 s: ", what)
		case <-tick.C:
		}
	}
}

// ends is how many tasks of a kind have ended so.
func (w *world) ends(kind, result string) float64 {
	return testutil.ToFloat64(w.Tester.ended.WithLabelValues(kind, result))
}
