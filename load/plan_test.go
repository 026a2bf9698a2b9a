package load

import (
	"math"
	"testing"
	"time"
)

// The mean rate that is asked for is that of the schedule's own starts.
func TestRateIntendedIsTheSchedules(t *testing.T) {
	for _, args := range [][]string{
		{"-rate", "50"},
		{"-rate", "100", "-ramp", "4s"},
		{"-steps", "100x2s,0x1s,300x2s"},
		{"-rate", "100", "-ramp", "4s", "-z", "5s"},
		{"-steps", "100x2s,300x2s", "-z", "3s"},
	} {
		o, err := parse(append(args, "http://h"))
		if err != nil {
			t.Fatal(err)
		}
		for _, elapsed := range []time.Duration{time.Second, 3 * time.Second, 4500 * time.Millisecond, 9 * time.Second} {
			horizon := elapsed
			if o.hey.Duration > 0 {
				horizon = min(elapsed, o.hey.Duration)
			}
			n := 0.0
			for at := range o.schedule() {
				if at >= horizon {
					break
				}
				n++
			}
			if got, want := o.rateIntended(elapsed), n/horizon.Seconds(); math.Abs(got-want) > 1/horizon.Seconds() {
				t.Errorf("%v after %v: %g/s, want %g/s", args, elapsed, got, want)
			}
		}
	}
}
