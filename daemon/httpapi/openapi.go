package httpapi

import (
	_ "embed" // the description
	"net/http"
)

// openAPIText describes the API. Tests hold the real answers against it.
//
//go:embed openapi.yaml
var openAPIText []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPIText) // the client may be gone
	return nil
}
