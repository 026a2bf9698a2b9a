package report

import (
	"strings"
	"testing"
	"time"
)

func labels(a axis) string {
	var out []string
	for _, t := range a.ticks {
		if t.label != "" {
			out = append(out, t.label)
		}
	}
	return strings.Join(out, ", ")
}

func TestTicksAreRoundNumbers(t *testing.T) {
	for _, test := range []struct {
		name string
		axis axis
		want string
	}{
		{"linear from 0", latencyAxis(0.012, 0.0433), "0, 10 ms, 20 ms, 30 ms, 40 ms, 50 ms"},
		{"linear across units", latencyAxis(0.3, 1.1), "0, 500 ms, 1 s, 1.5 s"},
		{"one value", latencyAxis(0.0004, 0.0004), "0, 100 µs, 200 µs, 300 µs, 400 µs"},
		{"logarithmic", latencyAxis(0.0021, 0.09), "2 ms, 5 ms, 10 ms, 20 ms, 50 ms, 100 ms"},
		{"logarithmic, wide", latencyAxis(10e-6, 60), "10 µs, 100 µs, 1 ms, 10 ms, 100 ms, 1 s, 10 s, 100 s"},
		{"a second", timeAxis(time.Second, 6), "0 s, 0.2 s, 0.4 s, 0.6 s, 0.8 s, 1 s"},
		{"half a minute", timeAxis(30*time.Second, 6), "0 s, 5 s, 10 s, 15 s, 20 s, 25 s, 30 s"},
		{"minutes", timeAxis(12*time.Minute, 6), "0 min, 2 min, 4 min, 6 min, 8 min, 10 min, 12 min"},
		{"hours", timeAxis(5*time.Hour, 6), "0 h, 1 h, 2 h, 3 h, 4 h, 5 h"},
		{"days", timeAxis(100*24*time.Hour, 6), "0 h, 500 h, 1000 h, 1500 h, 2000 h"},
		{"no time", timeAxis(0, 6), "0 ms, 0.2 ms, 0.4 ms, 0.6 ms, 0.8 ms, 1 ms"},
		{"rates", rateAxis(51, 4), "0, 20/s, 40/s, 60/s"},
		{"high rates", rateAxis(81000, 4), "0, 50,000/s, 100,000/s"},
		{"low rates", rateAxis(0.31, 4), "0, 0.1/s, 0.2/s, 0.3/s, 0.4/s"},
		{"one request", percentileAxis(1, 800), "0%, 50%, 90%"},
		{"1,500 requests", percentileAxis(1500, 800), "0%, 50%, 90%, 99%, 99.9%"},
		{"a million on a narrow screen", percentileAxis(1e6, 400), "0%, 90%, 99%, 99.9%, 99.99%, 99.999%, 99.9999%"},
		{"a trillion", percentileAxis(1e12, 400), "0%, 99%, 99.99%, 99.9999%, 99.999999%, 99.99999999%, 99.9999999999%"},
	} {
		if got := labels(test.axis); got != test.want {
			t.Errorf("%s: %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestAxisHoldsWhatItWasMadeFor(t *testing.T) {
	for _, ends := range [][2]float64{{1e-6, 1e-6}, {1e-6, 60}, {0.001, 0.001}, {0.0099, 0.0101}, {0.3, 10}, {59.9, 60}} {
		a := latencyAxis(ends[0], ends[1])
		if a.lo > ends[0] || a.hi < ends[1]*(1-1e-9) {
			t.Errorf("the axis for %g to %g is from %g to %g", ends[0], ends[1], a.lo, a.hi)
		}
		if a.at(a.lo) != 0 || a.at(a.hi) != 1 || a.at(-1) != 0 || a.at(1e9) != 1 {
			t.Errorf("the axis for %g to %g does not begin at 0 and end at 1", ends[0], ends[1])
		}
	}
}
