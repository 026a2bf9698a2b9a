package report

import (
	"strings"
	"unicode/utf8"
)

// table is rows of cells; the first row says what the columns are. Cells are
// aligned to the right, but those of the first column and bars to the left.
type table [][]string

// writeTable writes an empty line and the table, its rows indented below its
// head.
func writeTable(b *strings.Builder, t table) {
	if len(t) == 0 {
		return
	}
	widths := []int{}
	for i, row := range t {
		for j, cell := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			width := utf8.RuneCountInString(cell)
			if i > 0 && j == 0 {
				width += 2
			}
			widths[j] = max(widths[j], width)
		}
	}
	widths[0] = max(widths[0], 14)
	b.WriteString("\n")
	for i, row := range t {
		writeRow(b, row, widths, i > 0)
	}
}

func writeRow(b *strings.Builder, row []string, widths []int, indent bool) {
	cells := make([]string, len(row))
	for j, cell := range row {
		if indent && j == 0 {
			cell = "  " + cell
		}
		pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
		if j == 0 || isBar(cell) {
			cells[j] = cell + pad
		} else {
			cells[j] = pad + cell
		}
	}
	b.WriteString(strings.TrimRight(strings.Join(cells, "  "), " ") + "\n")
}

// wrap breaks text into lines of at most width after the indent, and ends with
// a line break.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			b.WriteString(indent)
		case column+1+n > width:
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += n
	}
	b.WriteString("\n")
	return b.String()
}

// printable is s without what would move the cursor or hide a line.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || (c >= 0x7f && c < 0xa0) {
			return '\uFFFD'
		}
		return c
	}, s)
}
