package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Somebody else who writes spec.traffic again and again, such as a manifest that
// has it, is answered once at once, and then after pauses that double: two who
// are sure of themselves must not write in a loop.
const (
	firstTruce   = 2 * time.Second
	longestTruce = 5 * time.Minute
	// peace is how long nobody has to interfere to be forgiven.
	peace = 10 * time.Minute
)

// fights remembers what was written to Services, to see who overwrites it. It is
// forgotten with the process, which costs one more round.
type fights struct {
	mu    sync.Mutex // guards what follows
	about map[types.NamespacedName]*fight
}

type fight struct {
	written    []servingv1.TrafficTarget // by this daemon, last
	generation int64                     // of the Service by that
	rounds     int                       // in which it was overwritten
	last       time.Time                 // of those
}

// wrote notes what was written.
func (f *fights) wrote(service *servingv1.Service) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.about == nil {
		f.about = make(map[types.NamespacedName]*fight)
	}
	key := client.ObjectKeyFromObject(service)
	if f.about[key] == nil {
		f.about[key] = new(fight)
	}
	f.about[key].written, f.about[key].generation = service.Spec.Traffic, service.Generation
}

// overwritten says, before next is written, whether that was written already and
// somebody has changed it, and for how long to leave it so.
func (f *fights) overwritten(now time.Time, current, next *servingv1.Service) (isNew bool, truce time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	about := f.about[client.ObjectKeyFromObject(next)]
	if about == nil || current.Generation <= about.generation { // or the cache has it as it was before
		return false, 0
	}
	if !equality.Semantic.DeepEqual(about.written, next.Spec.Traffic) || equality.Semantic.DeepEqual(current.Spec.Traffic, about.written) {
		return false, 0 // something else is wanted now, or nothing was changed
	}
	if about.rounds == 0 || now.Sub(about.last) > peace {
		about.rounds, about.last = 1, now
		return true, 0
	}
	pause := min(firstTruce<<min(about.rounds-1, 20), longestTruce)
	if left := pause - now.Sub(about.last); left > 0 {
		return false, left
	}
	about.rounds++
	about.last = now
	return false, 0
}

// forget forgets a Service that nobody rolls out any more.
func (f *fights) forget(service types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.about, service)
}

// blame says who has changed the traffic of a Service, and what to do.
func (r *Reconciler) blame(ctx context.Context, service *servingv1.Service) string {
	who := "somebody"
	live := new(servingv1.Service) // caches are without managers
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(service), live); err == nil {
		if manager := trafficManager(live.ManagedFields); manager != "" {
			who = manager
		}
	}
	return fmt.Sprintf("spec.traffic of service %s/%s was changed by %s and is put back: take traffic out of its manifest, as the rollout sets it",
		service.Namespace, service.Name, who)
}

// trafficManager is who wrote spec.traffic last.
func trafficManager(fields []metav1.ManagedFieldsEntry) (manager string) {
	var last time.Time
	for _, f := range fields {
		if f.Subresource != "" || f.FieldsV1 == nil || !strings.Contains(string(f.FieldsV1.Raw), `"f:traffic"`) {
			continue
		}
		if f.Time != nil && !f.Time.Time.Before(last) {
			last, manager = f.Time.Time, f.Manager
		}
	}
	return manager
}
