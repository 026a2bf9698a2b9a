package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
	"github.com/serin-dev/serin/report"
)

// interval is how often results are taken, logged and shown.
const interval = time.Second

// recording is one run and what is known of it so far.
type recording struct {
	options *options
	targets []loadgen.Target
	csv     *csvWriter         // nil unless asked for
	logFile *os.File           // nil unless asked for
	log     *measure.LogWriter // into logFile

	begin, last time.Time // of the run, and of the interval
	meter, busy *loadgen.Meter
	governor    *governor // nil where the processors are given
	taken       int64     // requests of the last interval
	state       report.Run
}

// newRecording opens the files, so that nothing is sent where that fails.
func newRecording(o *options, targets []loadgen.Target, stdout io.Writer) (*recording, error) {
	now := time.Now()
	r := &recording{options: o, targets: targets, begin: now, last: now, meter: loadgen.NewMeter(), busy: loadgen.NewMeter()}
	r.state = report.Run{Started: now, Closed: !o.open(), Workers: o.hey.Workers, CPUs: runtime.GOMAXPROCS(0)}
	for i := range targets {
		t := report.Target{Name: o.urls[i], Total: new(measure.Snapshot)}
		if o.report != "" { // nothing else shows them
			t.Series = new(report.Series)
		}
		r.state.Targets = append(r.state.Targets, t)
	}
	if o.hey.Output == "csv" {
		r.csv = newCSVWriter(stdout, now)
		targets[0].Each = r.csv.write
	}
	if o.report != "" { // written at the end, but to be known of now
		file, err := os.Create(o.report)
		if err != nil {
			return nil, fmt.Errorf("-report: %w", err)
		}
		_ = file.Close() // empty
	}
	if o.hdr == "" {
		return r, nil
	}
	var err error
	if r.logFile, err = os.Create(o.hdr); err != nil {
		return nil, fmt.Errorf("-hdr: %w", err)
	}
	r.log, err = measure.NewLogWriter(r.logFile, now, "serin load: latencies in nanoseconds; tags are response, service and lag, with the number of the URL before them where there are several")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-hdr: %w", err), r.logFile.Close())
	}
	return r, nil
}

// close closes the files.
func (r *recording) close() error {
	var errs []error
	if r.csv != nil {
		errs = append(errs, r.csv.close())
	}
	if r.logFile != nil {
		errs = append(errs, r.logFile.Close())
	}
	return errors.Join(errs...)
}

// run sends the load and takes down its results until it is over.
func (r *recording) run(ctx context.Context, plan loadgen.Plan, stderr io.Writer) error {
	defer useProcessors(r.processors())()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- loadgen.Run(ctx, plan, r.targets...) }()
	line := newLine(stderr)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var failed error
	for {
		select {
		case <-ticker.C:
			if failed = errors.Join(failed, r.take()); failed != nil {
				cancel() // nobody would know what is sent from now on
			}
			line.show(&r.state)
			r.govern()
		case err := <-ended:
			line.clear()
			err = errors.Join(err, failed, r.take())
			if ctx.Err() == nil {
				// The last start is not the end: it has its share of the time too.
				r.state.Elapsed = max(r.state.Elapsed, r.options.span())
			}
			return err
		}
	}
}

// processors is how many to start with.
func (r *recording) processors() int {
	if r.options.hey.CPUs > 0 {
		return r.options.hey.CPUs
	}
	r.governor = newGovernor(r.options.peakRate()*float64(len(r.targets)), r.state.CPUs)
	return r.governor.procs
}

// govern looks whether the interval before was too much for the processors.
func (r *recording) govern() {
	if r.governor == nil {
		return
	}
	useProcessors(r.governor.next(float64(r.taken)/interval.Seconds(), r.busy.Cores()))
	r.busy = loadgen.NewMeter()
}

// take ends an interval.
func (r *recording) take() error {
	now := time.Now()
	begin, end := r.last, now
	r.last = now
	r.state.Elapsed = now.Sub(r.begin)
	r.state.CPU = r.meter.Cores()
	r.taken = 0
	var errs []error
	for i := range r.targets {
		taken := r.targets[i].Recorder.Take()
		r.taken += taken.Requests()
		t := &r.state.Targets[i]
		t.RateIntended = r.options.rateIntended(r.state.Elapsed)
		if t.Series != nil {
			t.Series.Add(begin.Sub(r.begin), end.Sub(begin), taken)
		}
		t.Total.Merge(taken)
		t.Intervals++
		if taken.GeneratorLimited() {
			t.Limited++
		}
		errs = append(errs, r.write(i, begin, end, taken))
	}
	return errors.Join(errs...)
}

// write adds an interval to the log.
func (r *recording) write(i int, begin, end time.Time, taken *measure.Snapshot) error {
	if r.log == nil {
		return nil
	}
	prefix := ""
	if len(r.targets) > 1 {
		prefix = strconv.Itoa(i+1) + "-"
	}
	for _, one := range []measure.Interval{
		{Tag: prefix + "response", Histogram: &taken.Response},
		{Tag: prefix + "service", Histogram: &taken.Service},
		{Tag: prefix + "lag", Histogram: &taken.Lag},
	} {
		one.Start, one.End = begin, end
		if err := r.log.Write(one); err != nil {
			return fmt.Errorf("-hdr: %w", err)
		}
	}
	return nil
}

// line is the progress on a terminal; nil where there is none.
type line struct {
	out   io.Writer
	width int
}

func newLine(stderr io.Writer) *line {
	file, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return &line{out: file, width: width}
}

const clearLine = "\r\x1b[K"

func (l *line) show(r *report.Run) {
	if l != nil {
		_, _ = io.WriteString(l.out, clearLine+report.Progress(r, l.width-1)) // a terminal that is gone shows nothing
	}
}

func (l *line) clear() {
	if l != nil {
		_, _ = io.WriteString(l.out, clearLine)
	}
}
