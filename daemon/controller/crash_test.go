package controller

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// In the way of Sieve (Sun et al., OSDI 2022): a daemon may die before or after each
// of its writes, and the one that goes on may see the world as it is, as it was, or
// not be told of it. Whatever happens, a story ends as it does without.
func TestStoriesEndTheSameWhateverFails(t *testing.T) {
	total := make(chan int, len(stories()))
	t.Run("stories", func(t *testing.T) {
		for _, s := range stories() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				total <- s.checkAll(t)
			})
		}
	})
	close(total)
	sum := 0
	for n := range total {
		sum += n
	}
	t.Logf("%d points in all", sum)
}

// checkAll runs a story with each fault, and says how many there are.
func (s story) checkAll(t *testing.T) int {
	without := s.without(t)
	if without.writes < s.least {
		t.Fatalf("%d writes, there must be %d", without.writes, s.least)
	}
	faults := s.faults(without)
	for _, f := range faults {
		point := without.points.serin
		if f.by == others {
			point = without.points.others
		}
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { s.check(point[f.write-1].resume(t), f, without) })
		})
	}
	t.Logf("%d writes of Serin's, %d of others', %d reconciles: %d points", without.writes, without.others, without.turns, len(faults))
	return len(faults)
}

// without is the story as it goes without a fault, at its end.
func (s story) without(t *testing.T) (end *world) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s.begin(w)
		w.writes, w.others, w.turns = 0, 0, 0
		w.plan, w.points = s.plan, new(points)
		w.run(s.end)
		end = w.copy()
	})
	return end
}

// faults are all that a story can meet with.
func (s story) faults(without *world) []fault {
	var faults []fault
	for write := 1; write <= without.writes; write++ {
		for _, c := range crashes {
			for _, v := range views {
				if c == survives && (v == fresh || s.away) {
					continue
				}
				faults = append(faults, fault{write: write, by: serin, crash: c, view: v, away: s.away})
			}
		}
	}
	for write := 1; write <= without.others && !s.away; write++ {
		for _, v := range views[1:] {
			faults = append(faults, fault{write: write, by: others, view: v})
		}
	}
	return faults
}

// check runs the rest of a story with a fault in it.
func (s story) check(w *world, f fault, without *world) {
	w.fault = f
	end := s.end
	if s.away {
		w.plan, end = nil, gone
	}
	w.run(end)
	if !w.fault.struck {
		w.Fatal("the fault has not struck")
	}
	if s.away {
		s.checkLeft(w)
	} else if diff := cmp.Diff(without.outcome(), w.outcome()); diff != "" {
		w.Errorf("it ends differently (-without the fault +with it):\n%s\n%s", diff, w.story())
	}
	// What nobody tells a daemon of it sees at the deadline at the latest; one that is
	// told of nothing at all, when its caches resync.
	late := deadline + time.Second
	if f.crash != survives && f.view == deaf {
		late += resyncEvery
	}
	if took := time.Since(without.copied); took > late {
		w.Errorf("it ends %s later than without the fault, want %s at most", took, late)
	}
	writes := w.writes
	w.tellAll()
	for w.step() {
	}
	if w.writes != writes {
		w.Errorf("%d more writes where all is done\n%s", w.writes-writes, w.story())
	}
}
