package controller

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

// A clock that is set, or stood still while the machine slept, is noticed; one that is
// slewed is not.
func TestClockJumps(t *testing.T) {
	for _, tc := range []struct {
		name            string
		wall, monotonic time.Duration
		want            bool
	}{
		{"nothing happened", 0, 0, false},
		{"an hour went by", time.Hour, time.Hour, false},
		{"slewed forward", time.Hour + 5*time.Second, time.Hour, false},
		{"slewed back", time.Hour - 5*time.Second, time.Hour, false},
		{"set forward", time.Hour + 5*time.Second + 1, time.Hour, true},
		{"set back", time.Hour - 5*time.Second - 1, time.Hour, true},
		{"set back to before the last decision", -time.Minute, time.Second, true},
		{"the machine slept", 8 * time.Hour, time.Second, true},
	} {
		if got := jumped(tc.wall, tc.monotonic); got != tc.want {
			t.Errorf("%s: jumped is %v", tc.name, got)
		}
	}
}

func TestClockIsTrustedFromTheFirstDecisionOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		pass(time.Hour)
		first, up := c.now()
		if !first.Equal(time.Now()) || !up.Equal(first) {
			t.Errorf("the first decision is at %v and trusted since %v", first, up)
		}
		pass(time.Hour)
		if now, up := c.now(); !now.Equal(first.Add(time.Hour)) || !up.Equal(first) {
			t.Errorf("an hour later it is %v, trusted since %v", now, up)
		}
	})
}

func TestRivalsAreListed(t *testing.T) {
	var r rivals
	note := func(name, identity string) { r.note(types.NamespacedName{Namespace: "test", Name: name}, identity) }
	says := func(when string, want ...string) {
		t.Helper()
		if got := r.String(); got != strings.Join(want, "") {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	says("at the beginning")
	note("a", "")
	says("without a rival")
	note("b", "serin-2")
	note("a", "serin-2")
	says("with one rival", "daemon serin-2 serves test/a, test/b as well: let one of them serve a namespace\n")
	note("c", "serin-2")
	says("at the limit", "daemon serin-2 serves test/a, test/b, test/c as well: let one of them serve a namespace\n")
	note("e", "serin-2")
	note("d", "serin-2")
	note("z", "serin-1")
	says("beyond it",
		"daemon serin-1 serves test/z as well: let one of them serve a namespace\n",
		"daemon serin-2 serves test/a, test/b, test/c and 2 more as well: let one of them serve a namespace\n")
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		note(name, "")
	}
	note("z", "serin-3")
	says("when one has left", "daemon serin-3 serves test/z as well: let one of them serve a namespace\n")
}

// flaggers are the fields of a status that Flagger's definition has, too.
var flaggers = []string{
	"phase", "canaryWeight", "failedChecks", "iterations", "lastAppliedSpec", "lastPromotedSpec", "lastTransitionTime", "conditions",
	"trackedConfigs", "sessionAffinityCookie", "primarySessionAffinityCookie", "previousSessionAffinityCookie",
}

// fullStatus has every field that is the daemon's memory.
func fullStatus() *v1beta1.CanaryStatus {
	return &v1beta1.CanaryStatus{
		Phase: v1beta1.PhaseProgressing, CanaryWeight: 20, FailedChecks: 1, Iterations: 1, LastAppliedSpec: rev2, LastPromotedSpec: rev1,
		LastTransitionTime: metav1.Unix(1, 0), Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionPromoted}},
		Analysis: &v1beta1.AnalysisStatus{CanaryRevision: rev2, RouteGeneration: 3},
		Commands: map[string]string{"serin.dev/promote": "now"}, Retired: []v1beta1.RetiredRevision{{Revision: rev1}}, Failed: []string{rev1},
		Traffic: []v1beta1.TrafficShare{{Revision: rev1, Percent: 100}}, KeptShares: []v1beta1.TrafficShare{{Revision: rev2, Percent: 10}},
		ServiceUID: "uid-1", Daemon: &v1beta1.DaemonClaim{Identity: "serin-1"},
		TrackedConfigs: &map[string]string{}, SessionAffinityCookie: "a", PrimarySessionAffinityCookie: "b", PreviousSessionAffinityCookie: "c",
	}
}

// Whichever field a definition drops, it is noticed, but for Flagger's own: no
// definition lacks them. A field that is added and forgotten here fails this test.
func TestDroppedFieldsAreNoticed(t *testing.T) {
	sent := fullStatus()
	if got := lost(sent, fullStatus()); len(got) != 0 {
		t.Errorf("lost are %q of a status that is kept", got)
	}
	if got := lost(new(v1beta1.CanaryStatus), new(v1beta1.CanaryStatus)); len(got) != 0 {
		t.Errorf("lost are %q of an empty status", got)
	}
	kind := reflect.TypeFor[v1beta1.CanaryStatus]()
	for i := range kind.NumField() {
		name, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if reflect.ValueOf(sent).Elem().Field(i).IsZero() {
			t.Fatalf("the test has no value for status.%s", name)
		}
		kept := fullStatus()
		reflect.ValueOf(kept).Elem().Field(i).SetZero()
		var want []string
		if !slices.Contains(flaggers, name) {
			want = []string{"status." + name}
		}
		if diff := cmp.Diff(want, lost(sent, kept)); diff != "" {
			t.Errorf("without status.%s lost are (-want +got):\n%s", name, diff)
		}
	}
	older := fullStatus() // as a definition of an earlier version keeps it
	older.Analysis.RouteGeneration = 0
	if got := lost(sent, older); !slices.Equal(got, []string{"status.analysis.routeGeneration"}) {
		t.Errorf("without the generation lost are %q", got)
	}
}
