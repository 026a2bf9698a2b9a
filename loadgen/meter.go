package loadgen

import "time"

// Meter measures how busy this process is: a generator that has no processor
// left is late, and says so in its lag.
type Meter struct {
	since time.Time
	used  time.Duration
}

// NewMeter starts a measurement.
func NewMeter() *Meter { return &Meter{since: time.Now(), used: processTime()} }

// Cores is how many cores the process has used on average since the meter was
// made. It is 0 where the system does not say.
func (m *Meter) Cores() float64 {
	elapsed := time.Since(m.since)
	if elapsed <= 0 {
		return 0
	}
	return float64(processTime()-m.used) / float64(elapsed)
}
