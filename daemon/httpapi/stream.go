package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

const (
	// beat is how often a stream sends.
	beat = time.Second
	// writeTimeout is how long a client may take to make room for an event.
	writeTimeout = 10 * time.Second
	// maxStreams bounds the clients of all streams together.
	maxStreams = 4096
)

// stream sends what one answers, once a second, until the client goes, the
// Canary does or the daemon ends.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	key := keyOf(canary)
	return s.send(w, r, "canary", func(ctx context.Context) ([]byte, error) {
		return s.views.get("canary "+key.String(), func() ([]byte, error) {
			// It is for others too, whoever goes meanwhile.
			canary, err := s.read(context.WithoutCancel(ctx), key)
			if err != nil {
				return nil, err
			}
			return json.Marshal(s.detail(canary))
		})
	})
}

// send sends an event each second. What it sends has no line break.
func (s *Server) send(w http.ResponseWriter, r *http.Request, name string, next func(context.Context) ([]byte, error)) error {
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		return &Error{http.StatusServiceUnavailable, "too many streams are open: close some, or poll"}
	}
	defer s.streams.Add(-1)
	data, err := next(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of a proxy between
	control := http.NewResponseController(w)
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		// What cannot set deadlines has no slow client.
		_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
		if err := control.Flush(); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-ticker.C:
		}
		if data, err = next(r.Context()); err != nil {
			return nil //nolint:nilerr // the headers are out: the end of the stream is all that can be said
		}
	}
}

// memo keeps what many clients want in the same second, so that it is made
// once. Its zero value is empty and ready for use.
type memo struct {
	mu    sync.Mutex // guards kept
	kept  map[string]*memoized
	swept time.Time
}

type memoized struct {
	mu    sync.Mutex // guards what follows, and is held while it is made
	at    time.Time
	value []byte
	err   error
}

// get returns what f makes, or made in the last beat.
func (m *memo) get(key string, f func() ([]byte, error)) ([]byte, error) {
	one := m.of(key)
	one.mu.Lock()
	defer one.mu.Unlock()
	if time.Since(one.at) > beat/2 {
		one.value, one.err = f()
		one.at = time.Now()
	}
	return one.value, one.err
}

func (m *memo) of(key string) *memoized {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.kept == nil || now.Sub(m.swept) > time.Minute {
		m.kept, m.swept = make(map[string]*memoized), now // nobody may look at most of them any more
	}
	one := m.kept[key]
	if one == nil {
		one = new(memoized)
		m.kept[key] = one
	}
	return one
}

// wantsPage reports whether a browser asks for something to show.
func wantsPage(r *http.Request) bool {
	return acceptsHTML(r.Header.Get("Accept"))
}

// pagePath is the page of a Canary.
func pagePath(c *v1beta1.Canary) string {
	return "/canaries/" + c.Namespace + "/" + c.Name
}
