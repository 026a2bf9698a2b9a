package alert

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/egress"
)

// loopback allows what these tests' servers listen on.
var loopback = egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}

var podinfo = types.NamespacedName{Namespace: "test", Name: "podinfo"}

// told is a message about podinfo.
func told(text string) Message { return Message{Canary: podinfo, Text: text} }

// via is a Canary's alerts: one for each provider.
func via(providers ...string) []v1beta1.Alert {
	var alerts []v1beta1.Alert
	for _, name := range providers {
		alerts = append(alerts, v1beta1.Alert{Name: name, ProviderRef: v1beta1.ObjectRef{Name: name}})
	}
	return alerts
}

// webhook is an AlertProvider of Serin's own type, in the Canary's namespace.
func webhook(name, address string) *v1beta1.AlertProvider {
	return &v1beta1.AlertProvider{
		ObjectMeta: metav1.ObjectMeta{Namespace: podinfo.Namespace, Name: name},
		Spec:       v1beta1.AlertProviderSpec{Type: v1beta1.AlertWebhook, Address: address},
	}
}

func secret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: podinfo.Namespace, Name: name}, Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func cluster(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1beta1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

// journal is a log that can be read while it is written.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// post is what a provider got, at a time since the beginning.
type post struct {
	at   time.Duration
	url  string
	body string
}

// reply is a status, and a Retry-After if there is one.
type reply struct {
	status     int
	retryAfter string
}

// answerer answers the nth request, counted from 1.
type answerer func(n int, r *http.Request) (reply, error)

// providers answers all addresses, in bubble time.
type providers struct {
	began  time.Time
	answer answerer // nil for 200

	mu    sync.Mutex // guards posts
	posts []post
}

func (p *providers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.posts = append(p.posts, post{time.Since(p.began), r.URL.String(), string(body)})
	n := len(p.posts)
	p.mu.Unlock()
	answer := reply{status: http.StatusOK}
	if p.answer != nil {
		if answer, err = p.answer(n, r); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: answer.status, Header: http.Header{"Retry-After": {answer.retryAfter}},
		Body: io.NopCloser(strings.NewReader("")),
	}, nil
}

// got are the posts so far.
func (p *providers) got() []post {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]post(nil), p.posts...)
}

// times are those of the posts whose body has a word in it.
func (p *providers) times(word string) []time.Duration {
	var times []time.Duration
	for _, one := range p.got() {
		if strings.Contains(one.body, word) {
			times = append(times, one.at)
		}
	}
	return times
}

// bubble is Alerts in a bubble, with providers that can be watched.
type bubble struct {
	*Alerts
	*providers
	log *journal
	end func()
}

// begin makes Alerts that are not run yet.
func begin(t *testing.T, global *Provider, objects ...client.Object) *bubble {
	t.Helper()
	b := &bubble{providers: &providers{began: time.Now()}, log: &journal{}}
	b.Alerts = New(Config{Reader: cluster(t, objects...), Global: global, Transport: b.providers, Log: b.log.logger()})
	return b
}

// run runs them until end is called, or the test is over.
func (b *bubble) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(b.end)
}

// after lets bubble time go by.
func after(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // bubble time
	synctest.Wait()
}
