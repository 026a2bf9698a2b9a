package history

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/measure"
)

var podinfo = types.NamespacedName{Namespace: "test", Name: "podinfo"}

// teller tells a History of one Canary's statuses, each with the one before.
type teller struct {
	*History
	canary *v1beta1.Canary
}

func newTeller(config Config) *teller {
	t := &teller{History: New(config), canary: &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "podinfo"}}}
	return t
}

func (t *teller) status(edit func(*v1beta1.CanaryStatus)) {
	before := *t.canary.Status.DeepCopy()
	edit(&t.canary.Status)
	t.Status(t.canary, &before)
}

// detected begins a rollout.
func (t *teller) detected(revision string) {
	t.status(func(s *v1beta1.CanaryStatus) {
		s.Phase, s.CanaryWeight = v1beta1.PhaseProgressing, 0
		s.Analysis = &v1beta1.AnalysisStatus{PrimaryRevision: "podinfo-00001", CanaryRevision: revision, StartTime: metav1.NewMicroTime(time.Now())}
	})
}

// verdict tells one, of so many requests.
func (t *teller) verdict(verdict string, requests int64, weight int32) {
	t.status(func(s *v1beta1.CanaryStatus) {
		s.Analysis.Verdict, s.Analysis.Weight, s.CanaryWeight = verdict, weight, weight
		s.Analysis.Canary = &v1beta1.Measured{Requests: requests}
		s.Analysis.Metrics = []v1beta1.MetricStatus{{Name: "request-success-rate", Message: fmt.Sprintf("of %d requests", requests)}}
	})
}

// measured tells a second of n requests to each revision.
func (t *teller) second(n int) {
	time.Sleep(time.Second) //nolint:forbidigo // bubble time
	snap := new(measure.Snapshot)
	for i := range n {
		now := time.Now()
		snap.Add(measure.Result{Intended: now, Sent: now, Done: now.Add(time.Duration(i+1) * 137 * time.Microsecond), Outcome: measure.Status(200), OK: true})
	}
	t.Measured(podinfo, snap, snap)
}

func TestRolloutIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		h := newTeller(Config{Ended: func(*v1beta1.Canary) { ended++ }})
		h.Event(podinfo, "Normal", "before any rollout")
		h.second(5)
		h.detected("podinfo-00002")
		h.Event(podinfo, "Normal", "New revision detected!")
		h.second(10)
		h.verdict("pass", 10, 25)
		h.verdict("pass", 10, 25) // written again, as it waits for a hook
		h.second(20)
		h.verdict("fail", 30, 0)
		h.status(func(s *v1beta1.CanaryStatus) { s.Phase = v1beta1.PhaseFailed })
		h.status(func(s *v1beta1.CanaryStatus) { s.FailedChecks = 1 })
		if ended != 1 {
			t.Errorf("it ended %d times", ended)
		}
		if !h.Look(podinfo, func(r *Rollout) {
			if got := fmt.Sprint(levels(r)); got != "[0 25 0]" {
				t.Errorf("weights %s", got)
			}
			if len(r.Checks) != 2 || r.Checks[0].Verdict != "pass" || r.Checks[0].Weight != 0 || r.Checks[1].Weight != 25 || r.Checks[1].Metrics[0].Message != "of 30 requests" {
				t.Errorf("checks %+v", r.Checks)
			}
			if len(r.Events) != 1 || r.Ended.IsZero() || r.Canary != "podinfo-00002" {
				t.Errorf("%+v", r)
			}
			for i, target := range r.Run.Targets {
				if target.Total.Requests() != 30 || target.Intervals != 2 {
					t.Errorf("target %d: %d requests in %d intervals", i, target.Total.Requests(), target.Intervals)
				}
			}
			if r.Run.Elapsed != 2*time.Second {
				t.Errorf("elapsed %v", r.Run.Elapsed)
			}
			sums := map[string]int64{}
			var log bytes.Buffer
			if err := r.WriteLog(&log); err != nil {
				t.Fatal(err)
			}
			for iv, err := range measure.ReadLog(&log) {
				if err != nil {
					t.Fatal(err)
				}
				sums[iv.Tag] += iv.Histogram.Count()
			}
			if sums["primary"] != 30 || sums["canary"] != 30 {
				t.Errorf("the log has %v", sums)
			}
		}) {
			t.Fatal("nothing is remembered")
		}
		h.detected("podinfo-00003")
		h.Look(podinfo, func(r *Rollout) {
			if r.Canary != "podinfo-00003" || len(r.Checks) > 0 || r.Run.Targets[CanaryTarget].Total.Requests() > 0 {
				t.Errorf("the next rollout begins with %+v", r)
			}
		})
		h.Forget(podinfo)
		if h.Look(podinfo, func(*Rollout) {}) {
			t.Error("a Canary that is gone is remembered")
		}
	})
}

func levels(r *Rollout) (percents []int32) {
	for _, l := range r.Weights {
		percents = append(percents, l.Percent)
	}
	return percents
}

// What is drawn is what the Route showed of the canary revision; a check is of
// the step that was wanted.
func TestWeightsAreObservedAndChecksAreOfSteps(t *testing.T) {
	h := newTeller(Config{})
	h.detected("podinfo-00002")
	shown := func(traffic ...v1beta1.TrafficShare) {
		h.status(func(s *v1beta1.CanaryStatus) {
			s.Traffic, s.CanaryWeight = traffic, 0
			for _, share := range traffic {
				if share.Revision != "podinfo-00001" {
					s.CanaryWeight += int32(share.Percent)
				}
			}
		})
	}
	h.status(func(s *v1beta1.CanaryStatus) { s.Analysis.Weight = 20 })
	shown(v1beta1.TrafficShare{Revision: "podinfo-00001", Percent: 80}, v1beta1.TrafficShare{Revision: "podinfo-00002", Percent: 5}, v1beta1.TrafficShare{Revision: "podinfo-00002", Tag: "canary", Percent: 15})
	shown(v1beta1.TrafficShare{Revision: "podinfo-00001", Percent: 50}, v1beta1.TrafficShare{Revision: "podinfo-00003", Percent: 50}) // by somebody else
	h.status(func(s *v1beta1.CanaryStatus) {
		s.Analysis.Verdict, s.Analysis.Canary, s.Analysis.Weight = "pass", &v1beta1.Measured{Requests: 9}, 100
	})
	shown(v1beta1.TrafficShare{Revision: "podinfo-00002", Percent: 100})
	h.status(func(s *v1beta1.CanaryStatus) { s.Phase, s.CanaryWeight = v1beta1.PhaseSucceeded, 0 })
	shown(v1beta1.TrafficShare{Revision: "podinfo-00001", Percent: 100}) // after it has ended
	h.Look(podinfo, func(r *Rollout) {
		if got := fmt.Sprint(levels(r)); got != "[0 20 0 100]" {
			t.Errorf("weights %s, want the canary revision's alone, while the rollout ran", got)
		}
		if len(r.Checks) != 1 || r.Checks[0].Weight != 20 {
			t.Errorf("checks %+v, want one at the step of 20%%", r.Checks)
		}
	})
}

// A daemon that starts after a rollout has nothing to show of it, and does not
// take its end for news.
func TestRolloutThatWasOverBeforeIsNotRemembered(t *testing.T) {
	h := newTeller(Config{Ended: func(*v1beta1.Canary) { t.Error("it ended") }})
	h.status(func(s *v1beta1.CanaryStatus) {
		s.Phase = v1beta1.PhaseSucceeded
		s.Analysis = &v1beta1.AnalysisStatus{CanaryRevision: "podinfo-00002"}
	})
	if h.Look(podinfo, func(*Rollout) {}) {
		t.Error("it is remembered")
	}
}

func TestMemoryOfARolloutIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTeller(Config{})
		h.detected("podinfo-00002")
		for i := range 1500 {
			h.Event(podinfo, "Normal", "again")
			h.verdict("inconclusive", int64(i), int32(i%2))
			h.second(200)
		}
		h.Look(podinfo, func(r *Rollout) {
			if len(r.Checks) > maxChecks || len(r.Events) > maxEvents || len(r.Weights) > maxLevels || r.log.size > maxLog {
				t.Errorf("%d checks, %d events, %d weights, %d bytes of histograms", len(r.Checks), len(r.Events), len(r.Weights), r.log.size)
			}
			var log strings.Builder
			if err := r.WriteLog(&log); err != nil {
				t.Fatal(err)
			}
			for _, err := range measure.ReadLog(strings.NewReader(log.String())) {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}

// A thousand Canaries that were rolled out once are not remembered for ever.
func TestFewFinishedRolloutsAreRemembered(t *testing.T) {
	h := New(Config{})
	rollOut := func(name string, phases ...v1beta1.Phase) {
		one := &teller{History: h, canary: &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: name}}}
		one.detected("revision")
		for _, phase := range phases {
			one.status(func(s *v1beta1.CanaryStatus) { s.Phase = phase })
		}
	}
	rollOut("running")
	rollOut("again", v1beta1.PhaseFailed)
	for i := range 1000 {
		rollOut(fmt.Sprintf("podinfo-%d", i), v1beta1.PhaseSucceeded)
		if i == 0 {
			rollOut("again") // it runs once more
		}
	}
	if n := len(h.rollouts); n != maxFinished+2 {
		t.Errorf("%d rollouts are remembered", n)
	}
	for _, name := range []string{"running", "again", "podinfo-999"} {
		if !h.Look(types.NamespacedName{Namespace: "test", Name: name}, func(*Rollout) {}) {
			t.Errorf("%s is forgotten", name)
		}
	}
}
