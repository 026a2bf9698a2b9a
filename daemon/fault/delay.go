package fault

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Delay is how much later a request is sent, in milliseconds, drawn for each
// request by itself and at most a minute.
type Delay struct {
	// Kind is fixed, uniform, normal or pareto.
	Kind string `json:"kind"`
	// Ms is the fixed delay.
	Ms float64 `json:"ms,omitempty"`
	// MinMs and MaxMs bound a uniform one.
	MinMs float64 `json:"minMs,omitempty"`
	MaxMs float64 `json:"maxMs,omitempty"`
	// MeanMs and StddevMs are of a normal one; what is below 0 is no delay.
	MeanMs   float64 `json:"meanMs,omitempty"`
	StddevMs float64 `json:"stddevMs,omitempty"`
	// ScaleMs is the least of a Pareto-distributed one, and Shape how fast the
	// tail falls: a delay is above x with probability (ScaleMs/x)^Shape.
	ScaleMs float64 `json:"scaleMs,omitempty"`
	Shape   float64 `json:"shape,omitempty"`
}

// The kinds of delays.
const (
	kindFixed   = "fixed"
	kindUniform = "uniform"
	kindNormal  = "normal"
	kindPareto  = "pareto"
)

func (d *Delay) validate() error {
	const most = float64(maxDelay / time.Millisecond)
	within := func(name string, v, least float64) error {
		if !(v >= least && v <= most) {
			return fmt.Errorf("delay.%s must be from %g to %g milliseconds, not %g", name, least, most, v)
		}
		return nil
	}
	if alien := d.alien(); alien != "" {
		return fmt.Errorf("delay.%s has no meaning for kind %s", alien, d.Kind)
	}
	switch d.Kind {
	case kindFixed:
		return within("ms", d.Ms, 1)
	case kindUniform:
		if d.MinMs > d.MaxMs {
			return fmt.Errorf("delay.minMs %g is more than maxMs %g", d.MinMs, d.MaxMs)
		}
		return errors.Join(within("minMs", d.MinMs, 0), within("maxMs", d.MaxMs, 1))
	case kindNormal:
		return errors.Join(within("meanMs", d.MeanMs, 1), within("stddevMs", d.StddevMs, 0))
	case kindPareto:
		if !(d.Shape > 0 && d.Shape <= 100) {
			return fmt.Errorf("delay.shape must be above 0 and at most 100, not %g: 1.5 has a long tail, 3 a short one", d.Shape)
		}
		return within("scaleMs", d.ScaleMs, 1)
	}
	return fmt.Errorf("delay.kind must be fixed, uniform, normal or pareto, not %q", d.Kind)
}

// alien names a number that is of another kind.
func (d *Delay) alien() string {
	for _, f := range []struct {
		name, kind string
		value      float64
	}{
		{"ms", kindFixed, d.Ms},
		{"minMs", kindUniform, d.MinMs}, {"maxMs", kindUniform, d.MaxMs},
		{"meanMs", kindNormal, d.MeanMs}, {"stddevMs", kindNormal, d.StddevMs},
		{"scaleMs", kindPareto, d.ScaleMs}, {"shape", kindPareto, d.Shape},
	} {
		if f.value != 0 && f.kind != d.Kind {
			return f.name
		}
	}
	return ""
}

// draw returns one delay.
func (d *Delay) draw() time.Duration {
	ms := d.Ms
	switch d.Kind {
	case kindUniform:
		ms = d.MinMs + rand.Float64()*(d.MaxMs-d.MinMs)
	case kindNormal:
		ms = d.MeanMs + rand.NormFloat64()*d.StddevMs
	case kindPareto:
		ms = d.ScaleMs / math.Pow(1-rand.Float64(), 1/d.Shape) // by inversion
	}
	return time.Duration(min(max(ms, 0), float64(maxDelay/time.Millisecond)) * float64(time.Millisecond))
}

// String says "by 1s" or "by 100ms to 2s".
func (d *Delay) String() string {
	ms := func(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }
	switch d.Kind {
	case kindUniform:
		return fmt.Sprintf("by %v to %v", ms(d.MinMs), ms(d.MaxMs))
	case kindNormal:
		return fmt.Sprintf("by %v on average, with a standard deviation of %v", ms(d.MeanMs), ms(d.StddevMs))
	case kindPareto:
		return fmt.Sprintf("by %v and more, with a Pareto tail of shape %g", ms(d.ScaleMs), d.Shape)
	}
	return fmt.Sprintf("by %v", ms(d.Ms))
}
