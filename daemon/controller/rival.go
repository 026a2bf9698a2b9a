package controller

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// rivals are the other daemons that were seen to serve the same Canaries. The zero
// value is ready for use.
type rivals struct {
	mu   sync.Mutex // guards seen
	seen map[types.NamespacedName]string
}

// note notes which other daemon serves a Canary; empty for none.
func (r *rivals) note(canary types.NamespacedName, identity string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if identity == "" {
		delete(r.seen, canary)
		return
	}
	if r.seen == nil {
		r.seen = make(map[types.NamespacedName]string)
	}
	r.seen[canary] = identity
}

// listed is how many Canaries a sentence about rivals names.
const listed = 3

// String says which other daemons serve which Canaries too, in a line each; empty
// where none does.
func (r *rivals) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	canaries := make(map[string][]string)
	for canary, identity := range r.seen {
		canaries[identity] = append(canaries[identity], canary.String())
	}
	var lines []string
	for identity, names := range canaries {
		slices.Sort(names)
		more := ""
		if n := len(names) - listed; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
			names = names[:listed]
		}
		lines = append(lines, fmt.Sprintf("daemon %s serves %s%s as well: let one of them serve a namespace\n", identity, strings.Join(names, ", "), more))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
