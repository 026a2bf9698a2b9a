package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/serin-dev/serin/report"
)

// Command is `serin load`: args are what follows that. It returns when the
// load is over, or ctx has ended, and the report is written to stdout; the
// progress goes to stderr where that is a terminal. The error is nil only if
// there were requests and each expectation and condition held.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(stdout, usage)
		return err
	}
	if err != nil {
		return err
	}
	plan, err := o.plan()
	if err != nil {
		return err
	}
	targets, err := o.targets()
	if err != nil {
		return err
	}
	r, err := newRecording(o, targets, stdout)
	if err != nil {
		return err
	}
	if plan.Proxy != nil && o.hey.Proxy == "" {
		_, _ = fmt.Fprintf(stderr, "through the proxy %s, from $http_proxy\n", plan.Proxy.Redacted()) // only a remark
	}
	err = r.run(ctx, plan, stderr)
	if err := errors.Join(err, r.close()); err != nil {
		return err
	}
	if err := o.write(&r.state, stdout); err != nil {
		return err
	}
	return o.verdict(&r.state)
}

// write writes the report, in all the forms that were asked for.
func (o *options) write(r *report.Run, stdout io.Writer) error {
	var err error
	switch o.hey.Output {
	case "json":
		err = report.JSON(stdout, r)
	case "csv": // written as it came
	default:
		err = report.Text(stdout, r)
	}
	if err != nil || o.report == "" {
		return err
	}
	file, err := os.Create(o.report)
	if err != nil {
		return fmt.Errorf("-report: %w", err)
	}
	render := report.HTML
	if filepath.Ext(o.report) == ".svg" {
		render = report.SVG
	}
	if err := errors.Join(render(file, r), file.Close()); err != nil {
		return fmt.Errorf("-report: %w", err)
	}
	return nil
}

// verdict is the reason for an exit status other than 0. Each failed request
// is one, unless a condition says how many may fail.
func (o *options) verdict(r *report.Run) error {
	var problems []string
	tolerant := false
	for _, c := range o.failIf {
		tolerant = tolerant || c.metric == "success" || c.metric == "errors"
	}
	for i := range r.Targets {
		t := &r.Targets[i]
		prefix := ""
		if len(r.Targets) > 1 {
			prefix = t.Name + ": "
		}
		n, failures := t.Total.Requests(), t.Total.Failures
		switch {
		case n == 0:
			problems = append(problems, prefix+"no request was answered or given up")
		case failures > 0 && !tolerant:
			problems = append(problems, fmt.Sprintf("%s%d of %d requests were not as expected", prefix, failures, n))
		}
		end := &outcome{total: t.Total, rate: float64(n) / r.Elapsed.Seconds()}
		for _, c := range o.failIf {
			if n > 0 && c.holds(end) {
				problems = append(problems, prefix+"fails by "+c.text)
			}
		}
	}
	if len(problems) > 0 {
		return errors.New("load: " + strings.Join(problems, "; "))
	}
	return nil
}
