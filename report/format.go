package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/measure"
)

// latency is d with three significant digits: 980 µs, 1.02 ms, 12.3 s.
func latency(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Microsecond, "µs"}, {time.Millisecond, "ms"}} {
		if v := float64(d) / float64(u.size); v < 999.5 {
			return threeDigits(v) + " " + u.name
		}
	}
	return threeDigits(d.Seconds()) + " s"
}

// roundLatency is d, a round number, without needless digits: 5 ms.
func roundLatency(d time.Duration) string {
	if d <= 0 {
		return "0"
	}
	number, unit, _ := strings.Cut(latency(d), " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return number + " " + unit
}

// latencyOf is the quantile q of h, and a dash where there is none.
func latencyOf(h *measure.Histogram, q float64) string {
	if h.Count() == 0 {
		return none
	}
	return latency(h.Quantile(q))
}

// none stands for what was not measured.
const none = "–"

// threeDigits is v, which is not negative, with three significant digits, and
// all of those before the point.
func threeDigits(v float64) string {
	switch {
	case v < 9.995:
		return fmt.Sprintf("%.2f", v)
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	return count(int64(math.Round(v)))
}

// rate is v in requests/s.
func rate(v float64) string { return threeDigits(v) + "/s" }

// count is n with a comma before each three digits.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// percent is part of whole, rounded down: one failure in a million must not
// read 100%. It is a dash for a whole of nothing.
func percent(part, whole int64) string {
	if whole <= 0 {
		return none
	}
	hundredths := int64(float64(part) / float64(whole) * 10000)
	if hundredths == 10000 && part < whole {
		hundredths--
	}
	if hundredths == 10000 {
		return "100%"
	}
	return fmt.Sprintf("%d.%02d%%", hundredths/100, hundredths%100)
}

// success is the success rate.
func success(s *measure.Snapshot) string {
	return percent(s.Requests()-s.Failures, s.Requests())
}

// span is a time in the units that people use for it: 1.5 s, 2 min 5 s, 3 h
// 12 min.
func span(d time.Duration) string {
	switch s := int64(d.Round(time.Second) / time.Second); {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return units(s/60, "min", s%60, "s")
	default:
		return units(s/3600, "h", s%3600/60, "min")
	}
}

func units(large int64, largeUnit string, small int64, smallUnit string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, largeUnit)
	}
	return fmt.Sprintf("%d %s %d %s", large, largeUnit, small, smallUnit)
}

// change is a ratio for people: +8.2%, -12%, and ×3.4 where percent become
// unreadable. Nil is a dash.
func change(ratio *float64) string {
	switch {
	case ratio == nil:
		return none
	case *ratio >= 9.95:
		return fmt.Sprintf("×%.0f", *ratio)
	case *ratio >= 2:
		return fmt.Sprintf("×%.1f", *ratio)
	}
	return signed(100*(*ratio-1), "%")
}

// signed is v with its sign, one digit after the point, and no sign at 0.
func signed(v float64, unit string) string {
	v = math.Round(10*v) / 10
	if v == 0 {
		return "0" + unit
	}
	return fmt.Sprintf("%+.1f%s", v, unit)
}

// plural is n of something.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}
