package fault

import (
	"context"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/loadgen"
)

// unanswered is how long a request without a deadline waits for an answer that
// a rule keeps from it.
const unanswered = time.Minute

// Detour disturbs the requests of a load to one revision.
func (f *Faults) Detour(canary types.NamespacedName, side v1beta1.Side) loadgen.Detour {
	return func(r *loadgen.Request) func(http.RoundTripper) http.RoundTripper {
		rule := f.hit(canary, side, r.Path)
		if rule == nil {
			return nil
		}
		return func(own http.RoundTripper) http.RoundTripper { return disturbed{rule, own} }
	}
}

// Transport disturbs single requests to one revision that others send.
func (f *Faults) Transport(canary types.NamespacedName, side v1beta1.Side, next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		if rule := f.hit(canary, side, r.URL.Path); rule != nil {
			return disturbed{rule, next}.RoundTrip(r)
		}
		return next.RoundTrip(r)
	})
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// disturbed sends requests as a rule wants.
type disturbed struct {
	rule *Rule
	next http.RoundTripper
}

// RoundTrip answers as a target would that has the fault.
func (d disturbed) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case d.rule.Status != 0:
		return answer(r, d.rule.Status), nil
	case d.rule.Reset:
		drop(r)
		return nil, syscall.ECONNRESET
	case d.rule.Timeout:
		drop(r)
		if err := wait(r.Context(), unanswered); err != nil {
			return nil, err
		}
		return nil, os.ErrDeadlineExceeded
	case d.rule.Delay != nil:
		if err := wait(r.Context(), d.rule.Delay.draw()); err != nil {
			drop(r)
			return nil, err
		}
		return d.next.RoundTrip(r)
	case d.rule.Request != nil:
		return d.next.RoundTrip(instead(r, d.rule.Request))
	}
	resp, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if d.rule.Truncate {
		resp.Body = &truncated{resp.Body}
	} else {
		resp.Body = &throttled{resp.Body, r.Context(), d.rule.BandwidthBytesPerSecond}
	}
	return resp, nil
}

// drop takes the body of a request that is not sent, as its target would, and
// closes it, as a RoundTripper must. A proxy in front only sees that its client
// goes when it has read everything.
func drop(r *http.Request) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20)) // nobody wants it
		_ = r.Body.Close()
	}
}

func answer(r *http.Request, status int) *http.Response {
	drop(r)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Request: r, Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"X-Serin-Fault": {"drill"}},
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// instead is another request to the same host, with the same headers but those
// of a body, which it has not.
func instead(r *http.Request, other *Request) *http.Request {
	drop(r)
	out := r.Clone(r.Context())
	out.Method, out.Body, out.ContentLength, out.GetBody = other.Method, nil, 0, nil
	out.Header.Del("Content-Type")
	// It has been validated, and begins with a slash.
	if u, err := r.URL.Parse(r.URL.Scheme + "://" + r.URL.Host + other.Path); err == nil {
		out.URL = u
	}
	return out
}

// truncated is a body that breaks off after its first part.
type truncated struct{ io.ReadCloser }

func (t *truncated) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p[:min(len(p), 1)])
	if err == nil || n > 0 {
		err = io.ErrUnexpectedEOF
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF // even an empty one does
	}
	return n, err
}

// throttled is a body that comes slowly.
type throttled struct {
	io.ReadCloser
	ctx            context.Context // of its request
	bytesPerSecond int64
}

func (t *throttled) Read(p []byte) (int, error) {
	// A tenth of a second at a time, and a byte at least.
	n, err := t.ReadCloser.Read(p[:min(int64(len(p)), max(t.bytesPerSecond/10, 1))])
	if n > 0 {
		if late := wait(t.ctx, time.Duration(n)*time.Second/time.Duration(t.bytesPerSecond)); late != nil {
			return n, late
		}
	}
	return n, err
}
