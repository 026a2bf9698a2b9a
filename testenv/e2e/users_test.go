package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

const (
	// userPeriod is the time between two requests of users.
	userPeriod  = 50 * time.Millisecond
	userTimeout = 30 * time.Second
)

// users ask for the workload by its public host, through the ingress, in a
// steady stream, and note what goes wrong.
type users struct {
	w    *world
	url  string
	host string
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex // guards the rest
	asked    int
	failures []string
}

// publicHost is what Knative calls the Service outside.
func (w *world) publicHost() string {
	w.Helper()
	s := new(servingv1.Service)
	if err := w.read("podinfo", s); err != nil {
		w.Fatal(err)
	}
	u, err := url.Parse(s.Status.URL.String())
	if err != nil {
		w.Fatal(err)
	}
	return u.Host
}

// startUsers starts them. They end with the test at the latest.
func (w *world) startUsers() *users {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	u := &users{w: w, url: "http://" + the.gateway + "/", host: w.publicHost(), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		u.run(ctx)
	}()
	w.Cleanup(u.end)
	return u
}

// run asks at a steady rate, however long answers take.
func (u *users) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	ticker := time.NewTicker(userPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// A request under way may end, so that stopping makes no failure.
			wg.Go(func() { u.note(get(context.WithoutCancel(ctx), u.url, u.host)) })
		}
	}
}

func (u *users) note(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked++
	if err != nil {
		u.failures = append(u.failures, fmt.Sprintf("%s %v", time.Now().Format(time.TimeOnly), err))
	}
}

func (u *users) end() {
	u.stop()
	<-u.done
}

// noneFailed ends them: all of their requests had an answer, a good one.
func (u *users) noneFailed() {
	u.w.Helper()
	u.end()
	u.w.Logf("users: %d requests, %d failed", u.asked, len(u.failures))
	if u.asked < 20 {
		u.w.Errorf("there were only %d requests of users", u.asked)
	}
	if len(u.failures) > 0 {
		u.w.Errorf("%d of %d requests of users failed; the first: %q", len(u.failures), u.asked, u.failures[:min(5, len(u.failures))])
	}
}

// get asks for a URL as a host, and wants 200.
func get(ctx context.Context, url, host string) error {
	ctx, cancel := context.WithTimeout(ctx, userTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.200s", resp.Status, body)
	}
	return err
}
