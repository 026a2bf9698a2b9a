package httpapi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/serin-dev/serin/daemon/access"
	"github.com/serin-dev/serin/daemon/fault"
)

// mayChange checks a request that changes the faults of a Canary, or of all
// where it is empty.
func (s *Server) mayChange(r *http.Request, canary types.NamespacedName) error {
	if err := s.Guard.Check(r, access.Action{Verb: "patch", Namespace: canary.Namespace, Name: canary.Name}); err != nil {
		return err
	}
	if !s.Working() {
		return &Error{http.StatusServiceUnavailable, "this daemon stands by, and another one sends the load: ask the pod that the Lease serin names"}
	}
	return nil
}

func (s *Server) addFault(w http.ResponseWriter, r *http.Request) error {
	if err := s.Guard.Enter(r); err != nil { // before the body is read
		return err
	}
	rule, err := fault.Decode(r.Body)
	if err != nil {
		return badRequest(err)
	}
	if err := s.mayChange(r, rule.Canary()); err != nil {
		return err
	}
	if _, err := s.read(r.Context(), rule.Canary()); err != nil {
		return err
	}
	rule, err = s.Faults.Add(r.Context(), rule)
	if err != nil {
		return badRequest(err)
	}
	return respond(w, http.StatusCreated, rule)
}

// badRequest is a mistake of the client's. A body that is too large, or was not
// read for want of room, stays what it is.
func badRequest(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*busyError](err); ok {
		return err
	}
	return &Error{http.StatusBadRequest, err.Error()}
}

// about is the Canary that a request's query names, or a namespace, or neither
// for all.
func about(r *http.Request) (types.NamespacedName, error) {
	query := r.URL.Query()
	key := types.NamespacedName{Namespace: query.Get("namespace"), Name: query.Get("name")}
	switch {
	case key.Namespace == "" && key.Name != "":
		return key, &Error{http.StatusBadRequest, "give the namespace of the Canary, too"}
	case key.Namespace != "" && len(validation.IsDNS1123Label(key.Namespace)) > 0:
		return key, &Error{http.StatusBadRequest, fmt.Sprintf("invalid namespace %.80q: must be a DNS label", key.Namespace)}
	case key.Name != "" && len(validation.IsDNS1123Subdomain(key.Name)) > 0:
		return key, &Error{http.StatusBadRequest, fmt.Sprintf("invalid name %.80q: must be a DNS subdomain", key.Name)}
	}
	return key, nil
}

func (s *Server) listFaults(w http.ResponseWriter, r *http.Request) error {
	key, err := about(r)
	if err != nil {
		return err
	}
	rules := s.Faults.List(key)
	if rules == nil {
		rules = []fault.Rule{}
	}
	return respond(w, http.StatusOK, map[string]any{"faults": rules})
}

func (s *Server) findFault(r *http.Request) (fault.Rule, error) {
	rule, err := s.Faults.Get(mux.Vars(r)["fault"])
	if err != nil {
		return rule, &Error{http.StatusNotFound, err.Error()}
	}
	return rule, nil
}

func (s *Server) oneFault(w http.ResponseWriter, r *http.Request) error {
	rule, err := s.findFault(r)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, rule)
}

func (s *Server) endFault(w http.ResponseWriter, r *http.Request) error {
	rule, err := s.findFault(r)
	if err != nil {
		return err
	}
	if err := s.mayChange(r, rule.Canary()); err != nil {
		return err
	}
	if err := s.Faults.Delete(r.Context(), rule.ID); err != nil {
		return &Error{http.StatusNotFound, err.Error()}
	}
	return respond(w, http.StatusOK, map[string]int{"ended": 1})
}

func (s *Server) endFaults(w http.ResponseWriter, r *http.Request) error {
	key, err := about(r)
	if err != nil {
		return err
	}
	if err := s.mayChange(r, key); err != nil {
		return err
	}
	return respond(w, http.StatusOK, map[string]int{"ended": s.Faults.DeleteAll(r.Context(), key)})
}
