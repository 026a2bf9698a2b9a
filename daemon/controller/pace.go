package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// putBackEvery is the least time between two writes of the same division to the
// same Service. Somebody else who writes spec.traffic again and again is answered
// every time, and no more often than this: the pause never grows, since users are
// with the wrong revision meanwhile.
const putBackEvery = time.Second

// pace bounds how often a division is put back. It is forgotten with the process,
// which costs one more write. The zero value is ready for use.
type pace struct {
	mu   sync.Mutex // guards what follows
	last map[types.NamespacedName]write
}

// write is the last one to a Service.
type write struct {
	traffic []servingv1.TrafficTarget
	at      time.Time
}

// wait says how long to wait before next is written; another division than the last
// one is never late.
func (p *pace) wait(now time.Time, next *servingv1.Service) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.last[client.ObjectKeyFromObject(next)]
	if !ok || !equality.Semantic.DeepEqual(last.traffic, next.Spec.Traffic) {
		return 0
	}
	return max(last.at.Add(putBackEvery).Sub(now), 0)
}

// wrote notes what was written.
func (p *pace) wrote(now time.Time, next *servingv1.Service) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = make(map[types.NamespacedName]write)
	}
	p.last[client.ObjectKeyFromObject(next)] = write{next.Spec.Traffic, now}
}

// forget forgets a Service that nobody rolls out any more.
func (p *pace) forget(service types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.last, service)
}
