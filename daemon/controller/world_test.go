package controller

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// world is a namespace with a Service, Knative, people, and a daemon that may die. It
// moves one step at a time, in an order that does not depend on chance; its time is
// that of a bubble.
//
// The files are: this one, what happens next; apiserver_test.go and knative_test.go,
// who else is there; fault_test.go, what goes wrong; invariant_test.go, what holds at
// every moment; crash_test.go, the stories.
type world struct {
	*testing.T
	api *apiServer
	*listeners

	daemon   *Reconciler // nil while none runs
	sessions *sessions
	cache    *cache
	queue    map[types.NamespacedName]bool      // who is to be reconciled
	due      map[types.NamespacedName]time.Time // who is to be reconciled then
	resync   time.Time
	writing  bool // what is written now is written by Serin
	deaf     bool // and nobody tells it of that

	// plan are what people do, each when the first condition is met.
	plan []deed
	// judge says what comes of a check; nil for nothing.
	judge func(w *world, revision string) analysis.Result

	fault fault
	// writes are Serin's, others everybody else's, and turns the reconciles.
	writes, others, turns int
	copied                time.Time // of a copy: when it was made
	points                *points   // nil where none are kept

	// first serves before Serin comes, weights are the steps, given are the shares
	// that others have from people.
	first   string
	weights []int64
	given   map[string]int64
	initial []servingv1.TrafficTarget
	left    bool // the Canary does not count any more, though it may be there
}

// deed is what a person does once something is so.
type deed struct {
	when func(*world) bool
	do   func(*world)
}

var podinfo = types.NamespacedName{Namespace: "test", Name: "podinfo"}

func newWorld(t *testing.T) *world {
	w := &world{
		T: t, api: newAPIServer(), listeners: new(listeners),
		given: make(map[string]int64), weights: []int64{20, 50},
	}
	w.api.onWrite = w.written
	w.forget()
	return w
}

// forget is for all that a daemon has in its memory.
func (w *world) forget() {
	passed := make(map[string]map[int64]bool)
	if w.sessions != nil {
		passed = w.sessions.passed
	}
	w.sessions = &sessions{running: make(map[types.NamespacedName]*fakeSession), passed: passed}
	w.cache = &cache{objects: maps.Clone(w.api.objects)}
	w.daemon, w.queue, w.due = nil, make(map[types.NamespacedName]bool), make(map[types.NamespacedName]time.Time)
}

// start starts a daemon, whose caches are filled.
func (w *world) start() {
	w.daemon = w.newDaemon()
	w.resync = time.Now().Add(resyncEvery)
	if !w.fault.struck || w.fault.view != deaf {
		w.tellAll()
	}
}

func (w *world) newDaemon() *Reconciler {
	return &Reconciler{
		Client: interceptor.NewClient(w.api, interceptor.Funcs{
			Get: w.cache.Get, List: w.cache.List, Patch: w.patch, SubResourceUpdate: w.updateStatus,
		}),
		Live: w.api, Recorder: w.listeners, Sessions: w.sessions, Hooks: fakeHooks{}, Alerts: w.listeners,
		Metrics: fakeMetrics{w.listeners}, History: fakeHistory{}, Identity: "serin-1", Log: slog.New(slog.DiscardHandler),
	}
}

// tellAll tells the daemon of every object, as when it starts or its caches resync.
func (w *world) tellAll() {
	for _, name := range slices.Sorted(maps.Keys(w.cache.objects)) {
		w.tell(nil, w.cache.objects[name])
	}
}

// tell queues who is concerned by a change, by the daemon's own rules.
func (w *world) tell(old, next client.Object) {
	about := next
	if about == nil {
		about = old
	}
	if w.daemon == nil || about == nil {
		return
	}
	if _, ok := about.(*v1beta1.Canary); ok {
		w.queue[client.ObjectKeyFromObject(about)] = true
	}
	for _, watch := range w.daemon.watches() {
		if fmt.Sprintf("%T", watch.object) != fmt.Sprintf("%T", about) {
			continue
		}
		passes := true
		for _, p := range watch.predicates {
			passes = passes && (old == nil || next == nil || p.Update(event.UpdateEvent{ObjectOld: old, ObjectNew: next}))
		}
		if !passes {
			continue
		}
		for _, request := range watch.wake(w.Context(), about) {
			w.queue[request.NamespacedName] = true
		}
	}
}

// written takes notice of a write, by whomever.
func (w *world) written(old, next client.Object) {
	struck := false
	if !w.writing {
		w.others++
		struck = w.strike(others, w.others)
	}
	w.check(old, next)
	if w.cache.lags(old) || w.cache.lags(next) {
		return
	}
	w.cache.take(old, next)
	if !w.deaf && (!struck || w.fault.view != deaf) {
		w.tell(old, next)
	}
}

func podinfoMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: podinfo.Namespace, Name: podinfo.Name}
}

// canary is podinfo's, or nil.
func (w *world) canary() *v1beta1.Canary { return w.canaryNamed(podinfo.Name) }

func (w *world) canaryNamed(name string) *v1beta1.Canary {
	c, _ := w.api.objects[nameOf(&v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: podinfo.Namespace, Name: name}})].(*v1beta1.Canary)
	return c
}

func (w *world) service() *servingv1.Service {
	s, _ := w.api.objects[nameOf(&servingv1.Service{ObjectMeta: podinfoMeta()})].(*servingv1.Service)
	return s
}

// revisions are the Service's, the oldest first.
func (w *world) revisions() []*servingv1.Revision {
	var revisions []*servingv1.Revision
	for _, name := range slices.Sorted(maps.Keys(w.api.objects)) {
		if r, ok := w.api.objects[name].(*servingv1.Revision); ok {
			revisions = append(revisions, r)
		}
	}
	return revisions
}

// resyncEvery is how often controller-runtime's caches tell of every object.
const resyncEvery = 10 * time.Hour

// step makes what happens next happen: what people do comes first, then Serin, then
// Knative, and only then time passes. It reports false where nothing was to be done
// at once.
func (w *world) step() bool {
	if len(w.plan) > 0 && w.plan[0].when(w) {
		do := w.plan[0].do
		w.plan = w.plan[1:]
		do(w)
		return true
	}
	if w.daemon == nil {
		w.start()
		return true
	}
	if len(w.queue) > 0 {
		w.reconcile(slices.SortedFunc(maps.Keys(w.queue), byName)[0])
		return true
	}
	return w.knative() || w.cache.lag > 0 && w.catchUp()
}

func byName(a, b types.NamespacedName) int {
	if a.Name < b.Name {
		return -1
	}
	return 1
}

func (w *world) knative() bool {
	if w.service() == nil {
		return false
	}
	moved, err := fakeKnative{w.api}.step(w.Context(), w.service(), w.revisions())
	if err != nil {
		w.Fatalf("Knative: %v", err)
	}
	return moved
}

// catchUp lets time pass for a daemon that soon tries again what its old cache made
// impossible, or brings its cache up to date.
func (w *world) catchUp() bool {
	if at, key, ok := w.nextDue(); ok && time.Until(at) <= time.Second {
		pass(time.Until(at))
		delete(w.due, key)
		w.queue[key] = true
		return true
	}
	w.thaw()
	return true
}

func (w *world) nextDue() (at time.Time, canary types.NamespacedName, ok bool) {
	for _, key := range slices.SortedFunc(maps.Keys(w.due), byName) {
		if !ok || w.due[key].Before(at) {
			at, canary, ok = w.due[key], key, true
		}
	}
	return at, canary, ok
}

// wait lets time pass until something happens by itself.
func (w *world) wait() {
	due, canary, ok := w.nextDue()
	said, judged, says := w.sessions.due()
	says = says && w.judge != nil
	switch {
	case says && (!ok || said.Before(due)) && said.Before(w.resync):
		pass(time.Until(said))
		w.sessions.publish(judged, func(revision string) analysis.Result { return w.judge(w, revision) })
		w.queue[judged] = true
	case ok && due.Before(w.resync):
		pass(time.Until(due))
		delete(w.due, canary)
		w.queue[canary] = true
	default:
		pass(time.Until(w.resync))
		w.resync = w.resync.Add(resyncEvery)
		w.tellAll()
	}
}

// most is more reconciles than any story takes.
const most = 200

// run runs until nothing moves any more and the end has come. What waits counts as
// what reconciles does, so that it is bounded.
func (w *world) run(end func(*world) bool) {
	w.Helper()
	for {
		for w.move() {
			w.bound()
		}
		if len(w.plan) == 0 && end(w) {
			return
		}
		w.turns++
		w.bound()
		w.wait()
	}
}

func (w *world) bound() {
	w.Helper()
	if w.turns > most {
		w.Fatalf("no end after %d reconciles and %d writes\n%s", w.turns, w.writes, w.story())
	}
}

// until stops as soon as something is so, in the middle of whatever happens.
func (w *world) until(so func(*world) bool) {
	w.Helper()
	for ; !so(w); w.turns++ {
		w.bound()
		if !w.step() {
			w.wait()
		}
	}
}

// points are a world as it was before each write: Serin's, and everybody else's.
type points struct{ serin, others []*world }

// move makes a step, and keeps the points where they are wanted.
func (w *world) move() bool {
	if w.points == nil {
		return w.step()
	}
	before := w.copy()
	before.points = nil
	moved := w.step()
	for range w.writes - before.writes {
		w.points.serin = append(w.points.serin, before)
	}
	for range w.others - before.others {
		w.points.others = append(w.points.others, before)
	}
	return moved
}

// reconcile calls the daemon as its queue does.
func (w *world) reconcile(key types.NamespacedName) {
	delete(w.queue, key)
	w.turns++
	result, err, died := w.call(key)
	if died {
		w.bury()
		return
	}
	if err != nil {
		w.events = append(w.events, told{"error", key.Name, err.Error()})
		result.RequeueAfter = time.Second // it is tried again
	}
	if at := time.Now().Add(result.RequeueAfter); result.RequeueAfter > 0 && (w.due[key].IsZero() || at.Before(w.due[key])) {
		w.due[key] = at
	}
	if w.cache.lag > 0 {
		if w.cache.lag--; w.cache.lag == 0 {
			w.thaw()
		}
	}
}

func (w *world) call(key types.NamespacedName) (result ctrl.Result, err error, died bool) {
	defer func() {
		w.writing = false
		if p := recover(); p != nil {
			if _, ok := p.(crash); !ok {
				panic(p)
			}
			died = true
		}
	}()
	result, err = w.daemon.Reconcile(w.Context(), ctrl.Request{NamespacedName: key})
	return result, err, false
}

func (w *world) create(o client.Object) {
	w.Helper()
	if err := w.api.Create(w.Context(), o); err != nil {
		w.Fatal(err)
	}
}

// deploy creates the Service or changes its image, and waits for Knative, while no
// daemon runs.
func (w *world) deploy(image string) {
	w.Helper()
	if w.service() == nil {
		service := &servingv1.Service{ObjectMeta: podinfoMeta()}
		service.Spec.Template.Spec.Containers = []corev1.Container{{Image: image}}
		w.create(service)
	} else {
		w.push(image)
	}
	w.settle()
}

// settle lets Knative alone do what it has to do.
func (w *world) settle() {
	for w.knative() {
	}
}

func (w *world) push(image string) {
	service := w.service().DeepCopy()
	w.api.edit(w.T, service, "kubectl", func() { service.Spec.Template.Spec.Containers[0].Image = image })
}

// divide is a person's division, while no daemon runs.
func (w *world) divide(targets ...servingv1.TrafficTarget) {
	w.Helper()
	service := w.service().DeepCopy()
	w.api.edit(w.T, service, "kubectl", func() { service.Spec.Traffic = targets })
	w.settle()
}

func share(revision, tag string, percent int64) servingv1.TrafficTarget {
	return servingv1.TrafficTarget{RevisionName: revision, Tag: tag, Percent: &percent, LatestRevision: new(false)}
}

// deadline is the progress deadline of the Canaries here.
const deadline = time.Minute

// newCanary is podinfo's, with two steps.
func newCanary() *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: podinfoMeta()}
	c.Spec = v1beta1.CanarySpec{
		Provider:                v1beta1.ProviderKnative,
		TargetRef:               v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: podinfo.Name},
		ProgressDeadlineSeconds: new(int32(deadline / time.Second)),
		Analysis:                v1beta1.Analysis{Interval: "15s", Threshold: 2, StepWeights: []int32{20, 50}},
	}
	return c
}

// inWorld tells a story in a world and a bubble of its own.
func inWorld(t *testing.T, story func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { story(newWorld(t)) })
}
