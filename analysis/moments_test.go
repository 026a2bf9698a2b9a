package analysis

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// The closed form is the integral of the likelihood of t over effect sizes
// N(0,1), divided by that of none. Here it is integrated: with the right Haar
// prior the marginal likelihood for effect d of values x is proportional to
//
//	∫ v^(n-1) exp(-Σ(v·x - d)²/2) dv
func TestEvidenceOfAMeanIsTheIntegral(t *testing.T) {
	values := []float64{0.3, 1.2, -0.4, 0.9, 1.7, 0.2}
	var m moments
	for _, x := range values {
		m.add(x)
	}
	marginal := func(d float64) (sum float64) {
		const step = 0.005
		for v := step; v < 12; v += step {
			exponent := 0.0
			for _, x := range values {
				exponent -= (v*x - d) * (v*x - d) / 2
			}
			sum += math.Pow(v, float64(len(values)-1)) * math.Exp(exponent) * step
		}
		return sum
	}
	alternative := 0.0
	const step = 0.02
	for d := -7.0; d < 7; d += step {
		alternative += marginal(d) * math.Exp(-d*d/2) / math.Sqrt(2*math.Pi) * step
	}
	if got, want := m.logPositive(), math.Log(alternative/marginal(0)); math.Abs(got-want) > 1e-4 {
		t.Errorf("evidence %g, integral %g", got, want)
	}
}

// Looked at after every second, the evidence of a mean of 0 reaches 1/a in a
// part of at most a of the rollouts.
func TestEvidenceOfAMeanIsAnytimeValid(t *testing.T) {
	const rollouts, seconds, a = 4000, 200, 0.05
	r := rand.New(rand.NewPCG(4, 2))
	crossed := 0
	for range rollouts {
		var m moments
		for range seconds {
			m.add(r.NormFloat64() * 17)
			if m.logPositive() >= -math.Log(a) {
				crossed++
				break
			}
		}
	}
	// Half of it, as only one side counts; three standard errors of slack.
	if limit := a*rollouts + 3*math.Sqrt(a*rollouts); float64(crossed) > limit || crossed < 20 {
		t.Errorf("%d of %d rollouts cross 1/%g", crossed, rollouts, a)
	}
}

func TestMomentsOfOtherUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1, 3), 3, 40).Draw(t, "values")
		scale := rapid.Float64Range(0.01, 1000).Draw(t, "scale")
		shift := rapid.Float64Range(-1, 1).Draw(t, "shift")
		var plain, scaled, shifted moments
		for _, x := range values {
			plain.add(x)
			scaled.add(scale * x)
			shifted.add(x + shift)
		}
		if plain.variance() < 1e-6 {
			t.Skip("values that are all alike")
		}
		if a, b := plain.logPositive(), scaled.logPositive(); a != b && math.Abs(a-b) > 1e-6 {
			t.Fatalf("evidence %g, in other units %g", a, b)
		}
		if a, b := plain.shifted(shift), shifted; math.Abs(a.sum-b.sum) > 1e-9 || math.Abs(a.squares-b.squares) > 1e-6 {
			t.Fatalf("shifted %v, want %v", a, b)
		}
		if plain.sum > 0 && !math.IsInf(plain.negative().logPositive(), -1) {
			t.Fatal("a positive mean is evidence of a negative one")
		}
	})
}

func TestValuesAllAlikeAreFiniteEvidence(t *testing.T) {
	var m moments
	for range 10 {
		m.add(3)
	}
	if got, want := m.logPositive(), 4.5*math.Log(11); math.Abs(got-want) > 1e-9 {
		t.Errorf("evidence of ten equal values is %g, want %g", got, want)
	}
	if got := (moments{n: 10}).logPositive(); !math.IsInf(got, -1) {
		t.Errorf("evidence of ten zeros is %g", got)
	}
}
