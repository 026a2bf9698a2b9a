package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Screen is where pages are shown.
type Screen struct {
	Out io.Writer
	// Live says that a person looks at it: pages may be drawn over.
	Live  bool
	Color bool
	// Size returns columns and rows; 0 where there is no limit. nil is no limit
	// to both.
	Size func() (columns, rows int)
}

// ScreenOf looks whether out is a terminal. It keeps to NO_COLOR (no-color.org).
func ScreenOf(out io.Writer, getenv func(string) string) Screen {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || getenv("TERM") == "dumb" {
		return Screen{Out: out}
	}
	return Screen{Out: out, Live: true, Color: getenv("NO_COLOR") == "", Size: func() (columns, rows int) {
		columns, rows, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0, 0
		}
		return columns, rows
	}}
}

func (s Screen) size() (columns, rows int) {
	if s.Size == nil {
		return 0, 0
	}
	return s.Size()
}

// show writes a page once.
func (s Screen) show(p page) error {
	columns, _ := s.size()
	_, err := io.WriteString(s.Out, p.text(columns, s.Color))
	return err
}

// redraw writes a page over the one before, which had so many lines, and
// returns how many this one has. What does not fit is left out: lines that have
// scrolled away could not be drawn over.
func (s Screen) redraw(p page, before int) (lines int, err error) {
	columns, rows := s.size()
	if rows > 1 && len(p) > rows-1 {
		left := fmt.Sprintf("… %d more lines", len(p)-(rows-2))
		p = append(p[:rows-2:rows-2], line{faint(left)})
	}
	var b strings.Builder
	if before > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", before) // up
	}
	b.WriteString("\r\x1b[J") // clear to the end
	b.WriteString(p.text(columns, s.Color))
	_, err = io.WriteString(s.Out, b.String())
	return len(p), err
}

// page is what a screen shows.
type page []line

// line is a line of a page, in pieces of one colour.
type line []span

type span struct {
	text  string
	color color
}

// color is the parameter of a terminal's SGR sequence.
type color string

const (
	plainColor  color = ""
	boldColor   color = "1"
	faintColor  color = "2"
	redColor    color = "31"
	greenColor  color = "32"
	yellowColor color = "33"
)

func plain(text string) span  { return span{text, plainColor} }
func bold(text string) span   { return span{text, boldColor} }
func faint(text string) span  { return span{text, faintColor} }
func yellow(text string) span { return span{text, yellowColor} }

// text is the page for a screen of so many columns; 0 for no limit.
func (p page) text(columns int, colored bool) string {
	var b strings.Builder
	for _, l := range p {
		l.write(&b, columns, colored)
		b.WriteByte('\n')
	}
	return b.String()
}

// write cuts the line at the last column. Wide characters count as one column.
func (l line) write(b *strings.Builder, columns int, colored bool) {
	last := len(l) - 1
	left := columns
	for i, s := range l {
		text := clean(s.text)
		if i == last {
			text = strings.TrimRight(text, " ")
		}
		if columns > 0 {
			text = cut(text, left)
			left -= utf8.RuneCountInString(text)
		}
		if colored && s.color != plainColor && text != "" {
			text = "\x1b[" + string(s.color) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
	}
}

// cut shortens a text to so many characters.
func cut(text string, columns int) string {
	runes := []rune(text)
	switch {
	case len(runes) <= columns:
		return text
	case columns <= 0:
		return ""
	default:
		return string(runes[:columns-1]) + "…"
	}
}

// clean makes one line of a text and takes out what a terminal would obey or
// what would change the order of what is read.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.Is(unicode.C, r): // control and format characters
			return '�'
		default:
			return r
		}
	}, strings.ToValidUTF8(text, "�"))
}

// wrap breaks a text at spaces into lines of at most so many characters; 0 for
// no limit. A longer word has a line of its own.
func wrap(text string, columns int) []string {
	text = clean(text)
	if columns <= 0 {
		return []string{text}
	}
	var lines []string
	now := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case now == "":
			now = word
		case utf8.RuneCountInString(now)+1+utf8.RuneCountInString(word) <= columns:
			now += " " + word
		default:
			lines = append(lines, now)
			now = word
		}
	}
	return append(lines, now)
}

// pad fills a text up on the right.
func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-utf8.RuneCountInString(text)))
}

// padLeft fills a text up on the left.
func padLeft(text string, columns int) string {
	return strings.Repeat(" ", max(0, columns-utf8.RuneCountInString(text))) + text
}
