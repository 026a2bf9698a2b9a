package loadtester

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// maxGates is how many gates may be open.
const maxGates = 10_000

// Gates are open or closed, by Canary; closed at first. They are kept in
// memory, as Flagger's are: a daemon that starts anew has closed them all.
type Gates struct {
	mu   sync.Mutex // guards open
	open map[Gate]bool
}

// Gate is one of a Canary's two.
type Gate struct {
	Canary types.NamespacedName
	// Rollback is the one of /rollback/, not that of /gate/.
	Rollback bool
}

// NewGates returns gates that are all closed.
func NewGates() *Gates { return &Gates{open: make(map[Gate]bool)} }

// Open opens a gate. There is an error where too many are open.
func (g *Gates) Open(gate Gate) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open[gate] && len(g.open) >= maxGates {
		return fmt.Errorf("%d gates are open already: close some first", maxGates)
	}
	g.open[gate] = true
	return nil
}

// Close closes a gate.
func (g *Gates) Close(gate Gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, gate)
}

// IsOpen reports whether a gate is open.
func (g *Gates) IsOpen(gate Gate) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open[gate]
}
