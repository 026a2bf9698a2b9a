package page

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode"
)

// markup is HTML in the making.
type markup struct{ b strings.Builder }

// add adds markup. All arguments are escaped but numbers and what this package
// made: nothing from outside can be taken for markup by an oversight.
func (m *markup) add(format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case trusted, int, int64:
		default:
			args[i] = escape(fmt.Sprint(arg))
		}
	}
	fmt.Fprintf(&m.b, format, args...)
}

// trusted is markup that this package made.
type trusted string

// part returns what write adds.
func part(write func(*markup)) trusted {
	m := new(markup)
	write(m)
	return trusted(m.b.String())
}

// escape makes s safe in the text and in the quoted attributes of HTML.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(plain(s))) // a Builder returns no error
	return b.String()
}

// plain is s without what would hide text or turn its direction around; line
// breaks become spaces.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t' || c == '\r' || c == '\u2028' || c == '\u2029':
			return ' '
		case unicode.IsControl(c), unicode.Is(unicode.Bidi_Control, c), c == '\u200b', c == '\u2060', c == '\ufeff':
			return unicode.ReplacementChar
		}
		return c
	}, s)
}

// The longest texts that are shown: a page is for reading.
const (
	maxName = 300
	maxText = 2000
)

// cut is s in at most n runes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

func name(s string) string { return cut(s, maxName) }
func text(s string) string { return cut(s, maxText) }
