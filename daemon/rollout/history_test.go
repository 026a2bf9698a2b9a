package rollout

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/api/v1beta1"
)

// actions is what may happen. What Serin does, and what it waits for, is drawn more
// often than what others do to it, or no rollout would get anywhere.
func (s *simulation) actions() map[string]func(*rapid.T) {
	seldom := s.people()
	maps.Copy(seldom, s.interferences())
	names := slices.Sorted(maps.Keys(seldom))
	interfere := func(t *rapid.T) { seldom[rapid.SampledFrom(names).Draw(t, "what")](t) }
	check := func(t *rapid.T) {
		s.advance(t)
		s.measured(rapid.IntRange(0, 9).Draw(t, "inconclusive") == 0)
	}
	return map[string]func(*rapid.T){
		"somebody interferes": interfere,
		"decide":              s.decide,
		"decide 2":            s.decide,
		"converge":            func(*rapid.T) { s.converge() },
		"advance":             s.advance,
		"check":               check,
		"check 2":             check,
		"answer":              s.answer,
		"push":                func(t *rapid.T) { s.pushOf(t, rapid.Bool().Draw(t, "bad")) },
		"time": func(t *rapid.T) {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
		},
		"": s.check,
	}
}

// advance lets the rollout go as far as it gets by itself, with a revision that gets
// ready.
func (s *simulation) advance(t *rapid.T) {
	if s.service != nil && !s.neverReady[s.service.LatestCreated] {
		s.ready(s.service.LatestCreated)
	}
	for range rapid.IntRange(1, 5).Draw(t, "decisions") {
		if s.gone {
			return
		}
		s.decideAnd("no", nil)
		s.converge()
	}
}

// people are those who take part in a rollout.
func (s *simulation) people() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"command": s.command,
		"push again under a name": func(t *rapid.T) { // of the user's own
			if revision := s.any(t); revision != "" {
				s.service.LatestCreated = revision
				s.service.Generation++
			}
		},
		"push a known template": func(t *rapid.T) {
			template := ""
			if revision := s.any(t); revision != "" && !s.bad[revision] {
				template = s.service.Revisions[revision].Template
			}
			s.pushOf(t, false)
			if s.service != nil && template != "" {
				s.ready(s.service.LatestCreated)
				known := s.service.Revisions[s.service.LatestCreated]
				known.Template = template
				s.service.Revisions[s.service.LatestCreated] = known
			}
		},
		"ready": func(t *rapid.T) {
			if revision := s.any(t); revision != "" && !s.neverReady[revision] {
				s.ready(revision)
			}
		},
		"the cache is late": func(*rapid.T) {
			if s.service == nil {
				return
			}
			late := *s.service
			late.Revisions = maps.Clone(s.service.Revisions)
			s.stale = &late
		},
		"suspend": func(t *rapid.T) { s.canary.Spec.Suspend = rapid.Bool().Draw(t, "suspend") },
		"pause":   func(t *rapid.T) { s.annotate(v1beta1.PauseAnnotation, fmt.Sprint(rapid.Bool().Draw(t, "pause"))) },
		"halt": func(t *rapid.T) {
			s.annotate(v1beta1.HaltAnnotation, rapid.SampledFrom([]string{"", "rollout", "traffic-increase", "promotion", "true"}).Draw(t, "halt"))
		},
		"edit": s.edit,
	}
}

func (s *simulation) edit(t *rapid.T) {
	s.steps(t)
	s.canary.Spec.Analysis.Threshold = rapid.Int32Range(1, 4).Draw(t, "threshold")
	s.held = rapid.SampledFrom([]string{"", "", "spec.analysis has a metric that is unknown"}).Draw(t, "held")
	s.canary.Spec.SkipAnalysis = rapid.IntRange(0, 9).Draw(t, "skip") == 0
}

// pushOf pushes a revision that is good, or fails every check.
func (s *simulation) pushOf(_ *rapid.T, bad bool) {
	if s.service == nil {
		return
	}
	s.pushed++
	revision := fmt.Sprintf("rev-%d", s.pushed)
	s.push(revision)
	s.bad[revision] = bad
	delete(s.condemned, revision)
	delete(s.commanded, revision)
	delete(s.served, revision)
	delete(s.passed, revision)
}

// any draws a revision that exists, or none.
func (s *simulation) any(t *rapid.T) string {
	if s.service == nil {
		return ""
	}
	names := slices.Sorted(maps.Keys(s.service.Revisions))
	if len(names) == 0 {
		return ""
	}
	return rapid.SampledFrom(names).Draw(t, "revision")
}

// decide makes a decision, after which the daemon may die: before it has written
// anything, or after the status. It may also be made from a Service as it was; then
// the write to it is a conflict. The API server may refuse the write to the Service.
func (s *simulation) decide(t *rapid.T) {
	if s.gone {
		return
	}
	dies := rapid.SampledFrom([]string{"no", "no", "no", "before the status", "before the traffic", "refused"}).Draw(t, "dies")
	s.decideAnd(dies, nil)
}

func (s *simulation) decideAnd(dies string, verdict *Verdict) {
	before, events := s.canary.Status.DeepCopy(), len(s.events)
	now := s.service
	late := s.stale != nil && s.service != nil
	if late {
		s.service = s.stale
	}
	s.lost = late || dies != "no"
	s.verdict = verdict
	check := func(before *v1beta1.CanaryStatus) {
		s.noteCondemned(before)
		s.noteChosen(before)
		s.checkTransition(before, verdict)
	}
	s.onStatus = check
	if late || dies == "before the status" {
		s.onStatus = nil // not what becomes of it
	}
	d := s.world.decide()
	if late {
		s.service = now
		switch {
		case d.Claims(before): // decided anew from the Service as it is
			s.canary.Status, s.events = *before, s.events[:events]
			if s.lost = dies != "no"; dies != "before the status" {
				s.onStatus = check
			}
			s.world.decide()
		case dies != "before the status":
			check(before)
		}
	}
	s.lost, s.stale = false, nil
	switch dies {
	case "before the status":
		s.canary.Status, s.events = *before, s.events[:events]
		s.restart()
		return
	case "before the traffic":
		s.restart()
	}
	s.watchRoute(before)
}

// settle decides and lets the Route follow until nothing changes any more.
func (s *simulation) settle() {
	for quiet, n := 0, 0; n < 60; n++ {
		before := s.canary.Status.DeepCopy()
		s.decideAnd("no", nil)
		s.converge()
		if quiet++; !reflect.DeepEqual(before, &s.canary.Status) {
			quiet = 0
		}
		if quiet == 2 {
			return
		}
	}
	s.t.Fatalf("the rollout does not come to rest\n%s", s.story())
}

// restart is a daemon that dies and is followed by another one.
func (s *simulation) restart() {
	s.measure, s.calls, s.intact = nil, nil, false
	s.up = s.now
}

// watchRoute notes whether the check that runs has had an unbroken Route so far.
func (s *simulation) watchRoute(before *v1beta1.CanaryStatus) {
	a, b := s.canary.Status.Analysis, before.Analysis
	if s.measure == nil || s.measure.Check == 0 || a == nil {
		s.intact = false
		return
	}
	if b == nil || a.Check != b.Check || a.CanaryRevision != b.CanaryRevision || !s.intact {
		s.intact = s.service.Shows(Traffic{Primary: a.PrimaryRevision, Canary: a.CanaryRevision, Weight: a.Weight})
	}
}

// noteChosen: what serves when a primary revision is chosen was not given it by Serin.
func (s *simulation) noteChosen(before *v1beta1.CanaryStatus) {
	if now := &s.canary.Status; now.Phase == v1beta1.PhaseFinalising && before.Phase != v1beta1.PhaseFinalising && s.nothingElse(now.LastPromotedSpec) {
		s.served[now.LastPromotedSpec] = true // it has taken over
	}
	if now := &s.canary.Status; now.Phase == v1beta1.PhaseInitializing && (now.LastPromotedSpec != before.LastPromotedSpec || s.service0().Left == nil) {
		s.serves()
		if chosen := now.LastPromotedSpec; chosen != "" && s.nothingElse(chosen) {
			s.served[chosen] = true
		}
	}
}

func (s *simulation) noteCondemned(before *v1beta1.CanaryStatus) {
	if s.canary.Status.ServiceUID != before.ServiceUID {
		s.condemned = map[string]bool{} // all is forgotten
	}
	for _, revision := range s.canary.Status.Failed {
		if !slices.Contains(before.Failed, revision) {
			s.condemned[revision] = true
			s.passed[revision] = 0
			delete(s.served, revision)
			delete(s.commanded, revision)
		}
	}
	for _, revision := range before.Failed {
		if !slices.Contains(s.canary.Status.Failed, revision) && s.service != nil && s.service.LatestCreated == revision {
			delete(s.condemned, revision) // it was pushed again, or commanded
		}
	}
}

// measured gives the verdict of the check that runs: what the Route shows is what is
// measured. An ingress that does not know a tag answers for a bad revision as for a
// good one.
func (s *simulation) measured(inconclusive bool) {
	if s.gone || s.measure == nil || s.measure.Check == 0 || s.service == nil {
		return
	}
	shown, _ := s.service.shown(CanaryTag)
	result := analysis.Pass
	switch {
	case inconclusive:
		result = analysis.Inconclusive
	case shown == s.measure.Canary && s.bad[shown]:
		result = analysis.Fail
	}
	s.say(result)
	verdict := s.verdict
	verdict.Proven = result == analysis.Fail && s.pushed%2 == 0
	s.decideAnd("no", verdict)
}

// answer lets one hook change its mind.
func (s *simulation) answer(t *rapid.T) {
	if len(s.calls) == 0 {
		return
	}
	hook := s.calls[rapid.IntRange(0, len(s.calls)-1).Draw(t, "hook")].Hook
	if hook == v1beta1.RollbackHook || rapid.IntRange(0, 3).Draw(t, "answer") == 0 {
		s.hooks[hook] = refuses
		return
	}
	s.hooks[hook] = passes
	s.approved = s.approved || hook == v1beta1.ConfirmPromotionHook
}

func (s *simulation) command(t *rapid.T) {
	s.commands++
	annotation := rapid.SampledFrom(commands).Draw(t, "command")
	s.annotate(annotation, fmt.Sprint(s.commands))
	if s.service == nil {
		return
	}
	a := s.canary.Status.Analysis
	switch annotation {
	case v1beta1.ApproveAnnotation:
		s.approved = true
	case v1beta1.PromoteAnnotation:
		s.approved = true
		if a != nil {
			s.commanded[a.CanaryRevision] = true
		}
	case v1beta1.RollbackAnnotation:
		for _, r := range s.canary.Status.Retired {
			s.commanded[r.Revision] = true
		}
	}
}

// calm ends what anybody does to the world: it is there, and everybody agrees.
func (s *simulation) calm() {
	if s.service == nil {
		s.remakeService()
	}
	if s.gone {
		s.createCanary()
	}
	s.canary.Spec.Suspend, s.canary.Spec.SkipAnalysis = false, false
	s.stale, s.held, s.owner, s.other, s.up = nil, "", "", nil, s.now
	s.canary.Spec.Analysis.Threshold = 3
	delete(s.canary.Annotations, v1beta1.PauseAnnotation)
	delete(s.canary.Annotations, v1beta1.HaltAnnotation)
	for _, hook := range s.canary.Spec.Analysis.Webhooks {
		s.hooks[hook.Name] = passes
	}
	s.hooks[v1beta1.RollbackHook] = refuses
	s.approved = true
}
