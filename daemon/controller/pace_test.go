package controller

import (
	"fmt"
	"testing"
	"time"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// duel is Serin against somebody who overwrites spec.traffic again and again, for an
// hour. Nobody's clock runs: the times are passed on.
type duel struct {
	// every is the time between the other's writes, of which the first one comes
	// offset after Serin's last write.
	every, offset time.Duration
	// reaction is how long after a write the daemon decides.
	reaction time.Duration

	writes int           // Serin's
	late   time.Duration // the longest that a write was left unanswered, once seen
	wrong  time.Duration // the time in which spec.traffic was the other's
}

const none = time.Duration(-1)

func (d *duel) fight() {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var p pace
	mine := divided(100)
	p.wrote(began, mine)
	d.writes = 1
	// Since when spec.traffic is the other's, since when Serin has seen it, and
	// when Serin decides next.
	taken, seen, decision := none, none, none
	for other := d.offset; ; {
		if decision == none || other < decision {
			if other > time.Hour {
				return
			}
			if taken == none {
				taken, seen, decision = other, other+d.reaction, other+d.reaction
			}
			other += d.every
			continue
		}
		if wait := p.wait(began.Add(decision), mine); wait > 0 {
			decision += wait
			continue
		}
		if decision > time.Hour {
			return
		}
		p.wrote(began.Add(decision), mine)
		d.writes++
		d.late, d.wrong = max(d.late, decision-seen), d.wrong+decision-taken
		taken, seen, decision = none, none, none
	}
}

// divided is a Service whose primary revision has a percentage.
func divided(percent int64) *servingv1.Service {
	s := &servingv1.Service{ObjectMeta: podinfoMeta()}
	s.Spec.Traffic = []servingv1.TrafficTarget{share(rev1, "primary", percent)}
	return s
}

// A writer who overwrites spec.traffic again and again is answered every time, and the
// API server is not worn out by that.
func TestOverwrittenTrafficIsPutBackAtABoundedPace(t *testing.T) {
	for _, d := range []duel{
		{every: 100 * time.Millisecond, offset: 100 * time.Millisecond},
		{every: 250 * time.Millisecond, offset: 250 * time.Millisecond},
		{every: time.Second, offset: time.Second},
		{every: time.Second, offset: 500 * time.Millisecond},
		{every: 10 * time.Second, offset: 10 * time.Second},
	} {
		t.Run(fmt.Sprintf("every %s from %s on", d.every, d.offset), func(t *testing.T) {
			d.reaction = 20 * time.Millisecond
			d.fight()
			if limit := 1 + int(time.Hour/putBackEvery); d.writes > limit {
				t.Errorf("%d writes in an hour, more than %d", d.writes, limit)
			}
			if least := int(time.Hour / (putBackEvery + d.every)); d.writes < least {
				t.Errorf("%d writes in an hour, less than %d", d.writes, least)
			}
			if d.late > putBackEvery {
				t.Errorf("a write was seen and not answered for %s, at most %s is right", d.late, putBackEvery)
			}
			if d.offset >= putBackEvery && d.late > 0 {
				t.Errorf("a write was answered after %s, although there was no other for as long as %s", d.late, putBackEvery)
			}
			// The Route follows each write after 100 ms, so that it is wrong for as
			// long as spec.traffic is.
			t.Logf("%d writes of Serin's; the wrong revision has users for %.0f s of 3600 s", d.writes, d.wrong.Seconds())
		})
	}
}

// Only the same division of the same Service has to wait.
func TestAnotherDivisionIsNeverLate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var p pace
	if wait := p.wait(now, divided(100)); wait != 0 {
		t.Errorf("the first write waits %s", wait)
	}
	p.wrote(now, divided(100))
	elsewhere := divided(100)
	elsewhere.Name = "other"
	for _, tc := range []struct {
		name  string
		after time.Duration
		next  *servingv1.Service
		want  time.Duration
	}{
		{"the same at once", 0, divided(100), time.Second},
		{"the same after 999 ms", 999 * time.Millisecond, divided(100), time.Millisecond},
		{"the same after 1 s", time.Second, divided(100), 0},
		{"the same after an hour", time.Hour, divided(100), 0},
		{"another division", 0, divided(80), 0},
		{"another Service", 0, elsewhere, 0},
	} {
		if got := p.wait(now.Add(tc.after), tc.next); got != tc.want {
			t.Errorf("%s waits %s, want %s", tc.name, got, tc.want)
		}
	}
	p.forget(podinfo)
	if wait := p.wait(now, divided(100)); wait != 0 {
		t.Errorf("a Service that was forgotten waits %s", wait)
	}
}

// What is put back too soon is put back when its time has come, and not only when
// something else happens.
func TestPuttingBackIsNotForgotten(t *testing.T) {
	inWorld(t, func(w *world) {
		initialized(w, nil)
		w.initial = nil
		began := time.Now()
		for _, at := range []time.Duration{10 * time.Second, 10*time.Second + 300*time.Millisecond} {
			pass(time.Until(began.Add(at)))
			w.divide(share(rev1, "", 100))
			w.run(func(*world) bool { return tags(w.service().Spec.Traffic)["primary"] == rev1 })
		}
		if took := time.Since(began); took != 11*time.Second {
			t.Errorf("the second write of one second was answered %s after the beginning, want 11s", took)
		}
		if w.writes == 0 || w.service().ManagedFields[0].Manager != "serin" {
			t.Errorf("spec.traffic is not Serin's: %+v", w.service().ManagedFields)
		}
	})
}
