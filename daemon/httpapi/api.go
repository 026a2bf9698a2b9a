package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/access"
	"github.com/serin-dev/serin/daemon/archive"
	"github.com/serin-dev/serin/daemon/history"
	"github.com/serin-dev/serin/daemon/page"
)

// onePath is a Canary; names are Kubernetes' own, so nothing else is one.
const onePath = "/canaries/{namespace:[a-z0-9][-a-z0-9]*}/{name:[a-z0-9][-.a-z0-9]*}"

// apiPath is what all paths of the API begin with.
const apiPath = "/api/v1"

func (s *Server) routeAPI(router *mux.Router) {
	get := func(path string, f func(http.ResponseWriter, *http.Request) error) {
		router.Handle(apiPath+path, s.handle(f)).Methods(http.MethodGet, http.MethodHead)
	}
	get("/openapi.yaml", s.openAPI)
	get("/canaries", s.list)
	get(onePath, s.one)
	get(onePath+"/stream", s.stream)
	get(onePath+"/histograms", s.histograms)
	get(onePath+"/report", s.report)
	get(onePath+"/reports", s.reports)
	get(onePath+"/reports/{report:[A-Za-z0-9][-.A-Za-z0-9]*}", s.oldReport)
	router.Handle(apiPath+onePath+"/{command:"+strings.Join(v1beta1.Commands, "|")+"}", s.handle(s.command)).Methods(http.MethodPost)
	get("/faults", s.listFaults)
	get("/faults/{fault:[A-Za-z0-9]+}", s.oneFault)
	router.Handle(apiPath+"/faults", s.handle(s.addFault)).Methods(http.MethodPost)
	router.Handle(apiPath+"/faults", s.handle(s.endFaults)).Methods(http.MethodDelete)
	router.Handle(apiPath+"/faults/{fault:[A-Za-z0-9]+}", s.handle(s.endFault)).Methods(http.MethodDelete)
}

func keyOf(o client.Object) types.NamespacedName { return client.ObjectKeyFromObject(o) }

// find returns the Canary that a request's path names.
func (s *Server) find(r *http.Request) (*v1beta1.Canary, error) {
	vars := mux.Vars(r)
	return s.read(r.Context(), types.NamespacedName{Namespace: vars["namespace"], Name: vars["name"]})
}

// read returns a Canary. One that is somebody else's is not there.
func (s *Server) read(ctx context.Context, key types.NamespacedName) (*v1beta1.Canary, error) {
	canary := new(v1beta1.Canary)
	err := s.Canaries.Get(ctx, key, canary)
	if apierrors.IsNotFound(err) || err == nil && !canary.Ours() {
		return nil, &Error{http.StatusNotFound, fmt.Sprintf("there is no Canary %s in the namespaces that this daemon serves", key)}
	}
	if err != nil {
		return nil, fmt.Errorf("read canary %s: %w", key, err)
	}
	return canary, nil
}

// all are Serin's Canaries, in order.
func (s *Server) all(ctx context.Context) ([]v1beta1.Canary, error) {
	var list v1beta1.CanaryList
	if err := s.Canaries.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list canaries: %w", err)
	}
	ours := slices.DeleteFunc(list.Items, func(c v1beta1.Canary) bool { return !c.Ours() })
	byName(ours)
	return ours, nil
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) error {
	canaries, err := s.all(r.Context())
	if err != nil {
		return err
	}
	summaries := make([]summary, len(canaries))
	for i := range canaries {
		summaries[i] = summarize(&canaries[i])
	}
	return respond(w, http.StatusOK, map[string]any{"canaries": summaries})
}

func (s *Server) one(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, s.detail(canary))
}

// command gives a Canary a command. The field "for" of a form, or of the query,
// names the revision that it is meant for. A browser is sent back to the page.
func (s *Server) command(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	if err := s.Guard.Check(r, access.Action{Verb: "patch", Namespace: canary.Namespace, Name: canary.Name}); err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return badRequest(err)
	}
	command := mux.Vars(r)["command"]
	annotation, value, err := canary.Give(command, time.Now())
	if err != nil {
		return &Error{http.StatusConflict, fmt.Sprintf("cannot %s %s: %v", phrase(command), keyOf(canary), err)}
	}
	if seen, subject := r.Form.Get("for"), canary.Subject(command); seen != "" && subject != "" && seen != subject {
		return &Error{http.StatusConflict, fmt.Sprintf("this was for %.80s, and %s is at %s now", seen, canary.Name, subject)}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]*string{annotation: value}}})
	if err != nil {
		return err
	}
	if err := s.Change.Patch(r.Context(), canary.DeepCopy(), client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("annotate canary %s: %w", keyOf(canary), err)
	}
	s.Log.InfoContext(r.Context(), "command over http", "canary", keyOf(canary).String(), "annotation", annotation, "from", r.RemoteAddr)
	if wantsPage(r) {
		http.Redirect(w, r, page.Path(canary.Namespace, canary.Name), http.StatusSeeOther)
		return nil
	}
	return respond(w, http.StatusAccepted, map[string]any{
		"annotation": annotation, "value": value, "message": fmt.Sprintf("Told %s to %s.", canary.Name, phrase(command)),
	})
}

// phrase is a command in a sentence.
func phrase(command string) string {
	if command == v1beta1.CommandRollback {
		return "roll back"
	}
	return command
}

// wantsPage reports whether a form was sent by a browser that shows the answer.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// histograms writes what was measured as an HdrHistogram interval log.
func (s *Server) histograms(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	var log bytes.Buffer
	if !s.History.Look(keyOf(canary), func(r *history.Rollout) { err = r.WriteLog(&log) }) {
		return nothingYet(canary)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", canary.Name+".hlog"))
	return s.deliver(w, r, log.Bytes())
}

func nothingYet(canary *v1beta1.Canary) error {
	return &Error{http.StatusNotFound, fmt.Sprintf("this daemon has seen no rollout of %s yet", keyOf(canary))}
}

func (s *Server) reports(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	ids, err := s.reportIDs(r.Context(), keyOf(canary))
	if err != nil {
		return err
	}
	if ids == nil {
		ids = []string{}
	}
	return respond(w, http.StatusOK, map[string]any{"reports": ids})
}

func (s *Server) oldReport(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	giveBack, err := s.holdAnswer(r, reportWeight, patience)
	if err != nil {
		return err
	}
	defer giveBack()
	page, err := s.Reports.Open(r.Context(), keyOf(canary), mux.Vars(r)["report"])
	switch {
	case errors.Is(err, archive.ErrNone):
		return &Error{http.StatusNotFound, err.Error()}
	case errors.Is(err, archive.ErrPlanted):
		return &Error{http.StatusForbidden, err.Error()}
	case err != nil:
		return err
	}
	defer func() { _ = page.Close() }() // it was read
	writeReport(w, page)
	return nil
}

// report is the page of the rollout that runs or ran last.
func (s *Server) report(w http.ResponseWriter, r *http.Request) error {
	canary, err := s.find(r)
	if err != nil {
		return err
	}
	giveBack, err := s.holdAnswer(r, reportWeight, patience)
	if err != nil {
		return err
	}
	defer giveBack()
	compressed, err := s.freshReport(canary)
	if err != nil {
		return err
	}
	if compressed == nil {
		return nothingYet(canary)
	}
	page, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return err
	}
	writeReport(w, page)
	return nil
}
