package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// requestTimeout is for one request to the daemon.
	requestTimeout = 10 * time.Second
	// tries of a request that may be repeated, each over a connection of its
	// own, retryPause apart: a daemon that is restarted is back by then.
	tries      = 5
	retryPause = 2 * time.Second
	// answerLimit bounds what is read of an answer.
	answerLimit = 8 << 20
)

// Daemon is a daemon's HTTP API.
type Daemon struct {
	route route
	token string
	base  string // empty while there is no connection
	close func()
	http  *http.Client
}

// route makes a connection, and returns where to send requests and what ends
// it.
type route func(ctx context.Context) (base string, end func(), err error)

func newDaemon(r route, token string) *Daemon {
	return &Daemon{route: r, token: token, close: func() {}, http: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		Timeout:   requestTimeout,
		// A token is for the server that was named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends the connection.
func (d *Daemon) Close() {
	d.close()
	d.base, d.close = "", func() {}
}

// goneError says that the daemon knows no such thing.
type goneError struct{ error }

// Faults lists faults: all, or those of a namespace or a Canary.
func (d *Daemon) Faults(ctx context.Context, namespace, name string) ([]Fault, error) {
	var answer struct {
		Faults []Fault `json:"faults"`
	}
	err := d.repeat(ctx, http.MethodGet, "/api/v1/faults"+about(namespace, name), &answer)
	return answer.Faults, err
}

// Fault reads one fault.
func (d *Daemon) Fault(ctx context.Context, id string) (*Fault, error) {
	f := new(Fault)
	return f, d.repeat(ctx, http.MethodGet, "/api/v1/faults/"+url.PathEscape(id), f)
}

// Add begins a fault. It is tried once: twice would be two.
func (d *Daemon) Add(ctx context.Context, f Fault) (*Fault, error) {
	body, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("describe the fault: %w", err)
	}
	added := new(Fault)
	if err := d.once(ctx, http.MethodPost, "/api/v1/faults", body, added); err != nil {
		return nil, err
	}
	if added.ID == "" {
		return nil, errors.New("the daemon has answered without the fault's id: is it of the same version?")
	}
	return added, nil
}

// End ends one fault.
func (d *Daemon) End(ctx context.Context, id string) error {
	return d.repeat(ctx, http.MethodDelete, "/api/v1/faults/"+url.PathEscape(id), nil)
}

// EndAll ends all faults, or those of a namespace or a Canary, and returns how
// many there were.
func (d *Daemon) EndAll(ctx context.Context, namespace, name string) (ended int, err error) {
	var answer struct {
		Ended int `json:"ended"`
	}
	err = d.repeat(ctx, http.MethodDelete, "/api/v1/faults"+about(namespace, name), &answer)
	return answer.Ended, err
}

func about(namespace, name string) string {
	query := url.Values{}
	if namespace != "" {
		query.Set("namespace", namespace)
	}
	if name != "" {
		query.Set("name", name)
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// repeat asks until there is an answer.
func (d *Daemon) repeat(ctx context.Context, method, path string, into any) (err error) {
	for try := 1; ; try++ {
		err = d.once(ctx, method, path, nil, into)
		if _, broken := errors.AsType[*brokenError](err); !broken || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// brokenError says that the connection broke; another may hold.
type brokenError struct{ error }

func (e *brokenError) Unwrap() error { return e.error }

// once asks once, over the connection that there is or a new one.
func (d *Daemon) once(ctx context.Context, method, path string, body []byte, into any) error {
	if d.base == "" {
		base, end, err := d.route(ctx)
		if err != nil {
			return err
		}
		d.base, d.close = base, end
	}
	request, err := http.NewRequestWithContext(ctx, method, d.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if d.token != "" {
		request.Header.Set("Authorization", "Bearer "+d.token)
	}
	response, err := d.http.Do(request)
	if err != nil {
		d.Close()
		return &brokenError{fmt.Errorf("ask the daemon: %w", err)}
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		d.Close()
		return &brokenError{fmt.Errorf("read the daemon's answer: %w", err)}
	}
	return understand(response.StatusCode, answer, into)
}

// understand reads an answer.
func understand(status int, answer []byte, into any) error {
	if status/100 != 2 {
		var told struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(answer, &told) // whatever else answers says less
		if told.Error == "" {
			told.Error = http.StatusText(status) + ": is it a daemon that listens there?"
		}
		err := fmt.Errorf("the daemon answers %d: %s", status, clean(told.Error))
		if status == http.StatusNotFound {
			return goneError{err}
		}
		return err
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("understand the daemon's answer: %w", err)
	}
	return nil
}
