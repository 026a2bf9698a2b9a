package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a Canary and a Service whose Route follows when it is told to. The
// time moves only by hand.
type world struct {
	now     time.Time
	canary  *v1beta1.Canary
	service *Service
	// lost holds the writes of traffic back, as a daemon does that dies.
	lost    bool
	up      time.Time
	me      string
	measure *Measure
	events  []string
	alerts  []Event // that are told to people
	verdict *Verdict
	held    string
	no      string // why the Service must not be pinned
	owner   string
	plan    analysis.Plan
	// hooks are the answers of hooks by their names; calls those that are
	// wanted.
	hooks map[string]Answer
	calls []Call
	drop  []string // tags of the user's that the next write drops
	uids  int
	// neverReady are revisions that never get ready again.
	neverReady map[string]bool
	// onWrite looks at a specification before Serin writes it, counted at what a
	// decision is made from; nil for nobody.
	onWrite func([]Target)
	// onStatus is told of a status before the Service is written; nil for nobody.
	onStatus func(before *v1beta1.CanaryStatus)
	counted  func(*Input)
}

// newWorld has a Service with one ready revision that serves everything, and
// the guide's Canary.
func newWorld() *world {
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "test"}}
	canary.Spec.TargetRef = v1beta1.TargetRef{APIVersion: v1beta1.TargetAPIVersion, Kind: v1beta1.TargetKind, Name: "podinfo"}
	canary.Spec.ProgressDeadlineSeconds = new(int32(60))
	canary.Spec.Analysis = v1beta1.Analysis{Interval: "15s", Threshold: 3, StepWeight: new(int32(20)), MaxWeight: new(int32(50))}
	w := &world{now: epoch, up: epoch, canary: canary, hooks: map[string]Answer{}, neverReady: map[string]bool{}}
	w.service = newService("uid-1", "rev-1")
	return w
}

// newService has one ready revision that serves everything.
func newService(uid types.UID, revision string) *Service {
	return &Service{
		UID: uid, Generation: 1, Current: true, RouteReady: true, LatestCreated: revision, LatestReady: revision,
		Revisions: map[string]Revision{revision: {Ready: true, Template: "template of " + revision}},
		Traffic:   []Target{{Revision: revision, Percent: 100}},
	}
}

// push creates a revision, ready makes it one that can serve.
func (w *world) push(revision string) {
	w.service.LatestCreated = revision
	w.service.Generation++
	w.service.Revisions[revision] = Revision{UID: w.uid(), Message: "Deploying"}
}

// uid makes that of another revision.
func (w *world) uid() types.UID {
	w.uids++
	return types.UID(fmt.Sprintf("revision-%d", w.uids))
}

func (w *world) ready(revision string) {
	uid := w.service.Revisions[revision].UID
	if !w.service.exists(revision) { // Knative makes it again
		uid = w.uid()
	}
	w.service.Revisions[revision] = Revision{UID: uid, Ready: true, Template: "template of " + revision}
	w.service.LatestReady = revision
}

// decide makes one decision and carries it out.
func (w *world) decide() Decision {
	answers := map[Key]Answer{}
	for _, c := range w.calls {
		if answer, ok := w.hooks[c.Hook]; ok {
			answers[c.Key] = answer
		}
	}
	in := Input{
		Now: w.now, Up: w.up, Identity: w.me, Answers: answers, Canary: w.canary, Owner: w.owner, Held: w.held, Unpinnable: w.no,
		Load: "GET /", Plan: w.plan, Service: w.service, Verdict: w.verdict,
	}
	if w.counted != nil {
		w.counted(&in)
	}
	d := Decide(in)
	before := w.canary.Status
	w.canary.Status = d.Status
	if w.onStatus != nil {
		w.onStatus(&before)
	}
	if d.Traffic != nil && !w.lost {
		w.drop = d.Drop
		w.write(*d.Traffic)
	}
	if w.measure == nil || d.Measure == nil || *w.measure != *d.Measure {
		w.verdict = nil // of another session, or check
	}
	w.measure, w.calls = d.Measure, d.Calls
	for _, e := range d.Events {
		w.events = append(w.events, e.Message)
		if e.Alert != Quiet {
			w.alerts = append(w.alerts, e)
		}
	}
	return d
}

// write changes the specification as knative.Divide does.
func (w *world) write(t Traffic) {
	targets := []Target{{Revision: t.Primary, Tag: PrimaryTag, Percent: t.PrimaryPercent()}}
	if t.Canary != "" {
		targets = append(targets, Target{Revision: t.Canary, Tag: CanaryTag, Percent: int64(t.Weight)})
	}
	for _, k := range t.Kept {
		targets = append(targets, Target{Revision: k.Revision, Percent: k.Percent})
	}
	for _, u := range w.service.Spec {
		if u.Tag != "" && u.Tag != PrimaryTag && u.Tag != CanaryTag && !slices.Contains(w.drop, u.Tag) {
			targets = append(targets, Target{Revision: u.Revision, Tag: u.Tag})
		}
	}
	w.service.AnnotatedPrimary = t.Primary
	if w.service.Left == nil {
		w.service.Left = &Left{Canary: w.canary.Name, UID: w.canary.UID, Initial: w.service.Spec}
	}
	w.service.Left.Revert, w.service.Left.Failed = w.canary.Spec.RevertOnDeletion, w.canary.Status.Failed
	if !slices.Equal(w.service.Spec, targets) {
		if w.onWrite != nil {
			w.onWrite(targets)
		}
		w.specify("", targets...)
	}
}

// specify writes spec.traffic by somebody's hand; empty for Serin's.
func (w *world) specify(writer string, targets ...Target) {
	s := w.service
	s.Spec, s.SpecWriter, s.SpecTime = targets, writer, w.now
	if writer == "" {
		s.SpecTime = time.Time{}
	}
	s.Generation++
	s.Current = false
}

// converge lets the Route follow, unless a revision in it is not ready.
func (w *world) converge() {
	s := w.service
	if s == nil {
		return
	}
	s.Current = true
	targets := s.Spec
	if len(targets) == 0 {
		targets = []Target{{Percent: 100}}
	}
	shown := make([]Target, len(targets))
	for i, t := range targets {
		if t.Revision == "" {
			t.Revision = s.LatestReady
		}
		if !s.ready(t.Revision) {
			s.RouteReady, s.Message = false, "RevisionMissing: "+t.Revision+" is not ready"
			return
		}
		shown[i] = t
	}
	s.RouteReady, s.Message, s.Traffic = true, "", shown
}

// settle decides and lets the Route follow until nothing changes any more.
func (w *world) settle() {
	for quiet, n := 0, 0; n < 40; n++ {
		before := w.canary.Status.DeepCopy()
		w.decide()
		w.converge()
		if quiet++; !reflect.DeepEqual(before, &w.canary.Status) {
			quiet = 0
		}
		if quiet == 2 { // the Route has followed what was decided last
			return
		}
	}
	panic("the rollout does not come to rest: " + fmt.Sprint(w.canary.Status))
}

// say gives the verdict of the check that runs.
func (w *world) say(r analysis.Result) {
	if w.measure == nil || w.measure.Check == 0 {
		return
	}
	v := &Verdict{Canary: w.measure.Canary, Check: w.measure.Check, Elapsed: 15 * time.Second}
	v.Result = r
	v.Findings = []analysis.Finding{{Metric: "request-success-rate", Result: r, Message: "success rate as told"}}
	v.Candidate = analysis.Summary{Requests: 100, SuccessRate: 0.5, P50: time.Millisecond, P99: 2 * time.Millisecond}
	w.verdict = v
}

// live is the observed percent of the live traffic at a revision.
func (w *world) live(revision string) (percent int64) {
	for _, t := range w.service.Traffic {
		if t.Revision == revision {
			percent += t.Percent
		}
	}
	return percent
}

func (w *world) expect(t *testing.T, phase v1beta1.Phase, weight int32) {
	t.Helper()
	s := w.canary.Status
	if want, _ := s.Division(); s.Phase != phase || want.Weight != weight {
		t.Fatalf("phase %s, wanted weight %d; want %s, %d\nstatus: %+v\nevents: %s", s.Phase, want.Weight, phase, weight, s, strings.Join(w.events, "\n"))
	}
}

func (w *world) expectEvent(t *testing.T, part string) {
	t.Helper()
	if !slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, part) }) {
		t.Errorf("no event with %q in:\n%s", part, strings.Join(w.events, "\n"))
	}
}

// hook adds a webhook to the Canary.
func (w *world) hook(hookType, name string) {
	a := &w.canary.Spec.Analysis
	a.Webhooks = append(a.Webhooks, v1beta1.Webhook{Name: name, Type: hookType, URL: "http://hooks.test/"})
}

// annotate sets an annotation of the Canary.
func (w *world) annotate(key, value string) {
	if w.canary.Annotations == nil {
		w.canary.Annotations = make(map[string]string)
	}
	w.canary.Annotations[key] = value
}

// called says how often the wanted calls name a hook.
func (w *world) called(hook string) (n int) {
	for _, c := range w.calls {
		if c.Hook == hook {
			n++
		}
	}
	return n
}

// count says how many events have a part.
func (w *world) count(part string) (n int) {
	for _, e := range w.events {
		if strings.Contains(e, part) {
			n++
		}
	}
	return n
}

var passes, refuses = Answer{Passed: true, Message: "200 OK"}, Answer{Message: "403 Forbidden: not yet"}

// initialized is a world in which rev-1 is the primary revision.
func initialized(t *testing.T) *world {
	t.Helper()
	w := newWorld()
	w.settle()
	w.expect(t, v1beta1.PhaseInitialized, 0)
	return w
}

// analysing is a world in which rev-2 is measured at 0 percent.
func analysing(t *testing.T) *world {
	t.Helper()
	w := initialized(t)
	w.push("rev-2")
	w.ready("rev-2")
	w.settle()
	w.expect(t, v1beta1.PhaseProgressing, 0)
	if w.measure == nil || *w.measure != (Measure{Primary: "rev-1", Canary: "rev-2", Check: 1}) {
		t.Fatalf("measure %+v, want check 1 of rev-2 against rev-1", w.measure)
	}
	return w
}
