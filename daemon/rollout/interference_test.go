package rollout

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
)

// past is what was there before Serin came: a division by hand, older revisions, a
// status and an annotation that somebody else left.
func (s *simulation) past(t *rapid.T) {
	for range rapid.IntRange(0, 2).Draw(t, "older revisions") {
		s.pushOf(t, rapid.Bool().Draw(t, "bad"))
		s.ready(s.service.LatestCreated)
	}
	if rapid.Bool().Draw(t, "divided by hand") {
		s.overwrite(t)
	}
	s.converge()
	s.serves()
	s.status(t)
	if rapid.Bool().Draw(t, "annotated") {
		s.service.AnnotatedPrimary = s.any(t)
	}
}

// status draws what somebody else wrote into the status: Flagger, in any phase, with
// hashes in the place of revisions; or half of one of Serin's.
func (s *simulation) status(t *rapid.T) {
	if rapid.Bool().Draw(t, "a fresh status") {
		s.canary.Status = v1beta1.CanaryStatus{}
		return
	}
	st := &s.canary.Status
	*st = v1beta1.CanaryStatus{
		Phase: rapid.SampledFrom([]v1beta1.Phase{
			"", v1beta1.PhaseInitializing, v1beta1.PhaseInitialized, v1beta1.PhaseWaiting, v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion,
			v1beta1.PhasePromoting, v1beta1.PhaseFinalising, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed, v1beta1.PhaseTerminating, v1beta1.PhaseTerminated,
		}).Draw(t, "phase"),
		CanaryWeight:     rapid.Int32Range(0, 100).Draw(t, "weight"),
		LastAppliedSpec:  rapid.SampledFrom([]string{"", "7d4f9c5b6", "rev-1", "rev-2"}).Draw(t, "applied"),
		LastPromotedSpec: rapid.SampledFrom([]string{"", "7d4f9c5b6", "rev-1", "rev-2"}).Draw(t, "promoted"),
	}
	if s.service == nil || !s.service.exists(st.LastPromotedSpec) {
		return
	}
	if rapid.IntRange(0, 3).Draw(t, "with the Service's UID") == 0 {
		st.ServiceUID = s.service.UID
		if !s.service.exists(st.LastAppliedSpec) { // it would be a revision yet to come
			st.LastAppliedSpec = st.LastPromotedSpec
		}
		for revision := range s.service.Revisions { // what it says is believed
			s.commanded[revision] = true
		}
	}
}

// interferences are what others do.
func (s *simulation) interferences() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"somebody writes spec.traffic": func(t *rapid.T) {
			if s.service != nil {
				s.overwrite(t)
			}
		},
		"somebody writes the status": func(t *rapid.T) {
			s.status(t)
			s.restart()
			s.forgetMemory()
		},
		"fields are pruned": func(*rapid.T) {
			st := &s.canary.Status
			st.Analysis, st.Retired, st.Failed, st.Traffic, st.KeptShares, st.ServiceUID, st.Daemon, st.Commands = nil, nil, nil, nil, nil, "", nil, nil
			s.restart()
			s.forgetMemory()
		},
		"annotations go": func(*rapid.T) {
			if s.service != nil {
				s.service.AnnotatedPrimary, s.service.Left = "", nil
			}
		},
		"unready": func(t *rapid.T) {
			if revision := s.any(t); revision != "" {
				s.service.Revisions[revision] = Revision{UID: s.service.Revisions[revision].UID, Failed: true, Message: "crashed"}
				s.neverReady[revision] = rapid.Bool().Draw(t, "for ever")
			}
		},
		"a revision is deleted":          s.deleteRevision,
		"the Service is deleted":         func(*rapid.T) { s.service, s.intact = nil, false },
		"the Service is made again":      func(*rapid.T) { s.remakeService() },
		"the Canary is deleted":          func(*rapid.T) { s.deleteCanary() },
		"the Canary is created":          func(*rapid.T) { s.createCanary() },
		"what a Canary left is undone":   func(*rapid.T) { s.leave() },
		"another Canary has the Service": func(t *rapid.T) { s.owner = rapid.SampledFrom([]string{"", "other"}).Draw(t, "owner") },
		"hours pass":                     func(t *rapid.T) { s.away(t, 1, 48) },
		"the clock jumps":                func(t *rapid.T) { s.away(t, -24, 24) },
		"another daemon": func(t *rapid.T) {
			s.me = rapid.SampledFrom([]string{"serin-1", "serin-2"}).Draw(t, "daemon")
			s.restart()
		},
	}
}

// forgetMemory: what Serin is made to forget cannot be held against it.
func (s *simulation) forgetMemory() {
	s.condemned = map[string]bool{}
	s.serves()
	for revision := range s.service0().Revisions {
		s.served[revision] = s.served[revision] || s.service.live()[revision] > 0
	}
}

func (s *simulation) service0() *Service {
	if s.service == nil {
		return &Service{}
	}
	return s.service
}

// away is a time in which nobody was there, or a clock that was set.
func (s *simulation) away(t *rapid.T, from, to int) {
	s.now = s.now.Add(time.Duration(rapid.IntRange(from, to).Draw(t, "hours")) * time.Hour)
	s.restart()
}

// overwrite is somebody who divides the traffic: as Knative does by default, by hand,
// or with tags of their own.
func (s *simulation) overwrite(t *rapid.T) {
	a, b := s.any(t), s.any(t)
	percent := rapid.Int64Range(0, 100).Draw(t, "percent")
	targets := rapid.SampledFrom([][]Target{
		nil,
		{{Percent: 100}},
		{{Revision: a, Percent: 100}},
		{{Revision: a, Percent: percent}, {Revision: b, Percent: 100 - percent}},
		{{Percent: percent}, {Revision: a, Percent: 100 - percent}},
		{{Revision: a, Percent: 100}, {Revision: b, Tag: CanaryTag}},
		{{Revision: a, Percent: 100, Tag: "stable"}, {Revision: b, Tag: PrimaryTag}},
	}).Draw(t, "traffic")
	if a == "" {
		targets = nil
	}
	s.specify("kubectl", slices.Clone(targets)...)
	s.intact = false
	if rapid.Bool().Draw(t, "and the Route follows") {
		s.converge()
	}
}

func (s *simulation) deleteRevision(t *rapid.T) {
	revision := s.any(t)
	if revision == "" || len(s.service.Revisions) == 1 {
		return
	}
	delete(s.service.Revisions, revision)
	delete(s.condemned, revision)
	if s.service.LatestReady == revision {
		s.service.LatestReady = ""
	}
	s.intact = false
}

// remakeService makes the Service again: its revisions have the names of the old ones.
func (s *simulation) remakeService() {
	s.service = newService(s.life(), "rev-1")
	s.pushed, s.stale, s.intact, s.neverReady = 1, nil, false, map[string]bool{}
	s.forgetRevisions()
}

// deleteCanary deletes it. Nobody waits: the daemon undoes later what it did.
func (s *simulation) deleteCanary() {
	s.gone = true
	s.restart()
}

// createCanary creates another one under the same name.
func (s *simulation) createCanary() {
	if !s.gone {
		return
	}
	s.gone = false
	s.canary.UID = s.life()
	s.canary.Status = v1beta1.CanaryStatus{}
	s.canary.CreationTimestamp = metav1.NewTime(s.now)
	s.canary.Annotations = nil
	s.leave()
	s.forgetMemory()
}

// leave undoes what a Canary that is gone did, as the controller does before anything
// else.
func (s *simulation) leave() {
	if s.service == nil || s.service.Left == nil || (!s.gone && s.service.Left.UID == s.canary.UID) {
		return
	}
	before := s.service.live()
	d := Leave(s.service, "podinfo.test")
	failed := s.service.Left.Failed
	switch {
	case d.Restore:
		for _, target := range s.service.Left.Initial {
			if !s.service.exists(target.Revision) && target.Revision != "" {
				s.t.Fatalf("%s does not exist and is given traffic back", target.Revision)
			}
			if target.Percent > before[target.Revision] && slices.Contains(failed, target.Revision) {
				s.t.Fatalf("%s was rolled back and is given traffic back", target.Revision)
			}
		}
		s.specify("", s.service.Left.Initial...)
	case d.Primary != "":
		if slices.Contains(failed, d.Primary) || !s.service.ready(d.Primary) {
			s.t.Fatalf("%s is left with all traffic", d.Primary)
		}
		s.specify("", Target{Revision: d.Primary, Tag: PrimaryTag, Percent: 100})
	}
	s.service.Left, s.service.AnnotatedPrimary = nil, ""
	s.converge()
	s.serves()
}

// shown finds the revision that a tag leads to.
func (s *Service) shown(tag string) (revision string, ok bool) {
	for _, t := range s.Traffic {
		if t.Tag == tag {
			return t.Revision, true
		}
	}
	return "", false
}

// counter counts the different states in which decisions were made.
type counter struct {
	mu   sync.Mutex // guards what follows
	seen map[uint64]bool
	n    int
}

func newCounter() *counter { return &counter{seen: map[uint64]bool{}} }

func (c *counter) distinct() int { return len(c.seen) }

// count takes what a decision depends on, without names, numbers and times.
func (c *counter) count(in *Input) {
	st := &in.Canary.Status
	text := fmt.Sprint(st.Phase, in.Held != "", in.Owner != "", in.Canary.Spec.Suspend, in.Canary.Paused(), len(st.Failed) > 0, len(st.KeptShares), len(st.Retired) > 0)
	if a := st.Analysis; a != nil {
		text += fmt.Sprint(a.Stage, a.Weight, a.RouteGeneration == 0, a.NextTime != nil, in.Verdict != nil)
	}
	if s := in.Service; s != nil {
		want, decided := st.Division()
		text += fmt.Sprint(s.Current, s.RouteReady, decided, s.Divides(want), s.Asks(want), s.SpecWriter != "", s.UID == st.ServiceUID,
			s.ready(want.Primary), s.exists(want.Primary), s.ready(want.Canary), s.LatestCreated == st.LastAppliedSpec, slices.Sorted(maps.Values(s.live())))
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[h.Sum64()] = true
	c.n++
}
