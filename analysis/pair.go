package analysis

import "math"

// affine is the proportion offset + slope·p, within [0,1].
type affine struct{ offset, slope float64 }

func (a affine) of(p float64) float64 { return min(max(a.offset+a.slope*p, 0), 1) }

// pair is what was counted of both revisions.
type pair struct{ primary, canary tally }

func (p *pair) add(other pair) {
	p.primary.add(other.primary)
	p.canary.add(other.canary)
}

// logAbove is the logarithm of the evidence against the hypothesis that the
// canary revision's proportion is at most limit(the primary one's), whatever
// the latter is; logBelow of that against its being at least that.
//
// It is the running likelihood ratio of universal inference (L. Wasserman,
// A. Ramdas, S. Balakrishnan, PNAS 2020, §8): the likelihood of both counts under
// a mixture that was chosen beforehand, divided by the largest that the
// hypothesis allows. The divisor is at least the likelihood under the truth, so
// under the hypothesis this is at most an e-process. That it is a function of
// the counts alone makes it independent of their order.
//
// The mixture is, for each revision, half Beta(1/2,1/2), whose regret is about
// half the logarithm of the number of requests whatever the truth (R. Krichevsky,
// V. Trofimov, 1981), and half Beta(1/2, b) with the mean that is typical of a
// primary revision, or five times that for a canary one, which saves most of
// that regret where the truth is about so. A. Turner, A. Ly, P. Grünwald, "Generic
// E-variables for exact sequential k-sample tests", 2024, have growth-optimal ones
// for blocks of fixed size; these need no blocks and allow any margin.
func (p pair) logAbove(limit affine, typical float64) float64 {
	return p.logEvidence(limit, typical, p.canary.rate() > limit.of(p.primary.rate()))
}

func (p pair) logBelow(limit affine, typical float64) float64 {
	return p.logEvidence(limit, typical, p.canary.rate() < limit.of(p.primary.rate()))
}

// logEvidence: outside says that the observed rates are not in the hypothesis,
// so that its likeliest member lies on its border.
func (p pair) logEvidence(limit affine, typical float64, outside bool) float64 {
	typical = max(typical, leastRegression)
	mixed := logMixed(p.primary, typical) + logMixed(p.canary, 5*typical)
	if !outside {
		return mixed - logLikelihood(p.primary, p.primary.rate()) - logLikelihood(p.canary, p.canary.rate())
	}
	return mixed - p.borderLikelihood(limit)
}

// borderLikelihood is the logarithm of the largest likelihood on the border.
// It is concave in the primary revision's proportion, so that golden sections
// find its maximum (J. Kiefer, 1953). 40 of them leave 4e-9 of the range, where
// it is flat.
func (p pair) borderLikelihood(limit affine) float64 {
	at := func(theta float64) float64 {
		return logLikelihood(p.primary, theta) + logLikelihood(p.canary, limit.of(theta))
	}
	// Where limit is clamped the likelihood is not concave but still rises
	// towards the part where it is not.
	const golden = 0.6180339887498949
	low, high := 0.0, 1.0
	a, b := 1-golden, golden
	atA, atB := at(a), at(b)
	for range 40 {
		if atA < atB {
			low, a, atA = a, b, atB
			b = low + golden*(high-low)
			atB = at(b)
		} else {
			high, b, atB = b, a, atA
			a = high - golden*(high-low)
			atA = at(a)
		}
	}
	return max(at((low+high)/2), at(0), at(1))
}

// logLikelihood of a sequence with that tally.
func logLikelihood(t tally, p float64) float64 {
	var sum float64
	if t.bad > 0 {
		sum += t.bad * math.Log(p)
	}
	if good := t.n - t.bad; good > 0 {
		sum += good * math.Log1p(-p)
	}
	return sum
}

// logMixed is the logarithm of the likelihood under that mixture.
func logMixed(t tally, mean float64) float64 {
	sum := logSum{max: math.Inf(-1)}
	for _, b := range []float64{0.5, max(0.5, 0.5/mean-0.5)} {
		sum.add(logBeta(t.bad+0.5, t.n-t.bad+b) - logBeta(0.5, b) - math.Ln2)
	}
	return sum.log()
}

func logBeta(a, b float64) float64 {
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return la + lb - lab
}
