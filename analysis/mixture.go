package analysis

import "math"

// mixture is a set of simple alternatives to a limit on a proportion, each with
// the weight that it was given beforehand. An alternative is the limit with its
// odds multiplied.
type mixture []struct{ odds, weight float64 }

// worse are the alternatives under which a revision is bad. The weights favour
// what regressions look like, a few times the limit; the far ends cost little
// and settle the blatant cases in a few requests.
var worse = mixture{
	{1.5, 0.08}, {2.2, 0.17}, {3.5, 0.25}, {6, 0.25}, {12, 0.13}, {40, 0.07}, {400, 0.05},
}

// better are the alternatives under which a revision is good, where the limit
// is twice what is allowed: half of it is just what is allowed.
var better = mixture{
	{0, 0.35}, {0.1, 0.15}, {0.25, 0.25}, {0.5, 0.25},
}

// log is the logarithm of the mixture's likelihood ratio against the limit:
//
//	Σ weight · odds^bad / (1 - limit + odds·limit)^n
//
// Each term is Wald's likelihood ratio (A. Wald, "Sequential Tests of
// Statistical Hypotheses", 1945, §5.2), and mixing them keeps the expectation
// at 1 while it does not ask which alternative is true (H. Robbins,
// "Statistical Methods Related to the Law of the Iterated Logarithm", 1970).
// With odds above 1 it is also at most 1 for every proportion below the limit,
// with odds below 1 for every one above: a proportion p expects the factor
// (1 - p + odds·p) / (1 - limit + odds·limit) of each request. So its running
// value is an e-process for the composite hypothesis, and by Ville's inequality
// exceeds 1/a with probability a at most, however often one looks.
//
// The result is -Inf where the evidence is 0, and +Inf where what was seen is
// impossible within the limit.
func (m mixture) log(t tally, limit float64) float64 {
	sum := logSum{max: math.Inf(-1)}
	for _, a := range m {
		sum.add(math.Log(a.weight) + logRatio(a.odds, t, limit))
	}
	return sum.log()
}

// logRatio is the logarithm of odds^bad / (1-limit+odds·limit)^n.
func logRatio(odds float64, t tally, limit float64) float64 {
	switch {
	case limit <= 0 && t.bad > 0 && odds > 1, limit >= 1 && t.bad < t.n && odds < 1:
		return math.Inf(1)
	case limit <= 0 || limit >= 1:
		return 0
	}
	ratio := -t.n * math.Log1p((odds-1)*limit)
	if t.bad > 0 {
		ratio += t.bad * math.Log(odds)
	}
	return ratio
}

// logSum adds numbers that are given by their logarithms.
type logSum struct {
	max, scaled float64 // the sum is scaled · e^max
}

func (s *logSum) add(log float64) {
	switch {
	case math.IsInf(log, -1):
	case math.IsInf(s.max, 1):
	case log > s.max:
		s.scaled = s.scaled*math.Exp(s.max-log) + 1
		s.max = log
		if math.IsInf(log, 1) {
			s.scaled = 1
		}
	default:
		s.scaled += math.Exp(log - s.max)
	}
}

func (s *logSum) log() float64 {
	if s.scaled == 0 {
		return math.Inf(-1)
	}
	return s.max + math.Log(s.scaled)
}
