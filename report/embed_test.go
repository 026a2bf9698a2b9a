package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rollout is two with a weight that rises.
func rollout() *Run {
	r := runs()["two"]
	r.Targets[0].Label, r.Targets[1].Label = "Primary", "Canary"
	r.Weights = []Level{{At: -time.Minute, Percent: 0}, {At: 10 * time.Second, Percent: 20}, {At: 20 * time.Second, Percent: 0}}
	return r
}

func TestChartsOfARollout(t *testing.T) {
	var got bytes.Buffer
	for _, c := range Charts(rollout()) {
		got.WriteString(c.Name + ": " + c.Title + "\n" + c.Inline("wide", 580) + "\n")
	}
	golden(t, "rollout.svg", got.Bytes())
}

func TestChartsAreThereWhenThereIsSomethingToDraw(t *testing.T) {
	names := func(r *Run) string {
		var out []string
		for _, c := range Charts(r) {
			out = append(out, c.Name)
		}
		return strings.Join(out, " ")
	}
	begun := &Run{Weights: []Level{{}}}
	for name, tc := range map[string]struct {
		run  *Run
		want string
	}{
		"a rollout":            {rollout(), "weight success latency spectrum rate failures"},
		"a load without steps": {runs()["two"], "success latency spectrum rate failures"},
		"nothing measured yet": {begun, "weight"},
		"nothing at all":       {&Run{}, ""},
		"no series":            {extremes()["no series"], "spectrum"},
	} {
		if got := names(tc.run); got != tc.want {
			t.Errorf("%s has %q, want %q", name, got, tc.want)
		}
	}
}

// Embedded charts stand on pages whose policy forbids styles within elements.
func TestEmbeddedChartsAreWellFormedAndHaveRoom(t *testing.T) {
	all := extremes()
	all["rollout"] = rollout()
	delete(all, "closed") // a rollout is an open loop
	for name, r := range all {
		r.Weights = append(r.Weights, Level{Percent: 100})
		for _, c := range Charts(r) {
			for _, width := range []int{320, 380, 580} {
				on := c.Inline("wide", width)
				elements := decodeSVG(t, on)
				checkLabels(t, name+" "+c.Name, elements[1:], float64(width), 1000)
				for _, e := range elements {
					for attr, v := range e.attr {
						if attr == "style" || strings.HasPrefix(attr, "on") || strings.Contains(v, "NaN") || strings.Contains(v, "Inf") {
							t.Errorf("%s: <%s %s=%q>", name, e.name, attr, v)
						}
					}
				}
			}
		}
	}
}

func TestSummaryRelatesTheCanaryToThePrimary(t *testing.T) {
	got := Summary(rollout())
	want := [][]string{
		{"", "Primary", "Canary", "Difference"},
		{"Requests", "1,500", "1,500", ""},
	}
	if diff := cmp.Diff(want, got[:2]); diff != "" {
		t.Error(diff)
	}
	for _, row := range got {
		if len(row) != 4 {
			t.Errorf("row %v has %d cells, want 4", row, len(row))
		}
	}
	if last := got[2][3]; !strings.HasSuffix(last, " points") || !strings.HasPrefix(last, "-") {
		t.Errorf("the canary failed more, and the difference is %q", last)
	}
}

// A hundred points say what three hundred said, but for the time in which they
// said it.
func TestCoarseChartsKeepEveryRequest(t *testing.T) {
	r := runs()["long"]
	before, after := r.Targets[0].Series.points, r.coarse().Targets[0].Series.points
	if len(after) > coarsePoints || len(after) < coarsePoints/3 {
		t.Errorf("%d points of %d, want at most %d", len(after), len(before), coarsePoints)
	}
	sum := func(points []point) (requests, failures, recorded int64, length time.Duration) {
		for i := range points {
			requests += points[i].requests
			failures += points[i].failures
			recorded += points[i].response.TotalCount()
			length += points[i].length
		}
		return
	}
	a, b, c, d := sum(before)
	if e, f, g, h := sum(after); a != e || b != f || c != g || d != h {
		t.Errorf("coarse: %d %d %d %v, want %d %d %d %v", e, f, g, h, a, b, c, d)
	}
	if a2, _, c2, _ := sum(r.Targets[0].Series.points); a2 != a || c2 != c {
		t.Error("making it coarse changed the series itself")
	}
}

// One failure in a thousand must be seen, and the axis must not go below 0%.
func TestSuccessAxisHoldsTheWorst(t *testing.T) {
	for _, worst := range []float64{0, 3, 50, 97.5, 98.999, 99} {
		a := percentAxis(worst, 4)
		if a.lo > worst || a.lo < 0 || a.hi != 100 || len(a.ticks) < 2 {
			t.Errorf("the axis for %g%% is from %g to %g with %d ticks", worst, a.lo, a.hi, len(a.ticks))
		}
	}
}
