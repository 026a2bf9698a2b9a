package session

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/analysis"
	"github.com/serin-dev/serin/measure"
)

// sequentialSpec is guideSpec with the guide's interval and a sequential judge.
func sequentialSpec() Spec {
	spec := guideSpec("rev-2")
	spec.Judge.Mode = analysis.Sequential
	spec.Judge.MinSamples = 1
	spec.Judge.Interval = 15 * time.Second
	spec.Judge.MaxDuration = 150 * time.Second
	spec.Judge.Steps = 6
	spec.Judge.Rate = spec.Load.Rate
	return spec
}

func TestSequentialCheckFailsAsSoonAsItIsProven(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, w *workload, notified <-chan time.Time) {
		w.broken.Store(true)
		begin := time.Now()
		measureCheck(t, s, sequentialSpec(), 1)
		took := (<-notified).Sub(begin)
		v := s.Verdict(podinfo)
		if v.Result != analysis.Fail || !v.Proven || v.Requests > 10 || took > 2*time.Second {
			t.Errorf("after %v: %v %q, %d requests; want a fail within 10", took, v.Result, v, v.Requests)
		}
	})
}

func TestSequentialCheckPassesWithItsInterval(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, _ *workload, notified <-chan time.Time) {
		begin := time.Now()
		measureCheck(t, s, sequentialSpec(), 1)
		took := (<-notified).Sub(begin)
		v := s.Verdict(podinfo)
		if v.Result != analysis.Pass || took != 15950*time.Millisecond {
			t.Errorf("after %v: %v %q", took, v.Result, v)
		}
		if v.Primary.Requests != 150 || v.Candidate.Requests != 150 {
			t.Errorf("measured %+v and %+v, want 150 requests each", v.Primary, v.Candidate)
		}
	})
}

func TestSequentialCheckGoesOnUntilItIsSure(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, _ *workload, notified <-chan time.Time) {
		spec := sequentialSpec()
		spec.Judge.Metrics[0].Min = new(99.8)
		begin := time.Now()
		measureCheck(t, s, spec, 1)
		first := (<-notified).Sub(begin)
		if v := s.Verdict(podinfo); v.Result != analysis.Inconclusive || first != 15950*time.Millisecond || v.String() == "" {
			t.Errorf("after %v: %v %q, want to hear after an interval why there is no verdict", first, v.Result, v)
		}
		for s.Verdict(podinfo).Result == analysis.Inconclusive {
			<-notified
		}
		if v := s.Verdict(podinfo); v.Result != analysis.Pass || v.Requests < 600 {
			t.Errorf("%v after %d requests: %v", v.Result, v.Requests, v)
		}
	})
}

// What was measured in the checks before counts against a revision, so a check
// that begins is not the first one again.
func TestSequentialChecksAreOneTrial(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, w *workload, notified <-chan time.Time) {
		spec := sequentialSpec()
		measureCheck(t, s, spec, 1)
		<-notified
		w.broken.Store(true)
		measureCheck(t, s, spec, 2)
		<-notified
		v := s.Verdict(podinfo)
		if v.Result != analysis.Fail || v.Check != 2 || v.Candidate.Requests <= 150 {
			t.Errorf("check %d: %v %q, %d requests in all", v.Check, v.Result, v, v.Candidate.Requests)
		}
	})
}

func TestColdStartIsNotJudged(t *testing.T) {
	running(t, func(t *testing.T, s *Sessions, w *workload, notified <-chan time.Time) {
		w.starts = 8 * time.Second
		spec := guideSpec("rev-2")
		spec.Load.Timeout = 20 * time.Second
		spec.Load.Connections = 100
		spec.Judge.Interval = 15 * time.Second
		spec.Judge.Metrics = append(spec.Judge.Metrics, analysis.Metric{Name: "request-duration", Kind: analysis.Duration, Max: new(500.0)})
		measureCheck(t, s, spec, 1)
		<-notified
		v := s.Verdict(podinfo)
		if v.Result != analysis.Pass || v.Candidate.ColdStart < 60 || v.Primary.ColdStart > 1 {
			t.Errorf("%v %q; %+v", v.Result, v, v.Candidate)
		}
		spec.Judge.Metrics = slices.Clone(spec.Judge.Metrics) // the running session has the old ones
		spec.Judge.Metrics[1].IncludeColdStart = true
		w.begun = time.Time{}
		measureCheck(t, s, spec, 1)
		<-notified
		if v := s.Verdict(podinfo); v.Result != analysis.Fail || !strings.Contains(v.String(), "request duration") {
			t.Errorf("with the cold start: %v %q", v.Result, v)
		}
	})
}

// byHand is a session without load, whose results the test records.
func byHand(spec Spec) (j *judging, record func(n int, lag, response time.Duration)) {
	s := newSession(Config{Notify: func(context.Context, types.NamespacedName) {}}, podinfo, spec)
	writer := s.canaryRecorder.Writer()
	return &judging{session: s}, func(n int, lag, response time.Duration) {
		intended := time.Now()
		for range n {
			writer.Record(measure.Result{
				Intended: intended, Sent: intended.Add(lag), Done: intended.Add(response),
				Outcome: measure.Status(200), OK: true,
			})
		}
	}
}

// An interval in which the load generator was late is no part of the next one.
func TestIntervalOfALateGeneratorIsMeasuredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := guideSpec("rev-2")
		spec.Judge.Metrics = []analysis.Metric{{Name: "request-duration", Kind: analysis.Duration, Max: new(500.0)}}
		j, record := byHand(spec)
		record(1, 0, time.Microsecond) // the cold start
		time.Sleep(time.Second)        //nolint:forbidigo // bubble time
		j.begin(1)
		for _, step := range []struct {
			lag, response time.Duration
			want          analysis.Result
		}{
			{590 * time.Millisecond, 600 * time.Millisecond, analysis.Inconclusive},
			{0, 10 * time.Millisecond, analysis.Pass},
		} {
			record(50, step.lag, step.response)
			time.Sleep(5 * time.Second) //nolint:forbidigo // bubble time
			j.judge(t.Context())
			v := j.session.verdict
			if v.Result != step.want || v.Requests != 50 {
				t.Fatalf("%v %q of %d requests, want %v of 50", v.Result, v, v.Requests, step.want)
			}
		}
	})
}

// The seconds of all checks are numbered on, so that those of a later one are
// no part of an earlier one's bursts.
func TestSecondsAreNumberedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := sequentialSpec()
		spec.Judge.Interval = 2 * time.Second
		j, record := byHand(spec)
		var seconds []int64
		for check := range int64(2) {
			j.begin(check + 1)
			for range 4 {
				record(5, 0, time.Millisecond)
				time.Sleep(500 * time.Millisecond) //nolint:forbidigo // bubble time
				j.judge(t.Context())
				seconds = append(seconds, j.second)
			}
		}
		if want := []int64{1, 1, 2, 2, 3, 3, 4, 4}; !slices.Equal(seconds, want) {
			t.Errorf("seconds %v, want %v", seconds, want)
		}
	})
}

// What is measured is told, judged or not.
func TestEverythingMeasuredIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, record := byHand(sequentialSpec())
		told := int64(0)
		j.config.Measured = func(_ types.NamespacedName, _, candidate *measure.Snapshot) {
			told += candidate.WithColdStart().Requests()
		}
		record(7, 0, time.Millisecond)
		j.begin(1)
		record(5, 0, time.Millisecond)
		time.Sleep(time.Second) //nolint:forbidigo // bubble time
		j.judge(t.Context())
		j.begin(0)
		record(3, 0, time.Millisecond)
		j.begin(2)
		if told != 15 {
			t.Errorf("%d requests are told, want 15", told)
		}
	})
}

// A check of a quarter of an hour is seen second by second.
func TestMeasurementsAreToldEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex // guards what follows
		var told []int64
		verdicts := 0
		s := newSession(Config{
			Transport: &workload{hosts: map[string]int{}},
			Notify: func(context.Context, types.NamespacedName) {
				mu.Lock()
				defer mu.Unlock()
				verdicts++
			},
			Measured: func(_ types.NamespacedName, _, candidate *measure.Snapshot) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, candidate.WithColdStart().Requests())
			},
			Log: slog.New(slog.DiscardHandler),
		}, podinfo, guideSpec("rev-2"))
		s.judge(1)
		var wg sync.WaitGroup
		wg.Go(func() { s.run(ctx) })
		time.Sleep(5900 * time.Millisecond) //nolint:forbidigo // bubble time
		mu.Lock()
		if len(told) < 5 || slices.Max(told) > 11 || verdicts > 0 {
			t.Errorf("%d requests were told before the verdict, %d verdicts", told, verdicts)
		}
		mu.Unlock()
		time.Sleep(time.Second) //nolint:forbidigo // bubble time
		if v := s.newest(); v == nil || v.Requests != 50 {
			t.Errorf("the verdict rests on %+v, want 50 requests", v)
		}
		cancel()
		wg.Wait()
	})
}
