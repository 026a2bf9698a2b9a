package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Recorder records metrics. New makes one.
type Recorder struct {
	families
	latencies *latencies

	// mu guards what follows, and is held while series are written: none may
	// come back after Forget.
	mu       sync.Mutex
	canaries map[types.NamespacedName]*known
	// holders say, by target, which Canary its series speak of.
	holders map[types.NamespacedName]types.NamespacedName
	counts  map[string]int // Canaries, by namespace
}

// known is a Canary that exists.
type known struct {
	target types.NamespacedName
	pinned bool // has a primary revision
	// told is the last status that was told; nil for none.
	told *v1beta1.CanaryStatus
	// metrics are the names of those that have a value.
	metrics []string
	// aborting is the rollout that an annotation has ended; see start.
	aborting int64
}

// New returns a recorder whose metrics are registered. It panics when one of
// them is registered already, as two recorders in one registry would be a
// mistake of the program.
func New(registerer prometheus.Registerer, version string) *Recorder {
	r := &Recorder{
		families: newFamilies(), latencies: newLatencies(),
		canaries: make(map[types.NamespacedName]*known),
		holders:  make(map[types.NamespacedName]types.NamespacedName),
		counts:   make(map[string]int),
	}
	r.info.WithLabelValues(version, v1beta1.ProviderKnative).Set(1)
	registerer.MustRegister(append(r.collectors(), r.latencies))
	return r
}

// Seen says that a Canary exists. The first time, its gauges show the status
// that it has; a cache may have an older one later.
func (r *Recorder) Seen(canary *v1beta1.Canary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.see(canary)
}

// Forget says that a Canary is gone. Nothing is left of it.
func (r *Recorder) Forget(canary types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.canaries[canary]
	if k == nil {
		return
	}
	r.release(canary, k.target)
	delete(r.canaries, canary)
	r.count(canary.Namespace, -1)
}

// Failed counts a reconciliation that failed.
func (r *Recorder) Failed(canary types.NamespacedName) {
	r.errors.WithLabelValues(canary.Namespace).Inc()
}

// see makes a Canary known. The series of its target are its own when nobody has
// them, or somebody who has not pinned the Service while it has.
func (r *Recorder) see(canary *v1beta1.Canary) *known {
	key, target := keyOf(canary), targetOf(canary)
	k := r.canaries[key]
	if k == nil {
		k = &known{target: target}
		r.canaries[key] = k
		r.count(key.Namespace, 1)
	}
	if k.target != target { // corrected before it was pinned
		r.release(key, k.target)
		*k = known{target: target}
	}
	k.pinned = canary.Status.LastPromotedSpec != ""
	holder, held := r.holders[target]
	if !held || (holder != key && k.pinned && !r.canaries[holder].pinned) {
		r.release(holder, target)
		r.holders[target] = key
		r.begin(target)
		r.show(k, &canary.Status)
	}
	return k
}

// release drops the series of a target if they are the Canary's.
func (r *Recorder) release(canary, target types.NamespacedName) {
	if holder, held := r.holders[target]; !held || holder != canary {
		return
	}
	delete(r.holders, target)
	r.drop(target)
	r.latencies.drop(target)
}

// held is the target of a Canary, if its series are the Canary's.
func (r *Recorder) held(canary types.NamespacedName) (target types.NamespacedName, ok bool) {
	k := r.canaries[canary]
	if k == nil || r.holders[k.target] != canary {
		return target, false
	}
	return k.target, true
}

func (r *Recorder) count(namespace string, change int) {
	r.counts[namespace] += change
	if r.counts[namespace] > 0 {
		r.total.WithLabelValues(namespace).Set(float64(r.counts[namespace]))
		return
	}
	delete(r.counts, namespace)
	r.total.DeleteLabelValues(namespace)
}

func keyOf(canary *v1beta1.Canary) types.NamespacedName {
	return types.NamespacedName{Namespace: canary.Namespace, Name: canary.Name}
}

func targetOf(canary *v1beta1.Canary) types.NamespacedName {
	return types.NamespacedName{Namespace: canary.Namespace, Name: canary.Spec.TargetRef.Name}
}
