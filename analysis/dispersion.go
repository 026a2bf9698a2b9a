package analysis

import "math"

// dispersion estimates by which factor the counts of a second vary more than
// those of independent requests would: errors come in bursts, and one burst is
// one piece of evidence, not twenty.
//
// It is Pearson's estimate, the mean squared residual of batches over its
// binomial expectation (McCullagh & Nelder, "Generalized Linear Models", 1989,
// §4.5.2). Batches of one, two, four and eight seconds are tried, as bursts may
// last longer than a second (Flyvbjerg & Petersen, "Error estimates on averages
// of correlated data", 1989). A revision that becomes bad looks like a burst at
// first, and takes some seconds more to fail.
type dispersion struct {
	levels [4]level
}

// level holds the batches of one length.
type level struct {
	batch            int64   // the open one
	x, n             float64 // of the open one
	count            float64 // of closed batches
	sumX, sumN, sumQ float64 // Σx, Σn, Σx²/n of the closed batches
}

// add adds x, of n requests, to the batches of a second. Seconds must not
// decrease.
func (d *dispersion) add(second int64, x, n float64) {
	if n == 0 {
		return
	}
	for i := range d.levels {
		l := &d.levels[i]
		if batch := second >> i; batch != l.batch {
			l.close()
			l.batch = batch
		}
		l.x += x
		l.n += n
	}
}

func (l *level) close() {
	if l.n > 0 {
		l.count++
		l.sumX += l.x
		l.sumN += l.n
		l.sumQ += l.x * l.x / l.n
	}
	l.x, l.n = 0, 0
}

// factorOfCounts is the factor of counts, of which one independent request has
// the given variance, that of a Bernoulli trial or of a difference of two.
func (d *dispersion) factorOfCounts(variance float64) float64 {
	return d.factor(variance, 1/variance)
}

// factor is at least 1. variance and kurtosis (in excess of the normal) are those
// of one independent request.
func (d *dispersion) factor(variance, kurtosis float64) float64 {
	factor := 1.0
	if variance <= 0 {
		return factor
	}
	for _, l := range d.levels { // a copy, in which the open batch counts as it is
		l.close()
		factor = max(factor, l.factor(variance, kurtosis))
	}
	return factor
}

// doubt is the number of standard errors that are taken off an estimate, so
// that chance alone seldom delays a verdict. The estimate's own error matters
// least where bursts are large, which is where it matters that they are seen.
const doubt = 1.5

func (l *level) factor(variance, kurtosis float64) float64 {
	if l.count < 2 {
		return 1
	}
	free := l.count - 1
	residual := l.sumQ - l.sumX*l.sumX/l.sumN
	spread := math.Sqrt((2 + kurtosis*l.count/l.sumN) / free)
	return residual/(variance*free) - doubt*spread
}
