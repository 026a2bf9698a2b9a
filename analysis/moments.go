package analysis

import "math"

// moments are those of the differences of seconds.
type moments struct{ n, sum, squares float64 }

func (m *moments) add(x float64) {
	m.n++
	m.sum += x
	m.squares += x * x
}

func (m moments) mean() float64 { return m.sum / m.n }

// variance is the unbiased one, and 0 for fewer than two.
func (m moments) variance() float64 {
	if m.n < 2 {
		return 0
	}
	return max(0, m.squares-m.sum*m.sum/m.n) / (m.n - 1)
}

// logPositive is the logarithm of the evidence against a mean of 0 or less:
// the Bayes factor of the t statistic with effect sizes N(0,1) (M. Gönen et
// al., "The Bayesian two-sample t test", 2005, eq. 3), 0 where the mean is not
// positive. With the right Haar prior on the scale it is a martingale under
// Gaussian values of mean 0 and any variance, and so can be looked at any time
// (H. Wang, A. Ramdas, "Anytime-valid t-tests and confidence sequences for
// Gaussian means with unknown variance", 2024, §3).
//
// Latencies are not Gaussian; the means of a second's latencies are about so,
// and what remains is a skew to the right, which makes a large t rarer.
func (m moments) logPositive() float64 {
	if m.n < 2 || m.sum <= 0 {
		return math.Inf(-1)
	}
	free := m.n - 1
	prior := 1 + m.n
	// t²/free; with values that are all alike it is infinite.
	t := m.n * m.mean() * m.mean() / m.variance() / free
	if math.IsInf(t, 1) || math.IsNaN(t) {
		return free / 2 * math.Log(prior)
	}
	return -math.Log(prior)/2 + (free+1)/2*(math.Log1p(t)-math.Log1p(t/prior))
}

// negative are the moments of the same values with the other sign.
func (m moments) negative() moments { return moments{m.n, -m.sum, m.squares} }

// shifted are the moments of values that are greater by so much.
func (m moments) shifted(by float64) moments {
	return moments{m.n, m.sum + m.n*by, m.squares + 2*by*m.sum + m.n*by*by}
}
