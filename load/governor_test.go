package load

import (
	"slices"
	"testing"
)

// Each interval is requests a second and cores used, and what follows from it.
func TestGovernorUsesAsFewProcessorsAsWillDo(t *testing.T) {
	type interval struct {
		perSecond, cores float64
		want             int
	}
	for _, tc := range []struct {
		name      string
		rate      float64
		start     int
		intervals []interval
	}{
		{"a low rate needs one", 100, 1, []interval{{100, 0.1, 1}, {100, 0.1, 1}}},
		{"costly requests need more", 1000, 1, []interval{{1000, 0.9, 2}, {1000, 1.5, 4}, {1000, 2.0, 4}, {1000, 2.9, 8}, {1000, 7, 8}}},
		{"a high rate starts with several", 50_000, 3, []interval{{50_000, 1.5, 3}}},
		{"any rate gets no more than there are", 1_000_000, 8, []interval{{1_000_000, 8, 8}}},
		{"more help", 0, 1, []interval{{100, 1, 2}, {190, 2, 4}, {370, 4, 8}, {700, 8, 8}}},
		{"two do not help", 0, 1, []interval{{100, 1, 2}, {105, 2, 1}, {100, 1, 1}}},
		{"four do not help", 0, 1, []interval{{100, 1, 2}, {180, 2, 4}, {190, 3, 2}, {190, 2, 2}}},
		{"a slow server needs one", 0, 1, []interval{{100, 0.2, 1}, {100, 0.2, 1}}},
	} {
		g := newGovernor(tc.rate, 8)
		if g.procs != tc.start {
			t.Errorf("%s: starts with %d, want %d", tc.name, g.procs, tc.start)
		}
		var got, want []int
		for _, i := range tc.intervals {
			got, want = append(got, g.next(i.perSecond, i.cores)), append(want, i.want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tc.name, got, want)
		}
	}
}
