package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// beat is how often a stream sends.
	beat = time.Second
	// streamTime is how long a stream lasts. A browser begins another by itself.
	streamTime = time.Hour
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
	return s.send(w, r, func(ctx context.Context) ([]byte, error) {
		return s.events.get(key.String(), func() ([]byte, error) {
			// It is for others too, whoever goes meanwhile.
			canary, err := s.read(context.WithoutCancel(ctx), key)
			if err != nil {
				return nil, err
			}
			text, err := json.Marshal(s.detail(canary))
			return fmt.Appendf(nil, "event: canary\ndata: %s\n\n", text), err
		})
	})
}

// send sends an event each second, where there is one. The first error is the
// answer; any other ends the stream.
func (s *Server) send(w http.ResponseWriter, r *http.Request, next func(context.Context) ([]byte, error)) error {
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		return &Error{http.StatusServiceUnavailable, "too many streams are open: close some, or poll"}
	}
	defer s.streams.Add(-1)
	event, err := next(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of a proxy between
	control := http.NewResponseController(w)
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	end := time.Now().Add(streamTime)
	for {
		if _, err := w.Write(event); err != nil {
			return nil // the client is gone
		}
		if err := control.Flush(); err != nil {
			return nil // the client is gone
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-ticker.C:
		}
		if time.Now().After(end) {
			return nil
		}
		if event, err = next(r.Context()); err != nil {
			return nil // the headers are out: the end of the stream is all that can be said
		}
	}
}

// memo keeps what many clients want in the same second, so that it is made
// once. Its zero value is empty and ready for use.
type memo[V any] struct {
	mu    sync.Mutex // guards what follows
	kept  map[string]*memoized[V]
	swept time.Time
}

type memoized[V any] struct {
	mu    sync.Mutex // guards what follows, and is held while it is made
	at    time.Time
	value V
	err   error
}

// get returns what f makes, or made a moment ago.
func (m *memo[V]) get(key string, f func() (V, error)) (V, error) {
	one := m.of(key)
	one.mu.Lock()
	defer one.mu.Unlock()
	if time.Since(one.at) > beat/2 {
		one.value, one.err = f()
		one.at = time.Now()
	}
	return one.value, one.err
}

func (m *memo[V]) of(key string) *memoized[V] {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.kept == nil || now.Sub(m.swept) > time.Minute {
		m.kept, m.swept = make(map[string]*memoized[V]), now // nobody may look at most of them any more
	}
	one := m.kept[key]
	if one == nil {
		one = new(memoized[V])
		m.kept[key] = one
	}
	return one
}
