package loadtester

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/loadgen"
	"github.com/serin-dev/serin/measure"
)

// leftover is how long a load may take to end after its time.
const leftover = time.Minute

// planCommand is what a command of type cmd asks for.
func (t *Tester) planCommand(ctx context.Context, k key, logged bool) (*task, error) {
	words, err := split(k.command)
	if err != nil {
		return nil, err
	}
	if !isLoad(words[0]) {
		return t.planExec(k, words, logged)
	}
	l, err := parse(words)
	if err != nil {
		return nil, err
	}
	r, err := t.newRoute(ctx, &l)
	if err != nil {
		return nil, err
	}
	return &task{key: k, kind: l.kind, rate: l.rate, work: func(ctx context.Context, rate float64) ending {
		return t.runLoad(ctx, k, l, r, rate)
	}}, nil
}

// planExec is a program that is allowed, with its arguments.
func (t *Tester) planExec(k key, words []string, logged bool) (*task, error) {
	p, ok := t.programs[words[0]]
	if !ok {
		return nil, refuse(http.StatusNotImplemented, "%.40q is not run here: hey, wrk and ghz are understood, and other programs have to be allowed with --allow-exec", words[0])
	}
	if err := p.checkArguments(words[1:]); err != nil {
		return nil, err
	}
	return &task{key: k, kind: "exec", work: func(ctx context.Context, _ float64) ending {
		e := t.run(ctx, p, words[1:])
		t.tellExec(context.WithoutCancel(ctx), k, e, logged)
		return e
	}}, nil
}

// planTool is helm or kubectl, whose name the type says and the command does
// not.
func (t *Tester) planTool(k key) (*task, error) {
	name := k.kind
	if name == "helmv3" {
		name = "helm"
	}
	if _, ok := t.programs[name]; !ok {
		return nil, refuse(http.StatusNotImplemented, "type %s is not served here: %s has to be allowed with --allow-exec", k.kind, name)
	}
	words, err := split(k.command)
	if err != nil {
		return nil, err
	}
	return t.planExec(k, append([]string{name}, words...), true)
}

func (t *Tester) tellExec(ctx context.Context, k key, e ending, logged bool) {
	attrs := []any{"canary", k.canary.String(), "command", shorten(k.command), "result", e.result}
	if e.err != nil {
		t.config.Log.WarnContext(ctx, "command failed", append(attrs, "error", e.err, "output", string(e.output))...)
		return
	}
	if logged {
		attrs = append(attrs, "output", string(e.output))
	}
	t.config.Log.InfoContext(ctx, "command has ended", attrs...)
}

// runLoad sends a load's requests until it ends or ctx does.
func (t *Tester) runLoad(ctx context.Context, k key, l load, r *route, rate float64) ending {
	if l.plan.Closed && l.plan.WorkerRate == 0 {
		l.plan.WorkerRate = rate / float64(l.plan.Connections)
	}
	transport := newTransport(&l.plan, r)
	defer transport.CloseIdleConnections()
	running, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	running, cancel := context.WithTimeout(running, maxDuration+leftover)
	defer cancel()
	r.next, r.lost = transport, lose

	target := r.target(&l)
	target.Recorder, target.Each = measure.NewRecorder(), r.record
	var sum measure.Snapshot
	begin := time.Now()
	err := t.drive(running, &l, r, target, &sum)
	if err == nil && ctx.Err() == nil {
		err = context.Cause(running)
	}
	e := ending{result: resultDone, err: err}
	switch {
	case ctx.Err() != nil:
		e.result = resultStopped
	case err != nil:
		e.result = resultFailed
	}
	t.tellLoad(context.WithoutCancel(ctx), k, r, e, summary(&l, &sum, time.Since(begin)))
	return e
}

// drive runs the engine. What is recorded is summed up every second, which
// bounds the memory, and a load that cannot follow its host is ended when that
// means something else.
func (t *Tester) drive(ctx context.Context, l *load, r *route, target loadgen.Target, sum *measure.Snapshot) error {
	ended := make(chan error, 1)
	go func() { ended <- loadgen.Run(ctx, l.plan, target) }()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case err := <-ended:
			sum.Merge(target.Recorder.Take())
			return err
		case <-second.C:
			sum.Merge(target.Recorder.Take())
			if !r.direct && target.Transport == nil {
				if err := r.stays(ctx); err != nil {
					r.lost(err)
				}
			}
		}
	}
}

// summary is how a load went, in a sentence.
func summary(l *load, sum *measure.Snapshot, took time.Duration) string {
	n := sum.Requests()
	text := fmt.Sprintf("%s to %s: %d requests in %v", l.kind, l.url.Host, n, took.Round(100*time.Millisecond))
	if n == 0 {
		return text
	}
	return text + fmt.Sprintf(", %d not as expected, p50 %v, p99 %v", sum.Failures,
		sum.Response.Quantile(0.5).Round(10*time.Microsecond), sum.Response.Quantile(0.99).Round(10*time.Microsecond))
}

func (t *Tester) tellLoad(ctx context.Context, k key, r *route, e ending, message string) {
	kind := "Normal"
	message = "Load " + message
	if e.err != nil && !errors.Is(e.err, context.Canceled) {
		kind = "Warning"
		message += fmt.Sprintf("; it ended early: %v", e.err)
	}
	t.config.Log.InfoContext(ctx, "load has ended", "canary", k.canary.String(), "command", shorten(k.command), "result", e.result, "summary", message)
	_, refused := errors.AsType[*egress.Refusal](e.err)
	switch {
	case t.config.Notify == nil:
	case !r.direct:
		t.config.Notify(ctx, r.place.Canary, kind, message)
	case refused: // which is the fault of who asked, and nobody else's affair
		t.config.Notify(ctx, k.canary, kind, message)
	}
}
