package loadtester

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	maxBody = 1 << 20
	// maxDepth is how deep a payload may be nested. Flagger's have two levels.
	maxDepth = 32
)

// payload is what a hook sends, as far as it matters here.
type payload struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Metadata  map[string]string `json:"metadata"`
}

func (p *payload) canary() types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
}

// asksFor reads a field of the metadata that is a boolean; none is false.
func (p *payload) asksFor(name string) (bool, error) {
	text, ok := p.Metadata[name]
	if !ok || text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("metadata.%s must be \"true\" or \"false\", not %.40q", name, text)
	}
	return value, nil
}

// decode reads a payload. Fields that it does not know are Flagger's business.
func decode(body []byte) (payload, error) {
	var p payload
	switch {
	case !utf8.Valid(body):
		return p, errors.New("the body is not UTF-8")
	case depth(body) > maxDepth:
		return p, fmt.Errorf("the body is nested deeper than %d levels", maxDepth)
	case !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")):
		return p, errors.New("the body is no JSON object: send name, namespace and metadata, as a hook does")
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return p, fmt.Errorf("the body is no payload of a hook: %w", err)
	}
	if len(validation.IsDNS1123Label(p.Namespace)) > 0 {
		return p, fmt.Errorf("namespace %.80q is none: name the Canary's", p.Namespace)
	}
	if len(validation.IsDNS1123Subdomain(p.Name)) > 0 {
		return p, fmt.Errorf("name %.80q is none: name the Canary", p.Name)
	}
	return p, nil
}

// depth is how deep brackets are nested outside of strings.
func depth(body []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}', c == ']':
			now--
		}
	}
	return deepest
}

// read takes the payload out of a request, if it may be carried out.
func (t *Tester) read(w http.ResponseWriter, r *http.Request) (payload, error) {
	if t.config.Enter != nil {
		if err := t.config.Enter(r); err != nil {
			return payload{}, err
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = r.Body.Close() // it was read: others may send theirs
	var tooLarge *http.MaxBytesError
	var told interface {
		error
		HTTPStatus() int
	}
	switch {
	case errors.As(err, &told):
		return payload{}, told
	case errors.As(err, &tooLarge):
		return payload{}, refuse(http.StatusRequestEntityTooLarge, "the body may have %d bytes at most", tooLarge.Limit)
	case err != nil:
		return payload{}, refuse(http.StatusBadRequest, "the body broke off: %v", err)
	}
	p, err := decode(body)
	if err != nil {
		return payload{}, &Error{http.StatusBadRequest, err.Error()}
	}
	if !t.serves(p.Namespace) {
		return payload{}, refuse(http.StatusForbidden, "namespace %s is not served here", p.Namespace)
	}
	if t.config.Allow != nil {
		return p, t.config.Allow(r, p.canary())
	}
	return p, nil
}
