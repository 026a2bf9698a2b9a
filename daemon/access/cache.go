package access

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Answers are kept for as long, and as many of them.
const (
	keptFor = 10 * time.Second
	kept    = 1024
)

// cache keeps answers for a short time. The keys are secrets, of which it keeps
// a hash. The zero cache is empty and ready for use.
type cache[V any] struct {
	mu      sync.Mutex // guards answers
	answers map[[sha256.Size]byte]answer[V]
}

type answer[V any] struct {
	value V
	until time.Time
}

func (c *cache[V]) get(key string) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[sha256.Sum256([]byte(key))]
	if !ok || !time.Now().Before(a.until) {
		return value, false
	}
	return a.value, true
}

func (c *cache[V]) put(key string, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil || len(c.answers) >= kept {
		c.answers = make(map[[sha256.Size]byte]answer[V])
	}
	c.answers[sha256.Sum256([]byte(key))] = answer[V]{value, time.Now().Add(keptFor)}
}
