package controller

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/alert"
	"github.com/serin-dev/serin/daemon/rollout"
	"github.com/serin-dev/serin/daemon/session"
)

// checkTime is how long a check takes.
const checkTime = 15 * time.Second

// sessions are like session.Sessions, but for the load: what a check says is known
// beforehand, when it says so is a matter of the clock.
type sessions struct {
	running map[types.NamespacedName]*fakeSession
	// passed are the checks that each revision has passed.
	passed map[string]map[int64]bool
	stops  int
}

type fakeSession struct {
	spec    session.Spec
	check   int64
	began   time.Time
	verdict *rollout.Verdict
}

func (s *sessions) Measure(_ context.Context, canary types.NamespacedName, spec session.Spec, check int64) error {
	one := s.running[canary]
	if one == nil || !reflect.DeepEqual(one.spec, spec) {
		one = &fakeSession{spec: spec, began: time.Now()}
		s.running[canary] = one
	}
	if one.check != check {
		one.check, one.began = check, time.Now()
	}
	return nil
}

func (s *sessions) Stop(canary types.NamespacedName) {
	s.stops++
	delete(s.running, canary)
}

func (s *sessions) Verdict(canary types.NamespacedName) *rollout.Verdict {
	if one := s.running[canary]; one != nil {
		return one.verdict
	}
	return nil
}

// due is when the next verdict is published, and for which Canary; false for never.
func (s *sessions) due() (at time.Time, canary types.NamespacedName, ok bool) {
	for _, key := range slices.SortedFunc(maps.Keys(s.running), func(a, b types.NamespacedName) int { return len(a.Name) - len(b.Name) }) {
		one := s.running[key]
		said := one.verdict != nil && one.verdict.Check == one.check
		if one.check == 0 || said {
			continue
		}
		if end := one.began.Add(checkTime); !ok || end.Before(at) {
			at, canary, ok = end, key, true
		}
	}
	return at, canary, ok
}

// publish says what has come of the check that runs.
func (s *sessions) publish(canary types.NamespacedName, judge func(revision string) analysis.Result) {
	one := s.running[canary]
	revision := one.spec.Canary.Revision
	one.verdict = &rollout.Verdict{Canary: revision, Check: one.check, Elapsed: checkTime}
	one.verdict.Result = judge(revision)
	if one.verdict.Result != analysis.Pass {
		return
	}
	if s.passed[revision] == nil {
		s.passed[revision] = make(map[int64]bool)
	}
	s.passed[revision][one.check] = true
}

// copy is as the sessions are, and changes by itself.
func (s *sessions) copy() *sessions {
	c := *s
	c.running, c.passed = make(map[types.NamespacedName]*fakeSession), make(map[string]map[int64]bool)
	for key, one := range s.running {
		c.running[key] = new(*one)
	}
	for revision, checks := range s.passed {
		c.passed[revision] = maps.Clone(checks)
	}
	return &c
}

// told is an event that was published.
type told struct{ kind, about, message string }

// listeners are all who are told what happens.
type listeners struct {
	events  []told
	alerts  int
	metrics []string
}

func (l *listeners) Event(o runtime.Object, kind, _, message string) {
	l.events = append(l.events, told{kind, fmt.Sprintf("%T %s", o, o.(client.Object).GetName()), message})
}

func (l *listeners) Send(alert.Message, []v1beta1.Alert) { l.alerts++ }

// fakeHooks answer nothing.
type fakeHooks struct{}

func (fakeHooks) Call(types.NamespacedName, []rollout.Call)                                   {}
func (fakeHooks) Answers(types.NamespacedName) map[rollout.Key]rollout.Answer                 { return nil }
func (fakeHooks) Tell(types.NamespacedName, v1beta1.Phase, []v1beta1.Webhook, string, string) {}
func (fakeHooks) Stop(types.NamespacedName)                                                   {}

// fakeMetrics note which series they are asked to make.
type fakeMetrics struct{ l *listeners }

func (m fakeMetrics) Seen(c *v1beta1.Canary) { m.l.metrics = append(m.l.metrics, "seen "+c.Name) }
func (m fakeMetrics) Status(c *v1beta1.Canary, _ *v1beta1.CanaryStatus) {
	m.l.metrics = append(m.l.metrics, "status "+c.Name)
}
func (m fakeMetrics) Failed(c types.NamespacedName) {
	m.l.metrics = append(m.l.metrics, "failed "+c.Name)
}
func (m fakeMetrics) Forget(types.NamespacedName) {}

// fakeHistory remembers nothing.
type fakeHistory struct{}

func (fakeHistory) Status(*v1beta1.Canary, *v1beta1.CanaryStatus) {}
func (fakeHistory) Event(types.NamespacedName, string, string)    {}
func (fakeHistory) Forget(types.NamespacedName)                   {}
