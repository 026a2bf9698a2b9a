package hook

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// atOnce is how many tries are under way at a time, over all Canaries.
const atOnce = 64

// limited makes a try when there is a slot for it. Slots are taken by tries and
// not by calls: 64 hooks that wait to be tried again must not hold up others.
// The timeout begins with the slot, since the wait for it is not the hook's.
type limited struct {
	to      http.RoundTripper
	slots   chan struct{}
	timeout time.Duration
}

// RoundTrip keeps the slot until the body of the response is closed.
func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case l.slots <- struct{}{}:
	case <-r.Context().Done():
		if r.Body != nil {
			_ = r.Body.Close() // as every RoundTripper must
		}
		return nil, r.Context().Err()
	}
	ctx, cancel := context.WithTimeout(r.Context(), l.timeout)
	end := sync.OnceFunc(func() { cancel(); <-l.slots })
	response, err := l.to.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	response.Body = &slotBody{ReadCloser: response.Body, end: end}
	return response, nil
}

type slotBody struct {
	io.ReadCloser
	end func()
}

func (b *slotBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
