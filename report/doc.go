// Package report shows what a load run measured: as JSON for programs, as text
// for a terminal, as a page and as a picture.
//
// A [Run] is plain data: when, how, and for each [Target] the sum of what came
// back and, for the charts, its [Series] over time. The renderers take it and
// an io.Writer, and do nothing else:
//
//	run := report.Run{Started: began, Elapsed: 30 * time.Second, Workers: 64}
//	run.Targets = []report.Target{{Name: url, RateIntended: 50, Total: total, Series: series}}
//	err := report.HTML(file, &run)
//
// Several targets are shown side by side, and each further one is compared
// with the first: that is what a stable and a canary revision under the same
// load are for.
//
// A page with an arrangement of its own takes [Charts], [Summary] and [Style]:
// the daemon's pages of rollouts do.
//
// What makes the figures say less than they seem to say is part of each
// output: a closed loop, in which a stalled server delays the very requests
// that would have shown it, and a generator that could not keep up.
//
// report reads no clock, opens nothing and never judges; it imports nothing
// else of Serin than measure. A Run must not change while it is rendered.
package report
