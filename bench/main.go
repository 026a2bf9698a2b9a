// Command bench compares `serin load` with other load generators on this
// machine, in one run, and prints a table: `make bench-load`.
//
// It builds serin and hey from go.mod and installs nothing. wrk, nginx and vegeta are used where they are on the
// PATH, and what is missing is named. Everything goes over loopback.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	out      io.Writer
	dir      string        // for files that go with the run
	duration time.Duration // of one measurement
	soak     time.Duration // of the longer memory measurement
	rounds   int           // of each comparison

	serin, hey, wrk, vegeta string // paths; empty where missing
}

func run(ctx context.Context, args []string, out io.Writer) error {
	b := &bench{out: out}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.DurationVar(&b.duration, "duration", 10*time.Second, "of one measurement")
	set.DurationVar(&b.soak, "soak", time.Minute, "of the longer memory measurement; the goal is stated for 10m")
	set.IntVar(&b.rounds, "rounds", 3, "of each comparison, of which the median counts")
	only := set.String("only", "", "run these sections: cpu, open, memory, pacing, truth, omission, plans (all)")
	if err := set.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "serin-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // temporary
	b.dir = dir
	if err := b.find(ctx); err != nil {
		return err
	}
	return b.sections(ctx, *only)
}

func (b *bench) sections(ctx context.Context, only string) error {
	for _, s := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"cpu", b.cpu}, {"open", b.open}, {"memory", b.memory}, {"pacing", b.pacing},
		{"truth", b.truth}, {"omission", b.omission}, {"plans", b.plans},
	} {
		if only != "" && !strings.Contains(","+only+",", ","+s.name+",") {
			continue
		}
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// find builds what is ours and looks for what is not.
func (b *bench) find(ctx context.Context) error {
	for path, pkg := range map[*string]string{&b.serin: "./cmd/serin", &b.hey: "github.com/rakyll/hey"} {
		*path = filepath.Join(b.dir, filepath.Base(pkg))
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags=-s -w", "-o", *path, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as `make build` does
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	for path, name := range map[*string]string{&b.wrk: "wrk", &b.vegeta: "vegeta"} {
		if found, err := exec.LookPath(name); err == nil {
			*path = found
		} else {
			b.printf("%s is not on the PATH: left out of the comparison.\n", name)
		}
	}
	return nil
}

func (b *bench) printf(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format, args...) }
