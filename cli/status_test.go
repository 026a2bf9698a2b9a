package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestStatusForProgramsIsTheCanary(t *testing.T) {
	w := newWorld(t, podinfo())
	for format, read := range map[string]func([]byte, any) error{
		"json": json.Unmarshal,
		"yaml": func(b []byte, into any) error { return yaml.Unmarshal(b, into) },
	} {
		var one v1beta1.Canary
		var out strings.Builder
		if err := Status(t.Context(), w.Cluster, Screen{Out: &out}, StatusOptions{Name: "podinfo", Output: format}); err != nil {
			t.Fatal(err)
		}
		if err := read([]byte(out.String()), &one); err != nil || one.Kind != "Canary" || one.Status.CanaryWeight != 20 {
			t.Errorf("%s: %v, %s", format, err, out.String())
		}
		var list v1beta1.CanaryList
		out.Reset()
		if err := Status(t.Context(), w.Cluster, Screen{Out: &out}, StatusOptions{Output: format, AllNamespaces: true}); err != nil {
			t.Fatal(err)
		}
		if err := read([]byte(out.String()), &list); err != nil || list.Kind != "CanaryList" || len(list.Items) != 1 || list.Items[0].Kind != "Canary" {
			t.Errorf("%s: %v, %s", format, err, out.String())
		}
	}
}

func TestStatusShowsTheCanariesOfANamespace(t *testing.T) {
	other := podinfo()
	other.Namespace, other.Name = "prod", "shop"
	w := newWorld(t, podinfo(), other)
	for _, tc := range []struct {
		options StatusOptions
		has     string
		hasNot  string
	}{
		{StatusOptions{}, "podinfo", "shop"},
		{StatusOptions{AllNamespaces: true}, "shop", "nothing"},
		{StatusOptions{Name: "podinfo"}, "Waits for the verdict of check 3", "shop"},
	} {
		var out strings.Builder
		if err := Status(t.Context(), w.Cluster, Screen{Out: &out}, tc.options); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), tc.has) || strings.Contains(out.String(), tc.hasNot) {
			t.Errorf("%+v: %s", tc.options, out.String())
		}
	}
	w.Namespace = "empty"
	var out strings.Builder
	if err := Status(t.Context(), w.Cluster, Screen{Out: &out}, StatusOptions{}); err != nil || !strings.Contains(out.String(), `no canaries in namespace "empty"`) {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestStatusOptionsThatDoNotGoTogetherAreRefused(t *testing.T) {
	for want, o := range map[string]StatusOptions{
		"--output must be wide, json or yaml": {Output: "xml"},
		"a name is of one namespace":          {Name: "podinfo", AllNamespaces: true},
		"--timeout bounds --watch":            {Timeout: time.Second},
		"must not be negative":                {Watch: true, Timeout: -time.Second},
	} {
		err := Status(t.Context(), nil, Screen{}, o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// watchPodinfo runs a watch while the story happens.
func watchPodinfo(t *testing.T, w *world, s Screen, o StatusOptions, story ...func(*v1beta1.Canary)) error {
	t.Helper()
	o.Name, o.Watch = "podinfo", true
	ended := make(chan error, 1)
	go func() { ended <- Status(t.Context(), w.Cluster, s, o) }()
	<-w.watching
	for _, edit := range story {
		w.change(t, edit)
	}
	return <-ended
}

func TestWatchEndsWithTheRollout(t *testing.T) {
	promoted := func(c *v1beta1.Canary) {
		c.Status.Phase, c.Status.Analysis.Stage, c.Status.LastPromotedSpec = v1beta1.PhaseSucceeded, "", "podinfo-00002"
	}
	failed := func(c *v1beta1.Canary) {
		at(v1beta1.PhaseFailed, "")(c)
		c.Status.Analysis.Message = "success rate 61 %"
	}
	t.Run("well", func(t *testing.T) {
		out := new(paper)
		if err := watchPodinfo(t, newWorld(t, podinfo()), Screen{Out: out}, StatusOptions{}, at(v1beta1.PhasePromoting, v1beta1.StageWaitingForRoute), promoted); err != nil {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], "podinfo-00002 at 20 %, check 3") || !strings.Contains(lines[2], "test/podinfo Succeeded") {
			t.Errorf("want a line for each change, got %q", lines)
		}
	})
	t.Run("badly", func(t *testing.T) {
		err := watchPodinfo(t, newWorld(t, podinfo()), Screen{Out: new(paper)}, StatusOptions{}, failed)
		if err == nil || err.Error() != "the rollout of podinfo-00002 failed: success rate 61 %" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("of another time", func(t *testing.T) {
		err := watchPodinfo(t, newWorld(t, podinfo(at(v1beta1.PhaseFailed, ""))), Screen{Out: new(paper)}, StatusOptions{},
			at(v1beta1.PhaseProgressing, v1beta1.StageMeasuring), promoted)
		if err != nil {
			t.Errorf("the failure was before: %v", err)
		}
	})
	t.Run("never", func(t *testing.T) {
		err := watchPodinfo(t, newWorld(t, podinfo()), Screen{Out: new(paper)}, StatusOptions{Timeout: 50 * time.Millisecond})
		if err == nil || err.Error() != "no rollout of test/podinfo has ended within 50ms" {
			t.Errorf("got %v", err)
		}
	})
}

func TestWatchEndsWithCtrlC(t *testing.T) {
	w := newWorld(t, podinfo())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Status(ctx, w.Cluster, Screen{Out: new(paper), Live: true}, StatusOptions{Watch: true})
	}()
	<-w.watching
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("got %v", err)
	}
}

func TestWatchOfADeletedCanaryEnds(t *testing.T) {
	w := newWorld(t, podinfo())
	ended := make(chan error, 1)
	go func() {
		ended <- Status(t.Context(), w.Cluster, Screen{Out: new(paper)}, StatusOptions{Name: "podinfo", Watch: true})
	}()
	<-w.watching
	if err := w.Client.Delete(t.Context(), w.read(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || err.Error() != "canary test/podinfo was deleted" {
		t.Errorf("got %v", err)
	}
}

func TestWatchOutlivesAnOutage(t *testing.T) {
	w := newWorld(t, podinfo())
	lists := 0
	w.brief = true
	w.fails = func(verb string) error {
		if lists++; verb == "list" && lists == 2 {
			return errors.New("connection refused")
		}
		return nil
	}
	var seen []string
	err := follow(t.Context(), w.Client, &v1beta1.CanaryList{}, func(now []*v1beta1.Canary, lost error) bool {
		switch {
		case lost != nil:
			seen = append(seen, "lost")
		default:
			seen = append(seen, now[0].Name)
		}
		return len(seen) == 3
	})
	if err != nil || strings.Join(seen, " ") != "podinfo lost podinfo" {
		t.Errorf("%v, seen %v", err, seen)
	}
}

func TestLivePageIsDrawnOver(t *testing.T) {
	out := new(paper)
	w := newWorld(t, podinfo())
	screen := Screen{Out: out, Live: true, Size: func() (int, int) { return 60, 10 }}
	measured := func(n int64, p99 float64) func(*v1beta1.Canary) {
		return func(c *v1beta1.Canary) {
			c.Status.Analysis.Canary = &v1beta1.Measured{Requests: n, P99Milliseconds: p99}
		}
	}
	err := watchPodinfo(t, w, screen, StatusOptions{}, measured(2000, 400), func(c *v1beta1.Canary) {
		c.Status.Phase, c.Status.Analysis.Stage = v1beta1.PhaseSucceeded, ""
	})
	if err != nil {
		t.Fatal(err)
	}
	frames := strings.Split(out.String(), "\x1b[9A\r\x1b[J")
	if len(frames) < 3 {
		t.Fatalf("want frames of nine lines, drawn over each other, got %q", out.String())
	}
	last := frames[len(frames)-1]
	if !strings.Contains(last, "Succeeded") || strings.Count(last, "\n") != 9 || !strings.Contains(last, "more lines") {
		t.Errorf("the last frame is %q", last)
	}
}

func TestHistoryIsOfOneRevision(t *testing.T) {
	var h history
	c := podinfo()
	for i := range 100 {
		c.Status.Analysis.Canary = &v1beta1.Measured{Requests: int64(i/2 + 1), P99Milliseconds: float64(i)}
		h.note(c)
	}
	if len(h.p99) != sparkColumns || h.p99[sparkColumns-1] != 98 {
		t.Errorf("got %d values, the last %v", len(h.p99), h.p99[len(h.p99)-1])
	}
	c.Status.Analysis.CanaryRevision = "podinfo-00003"
	h.note(c)
	if len(h.p99) != 1 {
		t.Errorf("another revision goes on with %v", h.p99)
	}
}
