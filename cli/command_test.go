package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/serin-dev/serin/api/v1beta1"
)

// taken is a daemon that takes a command up, with what comes of it.
func taken(annotation string, edit func(*v1beta1.Canary)) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) {
		c.Status.Commands = map[string]string{annotation: c.Annotations[annotation]}
		edit(c)
	}
}

// promotedOver is a Canary at rest, whose second revision was promoted.
func promotedOver(c *v1beta1.Canary) {
	at(v1beta1.PhaseSucceeded, "")(c)
	routed(0, "podinfo-00002 primary 100")(c)
	c.Status.LastPromotedSpec, c.Status.Analysis.Weight = "podinfo-00002", 100
	c.Status.Retired = []v1beta1.RetiredRevision{{Revision: "podinfo-00001"}}
}

// laterFailed is another rollout after that.
func laterFailed(c *v1beta1.Canary) {
	at(v1beta1.PhaseFailed, "")(c)
	c.Status.Analysis.PrimaryRevision, c.Status.Analysis.CanaryRevision = "podinfo-00002", "podinfo-00003"
	c.Status.LastAppliedSpec, c.Status.Failed = "podinfo-00003", []string{"podinfo-00003"}
}

// goBack is what the daemon makes of a rollback where no rollout runs.
func goBack(c *v1beta1.Canary) {
	at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack)(c)
	c.Status.LastPromotedSpec = "podinfo-00001"
	c.Status.Analysis.PrimaryRevision, c.Status.Analysis.CanaryRevision = "podinfo-00001", "podinfo-00002"
}

func TestCommandSaysWhatHasComeOfIt(t *testing.T) {
	promotion := at(v1beta1.PhaseWaitingPromotion, v1beta1.StageConfirmPromotion)
	rollingBack := at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack)
	for _, tc := range []struct {
		verb   Verb
		canary *v1beta1.Canary
		edit   func(*v1beta1.Canary)
		want   string
	}{
		{Promote, podinfo(rollingBack), at(v1beta1.PhasePromoting, v1beta1.StageWaitingForRoute), "podinfo-00002 is being promoted"},
		{Rollback, podinfo(), rollingBack, "podinfo-00002 is being rolled back to podinfo-00001"},
		{Rollback, podinfo(), at(v1beta1.PhaseFailed, ""), "podinfo-00002 is rolled back, podinfo-00001 serves"},
		{Rollback, podinfo(promotedOver), goBack, "podinfo-00002 is being rolled back to podinfo-00001"},
		{Rollback, podinfo(promotedOver), func(c *v1beta1.Canary) { goBack(c); at(v1beta1.PhaseFailed, "")(c) }, "podinfo-00002 is rolled back, podinfo-00001 serves"},
		// A later revision has failed, and the one that serves is to go as well.
		{Rollback, podinfo(promotedOver, laterFailed), goBack, "podinfo-00002 is being rolled back to podinfo-00001"},
		{Rollback, podinfo(promotedOver, laterFailed), func(c *v1beta1.Canary) { goBack(c); at(v1beta1.PhaseFailed, "")(c) }, "podinfo-00002 is rolled back, podinfo-00001 serves"},
		// It was rolled back by hand before, and is the newest one.
		{Retry, podinfo(promotedOver, goBack, at(v1beta1.PhaseFailed, "")), at(v1beta1.PhaseProgressing, v1beta1.StageWaitingForRevision), "podinfo-00002 is rolled out again"},
		{Promote, podinfo(), at(v1beta1.PhasePromoting, v1beta1.StageWaitingForRoute), "podinfo-00002 is being promoted"},
		{Promote, podinfo(), func(c *v1beta1.Canary) {
			c.Status.Phase, c.Status.LastPromotedSpec = v1beta1.PhaseSucceeded, "podinfo-00002"
		}, "podinfo-00002 is promoted"},
		{Abort, podinfo(), at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack), "podinfo-00002 is being rolled back"},
		{Abort, podinfo(at(v1beta1.PhasePromoting, v1beta1.StageWatching)), at(v1beta1.PhaseFailed, ""), "podinfo-00002 is rolled back"},
		{Retry, podinfo(at(v1beta1.PhaseFailed, "")), at(v1beta1.PhaseProgressing, v1beta1.StageWaitingForRevision), "podinfo-00002 is rolled out again"},
		{Approve, podinfo(promotion), at(v1beta1.PhasePromoting, v1beta1.StageWaitingForRoute), "podinfo-00002 is approved, and goes on: Promoting, WaitingForRoute"},
	} {
		w := newWorld(t, tc.canary)
		w.daemon = taken(tc.verb.annotation(), tc.edit)
		var out strings.Builder
		err := Do(t.Context(), w.Cluster, tc.verb, "podinfo", Wait{time.Minute}, &out)
		if err != nil || out.String() != tc.want+"\n" {
			t.Errorf("%s: %v, %q, want %q", tc.verb, err, out.String(), tc.want)
		}
		value := w.read(t).Annotations[tc.verb.annotation()]
		if revision, when, _ := strings.Cut(value, "/"); revision != "podinfo-00002" || !isTime(when) {
			t.Errorf("%s: the value is %q, want the revision and a time", tc.verb, value)
		}
	}
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}

func TestCommandThatHasNothingToBeAboutIsRefused(t *testing.T) {
	idle := at(v1beta1.PhaseSucceeded, "")
	deleted := func(c *v1beta1.Canary) {
		now := metav1.Now()
		c.DeletionTimestamp, c.Finalizers = &now, []string{"serin.dev/canary"}
	}
	for _, tc := range []struct {
		verb   Verb
		canary *v1beta1.Canary
		want   string
	}{
		{Promote, podinfo(idle), "cannot promote test/podinfo: no rollout is under way: the phase is Succeeded"},
		{Promote, podinfo(fresh), "no rollout is under way: the phase is Initializing"},
		{Promote, podinfo(at(v1beta1.PhasePromoting, v1beta1.StageWatching)), "podinfo-00002 is being promoted already"},
		{Abort, podinfo(at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack)), "podinfo-00002 is being rolled back already"},
		{Rollback, podinfo(at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack)), "cannot roll back test/podinfo: podinfo-00002 is being rolled back already"},
		{Rollback, podinfo(idle), "cannot roll back test/podinfo: no revision that was promoted earlier is left to go back to"},
		{Retry, podinfo(promotedOver), "there is no failed revision to try again: the phase is Succeeded"},
		{Promote, podinfo(func(c *v1beta1.Canary) { c.Spec.Suspend = true }), "spec.suspend is true"},
		{Promote, podinfo(deleted), "the canary is being deleted"},
		{Abort, podinfo(at(v1beta1.PhaseFinalising, "")), "podinfo-00002 is promoted already: push the revision that you want"},
		{Abort, podinfo(at(v1beta1.PhaseFailed, "")), "no rollout is under way: the phase is Failed"},
		{Approve, podinfo(), "it waits at no gate: the stage is Measuring"},
		{Approve, podinfo(at(v1beta1.PhaseWaiting, v1beta1.StageConfirmRollout), annotated(v1beta1.PauseAnnotation, "true")), "it is paused, which holds approvals as well: resume it first"},
		{Retry, podinfo(), "there is no failed revision to try again: the phase is Progressing"},
	} {
		w := newWorld(t, tc.canary)
		err := Do(t.Context(), w.Cluster, tc.verb, "podinfo", Wait{}, new(strings.Builder))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.verb, err, tc.want)
		}
		if got := w.read(t).Annotations[tc.verb.annotation()]; got != "" {
			t.Errorf("%s was refused, and asked for all the same: %q", tc.verb, got)
		}
	}
}

func TestRefusalOfTheDaemonIsTold(t *testing.T) {
	old := happened("a-while-ago", corev1.EventTypeWarning, time.Hour, "Ignoring annotation serin.dev/promote: an old story")
	w := newWorld(t, podinfo(), old)
	w.daemon = taken(v1beta1.PromoteAnnotation, func(c *v1beta1.Canary) {
		at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack)(c)
		told := happened("new", corev1.EventTypeWarning, 0, "Ignoring annotation serin.dev/promote: podinfo.test is Progressing")
		if err := w.Client.Create(t.Context(), told); err != nil {
			t.Error(err)
		}
	})
	err := Do(t.Context(), w.Cluster, Promote, "podinfo", Wait{time.Minute}, new(strings.Builder))
	if err == nil || err.Error() != "promote of podinfo-00002 was refused: Ignoring annotation serin.dev/promote: podinfo.test is Progressing" {
		t.Errorf("got %v", err)
	}
}

func TestRevisionThatIsPushedMeanwhileIsNotHit(t *testing.T) {
	w := newWorld(t, podinfo())
	w.daemon = func(c *v1beta1.Canary) {
		c.Status.LastAppliedSpec, c.Status.Analysis.CanaryRevision = "podinfo-00003", "podinfo-00003"
		told := happened("new", corev1.EventTypeWarning, 0, "Ignoring annotation serin.dev/abort: it is about podinfo-00002, and podinfo.test is at podinfo-00003")
		if err := w.Client.Create(t.Context(), told); err != nil {
			t.Error(err)
		}
	}
	err := Do(t.Context(), w.Cluster, Abort, "podinfo", Wait{time.Minute}, new(strings.Builder))
	if err == nil || !strings.Contains(err.Error(), "it is about podinfo-00002, and podinfo.test is at podinfo-00003") {
		t.Errorf("got %v", err)
	}
}

func TestRollbackThatIsNotCarriedOutSaysWhy(t *testing.T) {
	w := newWorld(t, podinfo(promotedOver))
	w.daemon = taken(v1beta1.RollbackAnnotation, func(*v1beta1.Canary) {
		told := happened("new", corev1.EventTypeWarning, 0, "Ignoring annotation serin.dev/rollback: podinfo-00001 does not exist any more")
		if err := w.Client.Create(t.Context(), told); err != nil {
			t.Error(err)
		}
	})
	rollBack := func() error {
		return Do(t.Context(), w.Cluster, Rollback, "podinfo", Wait{time.Minute}, new(strings.Builder))
	}
	if err := rollBack(); err == nil || !strings.HasSuffix(err.Error(), "was refused: Ignoring annotation serin.dev/rollback: podinfo-00001 does not exist any more") {
		t.Errorf("the daemon refuses: %v", err)
	}
	w.daemon = func(c *v1beta1.Canary) { // has seen the next push first
		at(v1beta1.PhaseProgressing, v1beta1.StageMeasuring)(c)
		c.Status.LastAppliedSpec = "podinfo-00003"
		c.Status.Analysis.PrimaryRevision, c.Status.Analysis.CanaryRevision = "podinfo-00002", "podinfo-00003"
	}
	if err := rollBack(); err == nil || err.Error() != "rollback of podinfo-00002 was refused: podinfo is at podinfo-00003 now" {
		t.Errorf("the next push came first: %v", err)
	}
}

func TestCommandThatNobodyTakesUpSaysSo(t *testing.T) {
	for _, tc := range []struct {
		verb   Verb
		canary *v1beta1.Canary
		want   string
	}{
		{Promote, podinfo(), "promote of podinfo-00002 is asked for, but was not taken up within 50ms: is the daemon running?"},
		{Promote, podinfo(at(v1beta1.PhaseProgressing, v1beta1.StageWaitingForRevision)), "it is carried out when podinfo-00002 is ready"},
		{Rollback, podinfo(promotedOver, laterFailed), "rollback of podinfo-00002 is asked for, but was not taken up within 50ms: is the daemon running?"},
	} {
		w := newWorld(t, tc.canary)
		err := Do(t.Context(), w.Cluster, tc.verb, "podinfo", Wait{50 * time.Millisecond}, new(strings.Builder))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
}

func TestCommandNeedNotWait(t *testing.T) {
	w := newWorld(t, podinfo())
	var out strings.Builder
	if err := Do(t.Context(), w.Cluster, Abort, "podinfo", Wait{}, &out); err != nil || out.String() != "abort of podinfo-00002 is asked for\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestPauseHoldsAndResumeLetsGo(t *testing.T) {
	paused := func(c *v1beta1.Canary) { c.Status.Analysis.Message = "paused by annotation serin.dev/pause" }
	for _, tc := range []struct {
		pause  bool
		canary *v1beta1.Canary
		daemon func(*v1beta1.Canary)
		want   string
	}{
		{true, podinfo(), paused, "podinfo-00002 is held at 20 % (Measuring)"},
		{true, podinfo(at(v1beta1.PhaseSucceeded, "")), nil, "podinfo is paused; no rollout is under way, and the next one is held at its start"},
		{true, podinfo(at(v1beta1.PhaseProgressing, v1beta1.StageRollingBack)), nil, "podinfo is paused; the rollback that is under way is not held"},
		{false, podinfo(annotated(v1beta1.PauseAnnotation, "true"), paused), func(c *v1beta1.Canary) { c.Status.Analysis.Message = "" }, "podinfo-00002 goes on at 20 % (Measuring)"},
		{false, podinfo(at(v1beta1.PhaseSucceeded, "")), nil, "podinfo is not paused"},
	} {
		w := newWorld(t, tc.canary)
		w.daemon = tc.daemon
		var out strings.Builder
		if err := SetPaused(t.Context(), w.Cluster, "podinfo", tc.pause, Wait{time.Minute}, &out); err != nil || out.String() != tc.want+"\n" {
			t.Errorf("%v, %q, want %q", err, out.String(), tc.want)
		}
		if got := w.read(t).Paused(); got != tc.pause {
			t.Errorf("%s: paused is %v", tc.want, got)
		}
		if strings.Contains(w.patch, "resourceVersion") {
			t.Errorf("a pause holds whatever else is written, and not only for a version: %s", w.patch)
		}
	}
}

func TestGatesAreEditedOneByOne(t *testing.T) {
	for _, tc := range []struct {
		before, after string
		gates         []string
		closed        bool
	}{
		{"", "rollout,traffic-increase,promotion", nil, true},
		{"", "promotion", []string{"promotion"}, true},
		{"true", "rollout,promotion", []string{"traffic-increase"}, false},
		{"promotion, rollout", "rollout", []string{"promotion"}, false},
		{"promotion", "", []string{"promotion"}, false},
		{"true", "", nil, false},
		{"rollout", "rollout", []string{"rollout"}, true},
	} {
		canary := podinfo(annotated("kept", "yes"))
		if tc.before != "" {
			canary.Annotations[v1beta1.HaltAnnotation] = tc.before
		}
		w := newWorld(t, canary)
		conflicts := 1 // somebody else writes in between
		w.fails = func(verb string) error {
			if verb == "patch" && conflicts > 0 {
				conflicts--
				return apierrors.NewConflict(schema.GroupResource{Resource: "canaries"}, "podinfo", errors.New("it has changed"))
			}
			return nil
		}
		chosen, err := ParseGates(tc.gates)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := SetGates(t.Context(), w.Cluster, "podinfo", chosen, tc.closed, &out); err != nil {
			t.Error(err)
		}
		got := w.read(t)
		if got.Annotations[v1beta1.HaltAnnotation] != tc.after || got.Annotations["kept"] != "yes" {
			t.Errorf("%q is %v now, want %q", tc.before, got.Annotations, tc.after)
		}
		if w.patch != "" && !strings.Contains(w.patch, "resourceVersion") {
			t.Errorf("what somebody else closes meanwhile is undone: %s", w.patch)
		}
		if closed := strings.Count(out.String(), "closed"); closed != len(strings.FieldsFunc(tc.after, func(r rune) bool { return r == ',' })) {
			t.Errorf("%q: says %q", tc.after, out.String())
		}
	}
	if _, err := ParseGates([]string{"exit"}); err == nil || err.Error() != `there is no gate "exit": the gates are rollout, traffic-increase, promotion` {
		t.Errorf("got %v", err)
	}
}

func TestMistakesAboutTheClusterSayWhatToDo(t *testing.T) {
	w := newWorld(t, podinfo())
	err := Do(t.Context(), w.Cluster, Promote, "podinfoo", Wait{}, new(strings.Builder))
	if err == nil || err.Error() != `there is no canary "podinfoo" in namespace "test": serin status -A shows those that there are` {
		t.Errorf("got %v", err)
	}
	missing := apierrors.NewGenericServerResponse(404, "get", schema.GroupResource{Resource: "canaries"}, "", "404 page not found", 0, true)
	w.fails = func(string) error { return missing }
	err = Status(t.Context(), w.Cluster, Screen{Out: new(strings.Builder)}, StatusOptions{})
	if err == nil || !strings.Contains(err.Error(), "install Serin's definitions, chart/crds") {
		t.Errorf("got %v", err)
	}
	w.fails = func(string) error { return errors.New("connection refused") }
	err = Status(t.Context(), w.Cluster, Screen{Out: new(strings.Builder)}, StatusOptions{})
	if err == nil || err.Error() != "ask the API server: connection refused" {
		t.Errorf("got %v", err)
	}
}
