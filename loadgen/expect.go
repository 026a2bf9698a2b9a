package loadgen

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/measure"
)

// Expectation says which answers are good. The zero value expects nothing in
// particular.
type Expectation struct {
	// Status holds the good status codes; empty for those below 500.
	Status []StatusRange
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

// good judges an answer that arrived whole; body is its searched part.
func (e Expectation) good(outcome measure.Outcome, body []byte) bool {
	if !bytes.Contains(body, []byte(e.BodyContains)) {
		return false
	}
	if len(e.Status) == 0 {
		return !outcome.Failed()
	}
	for _, r := range e.Status {
		if code := outcome.Code(); r.First <= code && code <= r.Last {
			return true
		}
	}
	return false
}

// searchedBytes is how much of a body is kept to be searched.
const searchedBytes = 1 << 20

// read reads a body to its end and returns the part that is to be searched.
func (e Expectation) read(body io.Reader) ([]byte, error) {
	var searched []byte
	if e.BodyContains != "" {
		var err error
		if searched, err = io.ReadAll(io.LimitReader(body, searchedBytes)); err != nil {
			return nil, err
		}
	}
	_, err := io.Copy(io.Discard, body)
	return searched, err
}
