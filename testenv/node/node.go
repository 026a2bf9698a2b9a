package node

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/serin-dev/serin/testenv/process"
)

// Node runs the pods of revisions. Its methods may be called from any
// goroutine.
type Node struct {
	config  Config
	start   chan *pod
	changes chan event.TypedGenericEvent[types.NamespacedName]

	mu        sync.Mutex // guards revisions and started
	revisions map[types.NamespacedName][]*pod
	started   int // pods so far, for their names
}

// Config is what a node needs.
type Config struct {
	Watchdog  *process.Watchdog
	Catalogue Catalogue
	// Dir takes the logs of pods.
	Dir string
}

// New returns a node without pods.
func New(config Config) *Node {
	return &Node{
		config:    config,
		start:     make(chan *pod),
		changes:   make(chan event.TypedGenericEvent[types.NamespacedName]),
		revisions: make(map[types.NamespacedName][]*pod),
	}
}

// Run runs the pods until ctx ends, and returns when the last one has ended.
func (n *Node) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-n.start:
			wg.Go(func() { p.run(ctx) })
		}
	}
}

// Endpoints returns the addresses, host:port, of a revision's ready pods.
func (n *Node) Endpoints(namespace, name string) []string {
	var addresses []string
	for _, p := range n.pods(types.NamespacedName{Namespace: namespace, Name: name}) {
		if s := p.state(); s.address != "" {
			addresses = append(addresses, s.address)
		}
	}
	return addresses
}

// Activating reports whether a revision is scaled to zero, or comes up from
// there: none of its processes has ended by itself.
func (n *Node) Activating(namespace, name string) bool {
	for _, p := range n.pods(types.NamespacedName{Namespace: namespace, Name: name}) {
		if s := p.state(); s.ended != nil || s.restarts > 0 {
			return false
		}
	}
	return true
}

// PIDs returns the ids of the processes that run for a revision, ready or not.
func (n *Node) PIDs(namespace, name string) []int {
	var ids []int
	for _, p := range n.pods(types.NamespacedName{Namespace: namespace, Name: name}) {
		if id := p.pid(); id != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// KillPods ends the processes of a revision without asking, as the kernel
// does when memory runs out. They are started again after a pause.
func (n *Node) KillPods(namespace, name string) {
	for _, p := range n.pods(types.NamespacedName{Namespace: namespace, Name: name}) {
		p.kill()
	}
}

func (n *Node) pods(key types.NamespacedName) []*pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.revisions[key])
}

// states returns the states of a revision's pods by their names.
func (n *Node) states(key types.NamespacedName) map[string]state {
	states := make(map[string]state)
	for _, p := range n.pods(key) {
		states[p.name] = p.state()
	}
	return states
}

// scale starts or stops pods until there are as many as wanted. Where cannot
// says why the command cannot be run the pods stay without a process.
func (n *Node) scale(ctx context.Context, key types.NamespacedName, wanted int, c command, cannot error) error {
	n.mu.Lock()
	pods := n.revisions[key]
	for len(pods) > wanted {
		last := len(pods) - 1
		close(pods[last].stop)
		pods = pods[:last:last]
	}
	var added []*pod
	for len(pods) < wanted {
		n.started++
		p := &pod{
			name:    fmt.Sprintf("%s-%d", deploymentName(key.Name), n.started),
			command: c, cannot: cannot,
			watchdog: n.config.Watchdog, dir: n.config.Dir,
			log:  filepath.Join(n.config.Dir, fmt.Sprintf("%s.%s-%d.log", key.Namespace, key.Name, n.started)),
			stop: make(chan struct{}), changed: func(ctx context.Context) { n.notify(ctx, key) },
			now: state{reason: containerCreating},
		}
		pods = append(pods, p)
		added = append(added, p)
	}
	n.revisions[key] = pods
	n.mu.Unlock()
	for _, p := range added {
		select {
		case n.start <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// forget stops all pods of a revision that is gone.
func (n *Node) forget(key types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.revisions[key] {
		close(p.stop)
	}
	delete(n.revisions, key)
}

// notify has a revision reconciled. It gives up when ctx ends.
func (n *Node) notify(ctx context.Context, key types.NamespacedName) {
	select {
	case n.changes <- event.TypedGenericEvent[types.NamespacedName]{Object: key}:
	case <-ctx.Done():
	}
}
