package report

import (
	"math"
	"testing"
	"time"
)

func TestFiguresForPeople(t *testing.T) {
	ratio := func(v float64) *float64 { return &v }
	for got, want := range map[string]string{
		latency(1000 * time.Nanosecond):     "1.00 µs",
		latency(999400 * time.Nanosecond):   "999 µs",
		latency(999500 * time.Nanosecond):   "1.00 ms",
		latency(9996 * time.Microsecond):    "10.0 ms",
		latency(60 * time.Second):           "60.0 s",
		roundLatency(100 * time.Second):     "100 s",
		roundLatency(500 * time.Nanosecond): "0.5 µs",
		roundLatency(0):                     "0",
		count(0):                            "0",
		count(999):                          "999",
		count(1000):                         "1,000",
		count(12345678):                     "12,345,678",
		rate(1234.4):                        "1,234/s",
		percent(0, 0):                       "–",
		percent(1, 1):                       "100%",
		percent(999999, 1000000):            "99.99%",
		percent(1<<60-1, 1<<60):             "99.99%",
		percent(1, 3):                       "33.33%",
		percent(0, 3):                       "0.00%",
		span(0):                             "0 s",
		span(1540 * time.Millisecond):       "1.5 s",
		span(59600 * time.Millisecond):      "1 min",
		span(125 * time.Second):             "2 min 5 s",
		span(192 * time.Minute):             "3 h 12 min",
		span(50 * time.Hour):                "50 h",
		change(nil):                         "–",
		change(ratio(1)):                    "0%",
		change(ratio(1.0004)):               "0%",
		change(ratio(0.5)):                  "-50.0%",
		change(ratio(1.2)):                  "+20.0%",
		change(ratio(3.42)):                 "×3.4",
		change(ratio(123.4)):                "×123",
		letter(0) + letter(25) + letter(26): "AZT27",
		px(math.NaN()) + px(math.Inf(1)):    "00",
		shorten("http://a.test/b", 6.8*8):   "http://…",
		plural(1, "request", "requests"):    "1 request",
		plural(2000, "request", "requests"): "2,000 requests",
		printable("a\x1b[2J\tb\xffé\u0085"): "a\uFFFD[2J\uFFFDb\uFFFDé\uFFFD",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
