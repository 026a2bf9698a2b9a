package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

func theDrill() *Drill {
	return &Drill{Name: "podinfo", Wait: time.Minute, Within: time.Minute, Fault: FaultFlags{Target: "canary", Percent: 100, Status: 500}}
}

// rolledBack is what the daemon decides after so long.
func rolledBack(after time.Duration) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) {
		decided := metav1.NewMicroTime(time.Now().Add(after))
		at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack)(c)
		c.Status.Analysis.DecisionTime, c.Status.Analysis.Message = &decided, "success rate 0 % of 20 requests"
	}
}

// hold runs a drill while the story happens, which begins with the fault.
func hold(ctx context.Context, t *testing.T, w *world, s *daemonServer, d *Drill, out *paper, story func()) error {
	t.Helper()
	ended := make(chan error, 1)
	daemon := s.daemon(t)
	go func() { ended <- d.Run(ctx, w.Cluster, daemon, out) }()
	<-w.watching
	story()
	err := <-ended
	if n := s.acting(); n != 0 {
		t.Errorf("%d faults act on after the drill", n)
	}
	return err
}

func TestDrillSaysHowSoonTheRolloutStopped(t *testing.T) {
	w, s, out := newWorld(t, podinfo()), newDaemonServer(t), new(paper)
	err := hold(t.Context(), t, w, s, theDrill(), out, func() { w.change(t, rolledBack(7*time.Second)) })
	text := out.String()
	if err != nil || !strings.Contains(text, "the rollout stopped 7.") || !strings.Contains(text, "Rolling back podinfo.test success rate 0 % of 20 requests") {
		t.Errorf("%v, %q", err, text)
	}
}

func TestDrillForProgramsIsJSONAlone(t *testing.T) {
	w, s, out := newWorld(t, podinfo()), newDaemonServer(t), new(paper)
	d := theDrill()
	d.Output = "json"
	err := hold(t.Context(), t, w, s, d, out, func() { w.change(t, rolledBack(time.Second)) })
	var got Rehearsal
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatalf("%v: %q", err, out.String())
	}
	if err != nil || !got.Stopped || got.Revision != "podinfo-00002" || got.Fault.Status != 500 || got.StoppedAfterSeconds <= 0 || got.Hits == 0 {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestDrillThatStopsNothingFails(t *testing.T) {
	replaced := func(c *v1beta1.Canary) { c.Status.Analysis.CanaryRevision = "podinfo-00003" }
	for _, tc := range []struct {
		within time.Duration
		story  func(*world, *daemonServer)
		want   string
	}{
		{300 * time.Millisecond, func(*world, *daemonServer) {}, "the rollout did not stop within 300ms"},
		{time.Minute, func(w *world, _ *daemonServer) { w.change(t, at(v1beta1.PhaseSucceeded, "")) }, "podinfo-00002 is Succeeded: the rollout did not stop"},
		{time.Minute, func(w *world, _ *daemonServer) { w.change(t, replaced) }, "podinfo-00002 was replaced before it stopped"},
		{time.Minute, func(w *world, _ *daemonServer) { w.change(t, rolledBack(-time.Hour)) }, "the rollout had stopped before the fault began"},
		{time.Minute, func(_ *world, s *daemonServer) {
			s.mu.Lock()
			defer s.mu.Unlock()
			clear(s.faults)
		}, "fault f1 ended before the rollout stopped: the daemon was restarted, or somebody ended it"},
	} {
		w, s := newWorld(t, podinfo()), newDaemonServer(t)
		d := theDrill()
		d.Within = tc.within
		err := hold(t.Context(), t, w, s, d, new(paper), func() { tc.story(w, s) })
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
}

func TestDrillEndsItsFaultWhateverHappens(t *testing.T) {
	t.Run("Ctrl-C", func(t *testing.T) {
		w, s := newWorld(t, podinfo()), newDaemonServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := hold(ctx, t, w, s, theDrill(), new(paper), cancel)
		if err == nil || err.Error() != "the drill was interrupted" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("connections that break", func(t *testing.T) {
		w, s := newWorld(t, podinfo()), newDaemonServer(t)
		err := hold(t.Context(), t, w, s, theDrill(), new(paper), func() {
			s.mu.Lock()
			s.breaks = 2
			s.mu.Unlock()
			w.change(t, rolledBack(time.Second))
		})
		if err != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestDrillWaitsForARollout(t *testing.T) {
	idle := at(v1beta1.PhaseSucceeded, "")
	w, s, out := newWorld(t, podinfo(idle)), newDaemonServer(t), new(paper)
	err := hold(t.Context(), t, w, s, theDrill(), out, func() {
		if s.acting() != 0 {
			t.Error("the fault began before the rollout")
		}
		w.change(t, at(v1beta1.PhaseProgressing, v1beta1.StageMeasuring))
		<-w.watching // again, under the fault
		w.change(t, rolledBack(time.Second))
	})
	if err != nil || !strings.Contains(out.String(), "waiting for a rollout that is measured") {
		t.Errorf("%v, %q", err, out.String())
	}
	w, s = newWorld(t, podinfo(idle)), newDaemonServer(t)
	d := theDrill()
	d.Wait = 50 * time.Millisecond
	err = hold(t.Context(), t, w, s, d, new(paper), func() {})
	if err == nil || !strings.Contains(err.Error(), "no rollout of test/podinfo was measured within 50ms: push a revision") {
		t.Errorf("got %v", err)
	}
}

func TestDrillFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for want, edit := range map[string]func(*Drill){
		"--output must be json":    func(d *Drill) { d.Output = "yaml" },
		"--within must be longer":  func(d *Drill) { d.Within = 0 },
		"--wait must be longer":    func(d *Drill) { d.Wait = -1 },
		"--target must be":         func(d *Drill) { d.Fault.Target = "" },
		"say what goes wrong: --s": func(d *Drill) { d.Fault.Status = 0 },
	} {
		d := theDrill()
		edit(d)
		if err := d.Run(t.Context(), nil, nil, new(paper)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
