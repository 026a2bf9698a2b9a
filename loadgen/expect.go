package loadgen

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/measure"
)

// Expectation says which answers are good. The zero value expects nothing in
// particular.
type Expectation struct {
	// Status holds the good status codes; empty for those below 500.
	Status []StatusRange
	// Header holds, by name, a text that a good answer has in one of that
	// header's values. The empty text is in every value.
	Header map[string]string
	// BodyContains is a text that a good body has in its first MiB; empty for
	// any body.
	BodyContains string
}

// StatusRange is a range of status codes, ends included.
type StatusRange struct{ First, Last int }

// ParseStatusRange reads "204" or "200-399".
func ParseStatusRange(s string) (StatusRange, error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		return StatusRange{}, fmt.Errorf("status %q must be a code such as 204 or a range such as 200-399", s)
	}
	to, err := strconv.Atoi(last)
	if err != nil {
		return StatusRange{}, fmt.Errorf("status %q must be a code such as 204 or a range such as 200-399", s)
	}
	r := StatusRange{from, to}
	return r, r.validate()
}

func (r StatusRange) validate() error {
	if r.First < 100 || r.Last > 599 || r.First > r.Last {
		return fmt.Errorf("status %d-%d must be a range within 100-599", r.First, r.Last)
	}
	return nil
}

func (e Expectation) validate() error {
	for _, r := range e.Status {
		if err := r.validate(); err != nil {
			return err
		}
	}
	return nil
}

// expected judges an answer that arrived whole. header returns all values of a
// name; body is the part of the body that is searched.
func expected(e *Expectation, outcome measure.Outcome, header func(name string) []string, body []byte) bool {
	for name, text := range e.Header {
		if !slices.ContainsFunc(header(name), func(value string) bool { return strings.Contains(value, text) }) {
			return false
		}
	}
	if !bytes.Contains(body, []byte(e.BodyContains)) {
		return false
	}
	if len(e.Status) == 0 {
		return !outcome.Failed()
	}
	return slices.ContainsFunc(e.Status, func(r StatusRange) bool {
		return r.First <= outcome.Code() && outcome.Code() <= r.Last
	})
}

// searchedBytes is how much of a body is kept to be searched.
const searchedBytes = 1 << 20
