// Command judge simulates rollouts and says how good Serin's judgement is, next
// to that of others on the same traffic: `make bench-judge`. Its seeds are
// fixed, so that all figures but the cost of a look are the same everywhere.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	out      io.Writer
	rollouts int    // of a goal that counts false rollbacks; others take a tenth
	seed     uint64 // of all random numbers
	err      error  // the first of out
}

func run(args []string, out io.Writer) error {
	b := &bench{out: out}
	set := flag.NewFlagSet("judge", flag.ContinueOnError)
	set.IntVar(&b.rollouts, "rollouts", 10_000, "of a goal that counts false rollbacks; others take a tenth, at least 10")
	set.Uint64Var(&b.seed, "seed", 1, "of all random numbers")
	if err := set.Parse(args); err != nil {
		return err
	}
	if b.rollouts < 100 {
		return fmt.Errorf("-rollouts %d: at least 100 are needed", b.rollouts)
	}
	b.goals()
	b.noise()
	b.comparison()
	return b.err
}

func (b *bench) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(b.out, format, args...); err != nil && b.err == nil {
		b.err = err
	}
}

// experiment runs n rollouts of s under p.
func (b *bench) experiment(s scenario, rate float64, n int, p func(rate float64) policy) outcomes {
	e := experiment{scenario: &s, rate: rate, policy: p, rollouts: n}
	return e.run(b.seed)
}

// few is how many rollouts suffice where no small probability is estimated.
func (b *bench) few() int { return b.rollouts / 10 }
