package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The logs and their values are described in testdata/README.md. The instants
// and quantiles are what the other programs say of them, but for the ends that
// we saturate at, and for what two or five digits become with three.
func TestLogsOfOtherPrograms(t *testing.T) {
	const ms = time.Millisecond
	start := time.UnixMilli(1767323045123)
	type interval struct {
		tag           string
		start, length time.Duration
		count         int64
		saturated     int64
		resolution    int64 // one part in so many
		quantiles     [4]time.Duration
	}
	at := [4]float64{0, 0.5, 0.99, 1}
	for file, want := range map[string][]interval{
		"java-2.1.11.hlog": {
			{"", 0, 1000 * ms, 1000, 0, 1000, [4]time.Duration{ms, 500 * ms, 990 * ms, 1000 * ms}},
			{"coarse", 0, 1000 * ms, 1000, 0, 100, [4]time.Duration{ms, 500 * ms, 990 * ms, 1000 * ms}},
			{"fine", ms, 1000 * ms, 1000, 0, 1000, [4]time.Duration{ms / 100, 5 * ms, 9900 * ms / 1000, 10 * ms}},
			{"outside", 0, 1000 * ms, 12, 5, 1000, [4]time.Duration{MinLatency, 1000 * ms, MaxLatency, MaxLatency}},
			{"many", 0, 1000 * ms, 1_000_000_000_000_000, 0, 1000, [4]time.Duration{5 * ms, 5 * ms, 5 * ms, 5 * ms}},
			{"late", 1000 * ms, 1000 * ms, 0, 0, 1000, [4]time.Duration{}},
			{"late", 2000 * ms, 1500 * ms, 1, 0, 1000, [4]time.Duration{7 * ms, 7 * ms, 7 * ms, 7 * ms}},
		},
		"js-3.0.1.hlog": {
			{"", 127 * ms, 1007 * ms, 1000, 0, 1000, [4]time.Duration{ms, 500 * ms, 990 * ms, 1000 * ms}},
			{"half", 127 * ms, 1007 * ms, 501, 0, 1000, [4]time.Duration{500 * ms, 750 * ms, 995 * ms, 1000 * ms}},
			{"half", 1134 * ms, 1000 * ms, 0, 0, 1000, [4]time.Duration{}},
		},
	} {
		log, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := all(ReadLog(bytes.NewReader(log)))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %d intervals, error %v; want %d", file, len(got), err, len(want))
		}
		for i, w := range want {
			iv, h := got[i], got[i].Histogram
			name := fmt.Sprintf("%s, interval %d", file, i)
			if iv.Tag != w.tag || !iv.Start.Equal(start.Add(w.start)) || iv.End.Sub(iv.Start) != w.length {
				t.Errorf("%s: %q %v to %v", name, iv.Tag, iv.Start, iv.End)
			}
			if h.Count() != w.count || h.Saturated() != w.saturated {
				t.Errorf("%s: %d values, %d saturated; want %d and %d", name, h.Count(), h.Saturated(), w.count, w.saturated)
			}
			for k, q := range at {
				got, want := h.Quantile(q), w.quantiles[k]
				if (got - want).Abs() > want/time.Duration(w.resolution)+MinLatency/2 {
					t.Errorf("%s: quantile %g is %v, want %v", name, q, got, want)
				}
			}
		}
	}
}

func TestTimesOfForeignLogs(t *testing.T) {
	const h = "HISTFAAAACd42pJpmSzMwMDAyAABzFDqBQMDA+8P9wgG+w9QGUAAAAD//2GWBQk="
	const year = 365 * 24 * time.Hour
	at := func(d time.Duration) time.Time { return time.Unix(0, 0).Add(d) }
	for _, tc := range []struct {
		name, log  string
		start, end time.Time
	}{
		{"neither start nor base: since 1970", "1000000000.25,0.5,0.000," + h, at(1000000000_250 * time.Millisecond), at(1000000000_750 * time.Millisecond)},
		{"relative to the start", "#[StartTime: 1000000000.1 (seconds since epoch)]\n0.2,0.3,0.000," + h, at(1000000000_300 * time.Millisecond), at(1000000000_600 * time.Millisecond)},
		{"a year before the start is absolute", "#[StartTime: 63072000.000 (x)]\n31536000,1,0," + h, at(year), at(year + time.Second)},
		{"more than that is relative", "#[StartTime: 63072000.000 (x)]\n31535999,1,0," + h, at(3*year - time.Second), at(3 * year)},
		{"base beside start", "#[StartTime: 5.000 (x)]\n#[BaseTime: 7 (x)]\n1.000,1.000,0.000," + h, at(8 * time.Second), at(9 * time.Second)},
		{"base without start", "#[BaseTime: 7]\n1,1,0," + h, at(8 * time.Second), at(9 * time.Second)},
		{"nanoseconds beside the epoch", "#[BaseTime: 1767323045.123456789 (x)]\n0.000000001,1.000000001,0," + h, at(1767323045_123456790), at(1767323046_123456791)},
		{"before the base", "#[BaseTime: 7 (x)]\n-1.5,1,0," + h, at(5500 * time.Millisecond), at(6500 * time.Millisecond)},
		{"other line ends, spaces and blank lines", "\r\n#[BaseTime: 7 (x)]\r\n\r\n 1 , 1 , 0 , " + h + " \r\n\r\n", at(8 * time.Second), at(9 * time.Second)},
	} {
		got, err := all(ReadLog(strings.NewReader(tc.log)))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		want := []Interval{{"", tc.start, tc.end, new(Histogram)}}
		if d := differs(want, got); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
	}
}
