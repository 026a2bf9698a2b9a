package loadtester

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/serin-dev/serin/daemon/hosts"
)

// Error is an error that the client is told.
type Error struct {
	Status  int // of HTTP
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// HTTPStatus returns the status.
func (e *Error) HTTPStatus() int { return e.Status }

func refuse(status int, format string, args ...any) *Error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

// Register routes the contract's paths. handle adapts handlers whose errors are
// to be answered: those with a method HTTPStatus() int are the client's.
func (t *Tester) Register(router *mux.Router, handle func(func(http.ResponseWriter, *http.Request) error) http.Handler) {
	post := func(path string, f func(http.ResponseWriter, *http.Request) error) {
		router.Handle(path, handle(f)).Methods(http.MethodPost)
	}
	post("/", t.start)
	for prefix, rollback := range map[string]bool{"/gate": false, "/rollback": true} {
		post(prefix+"/check", t.atGate(rollback, t.check))
		post(prefix+"/open", t.atGate(rollback, t.openGate))
		post(prefix+"/close", t.atGate(rollback, t.closeGate))
	}
	always := []string{http.MethodGet, http.MethodHead, http.MethodPost}
	router.Handle("/gate/approve", handle(say(http.StatusOK, "OK"))).Methods(always...)
	router.Handle("/gate/halt", handle(say(http.StatusForbidden, "Forbidden"))).Methods(always...)
}

func say(status int, text string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		write(w, status, []byte(text))
		return nil
	}
}

func write(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client may be gone
}

func (t *Tester) atGate(rollback bool, f func(http.ResponseWriter, *http.Request, Gate) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := t.read(w, r)
		if err != nil {
			return err
		}
		return f(w, r, Gate{p.canary(), rollback})
	}
}

func (t *Tester) check(w http.ResponseWriter, _ *http.Request, gate Gate) error {
	if t.gates.IsOpen(gate) {
		write(w, http.StatusOK, []byte("Approved"))
	} else {
		write(w, http.StatusForbidden, []byte("Forbidden"))
	}
	return nil
}

func (t *Tester) openGate(w http.ResponseWriter, r *http.Request, gate Gate) error {
	if err := t.gates.Open(gate); err != nil {
		return &Error{http.StatusTooManyRequests, err.Error()}
	}
	t.config.Log.InfoContext(r.Context(), "gate opened", "canary", gate.Canary.String(), "rollback", gate.Rollback, "from", r.RemoteAddr)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (t *Tester) closeGate(w http.ResponseWriter, r *http.Request, gate Gate) error {
	t.gates.Close(gate)
	t.config.Log.InfoContext(r.Context(), "gate closed", "canary", gate.Canary.String(), "rollback", gate.Rollback, "from", r.RemoteAddr)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// start starts what a hook asks for.
func (t *Tester) start(w http.ResponseWriter, r *http.Request) error {
	p, err := t.read(w, r)
	if err != nil {
		return err
	}
	wanted, waits, err := t.plan(r.Context(), &p)
	if err != nil {
		return asAnswer(err)
	}
	returned, err := p.asksFor("returnCmdOutput")
	if err != nil {
		return &Error{http.StatusBadRequest, err.Error()}
	}
	running, isNew, err := t.admit(wanted)
	if err != nil {
		var refused *Error
		if errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		return err
	}
	t.config.Log.InfoContext(r.Context(), "asked for by a hook", "canary", p.canary().String(), "command", shorten(wanted.command), "new", isNew, "from", r.RemoteAddr)
	if !waits {
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	return wait(w, r, running, returned)
}

// asAnswer makes the client's fault of an error about what it sent.
func asAnswer(err error) error {
	var told *Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, hosts.ErrUnknown):
		return refuse(http.StatusForbidden, "%v: loads go nowhere else", err)
	}
	return refuse(http.StatusBadRequest, "%v", err)
}

// wait answers when a command has ended. A client that goes away ends nothing:
// it may come back and ask again.
func wait(w http.ResponseWriter, r *http.Request, running *task, returned bool) error {
	// The deadline for the body must not end a request that waits. What has
	// none, such as a recorder of a test, is fine.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	select {
	case <-running.done:
	case <-r.Context().Done():
		return nil // nobody reads an answer
	}
	e := running.ending
	switch {
	case errors.Is(e.err, errStopping):
		return refuse(http.StatusServiceUnavailable, "%s: %v", shorten(running.command), e.err)
	case e.err != nil:
		write(w, http.StatusInternalServerError, fmt.Appendf(nil, "command %s failed: %s: %v", running.command, e.output, e.err))
	case returned:
		write(w, http.StatusOK, e.output)
	default:
		write(w, http.StatusOK, nil)
	}
	return nil
}

// plan is what a payload asks for, and whether the client waits for its end.
func (t *Tester) plan(ctx context.Context, p *payload) (_ *task, waits bool, _ error) {
	if len(p.Metadata) == 0 {
		return nil, false, errors.New("metadata not found in payload: say in metadata.cmd what is to be done")
	}
	kind, command := p.Metadata["type"], p.Metadata["cmd"]
	if kind == "" {
		kind = "cmd"
	}
	logged, err := p.asksFor("logCmdOutput")
	if err != nil {
		return nil, false, err
	}
	k := key{p.canary(), kind, command}
	switch kind {
	case "cmd":
		task, err := t.planCommand(ctx, k, logged)
		return task, false, err
	case "helm", "helmv3", "kubectl":
		task, err := t.planTool(k)
		return task, true, err
	case "bash":
		return nil, false, refuse(http.StatusNotImplemented, "there is no shell here: type bash is not served")
	case "concord", "ngrinder":
		return nil, false, refuse(http.StatusNotImplemented, "type %s is not served here", kind)
	}
	return nil, false, fmt.Errorf("unknown task type %.40q: this is cmd, or helm, helmv3 or kubectl where they are allowed", kind)
}

// shorten keeps a line of the log readable.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
