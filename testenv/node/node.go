package node

import (
	"context"
	"fmt"
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
	revisions map[types.NamespacedName]*revision
	started   int // pods so far, for their names
}

// Config is what a node needs.
type Config struct {
	Watchdog  *process.Watchdog
	Catalogue Catalogue
	// Dir takes the logs of pods.
	Dir string
}

// revision is what runs for one Revision.
type revision struct {
	pods    []*pod
	trouble string // why there can be none
}

// New returns a node without pods.
func New(config Config) *Node {
	return &Node{
		config:    config,
		start:     make(chan *pod),
		changes:   make(chan event.TypedGenericEvent[types.NamespacedName]),
		revisions: make(map[types.NamespacedName]*revision),
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
	addresses, _ := n.ready(types.NamespacedName{Namespace: namespace, Name: name})
	return addresses
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
	if r := n.revisions[key]; r != nil {
		return append([]*pod(nil), r.pods...)
	}
	return nil
}

// ready returns the addresses of the ready pods, and why others are not.
func (n *Node) ready(key types.NamespacedName) (addresses []string, trouble string) {
	n.mu.Lock()
	if r := n.revisions[key]; r != nil {
		trouble = r.trouble
	}
	n.mu.Unlock()
	for _, p := range n.pods(key) {
		address, why := p.state()
		if address != "" {
			addresses = append(addresses, address)
		} else {
			trouble = why
		}
	}
	return addresses, trouble
}

// scale starts or stops pods until there are as many as wanted. A command that
// cannot be run leaves none, with the reason as the revision's trouble.
func (n *Node) scale(ctx context.Context, key types.NamespacedName, wanted int, c command, cannot error) error {
	n.mu.Lock()
	r := n.revisions[key]
	if r == nil {
		r = new(revision)
		n.revisions[key] = r
	}
	r.trouble = ""
	if cannot != nil {
		r.trouble, wanted = cannot.Error(), 0
	}
	for len(r.pods) > wanted {
		last := len(r.pods) - 1
		close(r.pods[last].stop)
		r.pods = r.pods[:last]
	}
	var added []*pod
	for len(r.pods) < wanted {
		n.started++
		p := &pod{
			name: fmt.Sprintf("%s.%s-%d", key.Namespace, key.Name, n.started), command: c,
			watchdog: n.config.Watchdog, dir: n.config.Dir,
			stop: make(chan struct{}), changed: func(ctx context.Context) { n.notify(ctx, key) },
		}
		r.pods = append(r.pods, p)
		added = append(added, p)
	}
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
	if r := n.revisions[key]; r != nil {
		for _, p := range r.pods {
			close(p.stop)
		}
		delete(n.revisions, key)
	}
}

// notify has a revision reconciled. It gives up when ctx ends.
func (n *Node) notify(ctx context.Context, key types.NamespacedName) {
	select {
	case n.changes <- event.TypedGenericEvent[types.NamespacedName]{Object: key}:
	case <-ctx.Done():
	}
}
