// SPDX-License-Identifier: Apache-2.0

package view

import (
	"slices"

	"beltrace/collector/model"
)

// Align is the side on which a column's text stands.
type Align uint8

// The sides: numbers stand right, so that their digits are below each other.
const (
	Left Align = iota
	Right
)

// Cut says what is left out of a text that is too long.
type Cut uint8

// The cuts.
const (
	CutEnd    Cut = iota
	CutMiddle     // of an address: the port stays; of a name with a number: the number stays
	CutStart      // of a picture of the past: the newest stays
)

// Head describes a column without its records.
type Head struct {
	Title string
	Align Align
	// Min and Max are the least and the most cells that the column takes; a wide terminal never makes it wider.
	Min, Max int
	// Priority says which columns a narrow terminal keeps: 0 always, then 1, 2, … A column appears when the more
	// important ones have the width that they need.
	Priority int
	Cut      Cut // what a text that is too long loses
	Sortable bool
	Up       bool   // sorted with the smallest on top unless reversed: names; numbers have the largest on top
	Explain  string // what the kernel does for this number, in two or three sentences
}

// Key names a record across snapshots: the selection and what is opened follow it.
type Key struct {
	Kind Kind
	ID   uint64 // socket cookie, or the time of an event
	Name string // what else is needed to tell two records apart
}

// Kind is a kind of record.
type Kind uint8

// The kinds of records.
const (
	NoRecord Kind = iota
	ServiceRecord
	ListenerRecord
	ConnectionRecord
	EventRecord
	FindingRecord
	WorkerRecord
	ExchangeRecord
	PhaseRecord
	LaneRecord
	LoopRecord
	RingRecord
)

// Input is everything that a page is made of.
type Input struct {
	Snap   *model.Snapshot
	Hist   *History // nil: nothing is known about the past
	Filter Filter
	Sort   Sort
	places map[uint32][]place      // where processes have their sockets; nil: no filter asks for it
	shown  func(title string) bool // while a second line is made: whether there is a column of that title
}

// beside returns what a second line says in the table's narrow form; where there is a column for it, nothing.
func (in Input) beside(title string, c Cell) Cell {
	if in.shown != nil && in.shown(title) {
		return nil
	}
	return c
}

func (in Input) clock() Clock { return ClockOf(in.Snap) }

// ClockOf returns the clock of a snapshot.
func ClockOf(s *model.Snapshot) Clock { return Clock{Offset: s.WallOffset, Start: s.Start} }

// Sort is the order of a table: by the column of that title ("": as the snapshot has it), the other way round if Reverse.
type Sort struct {
	Column  string
	Reverse bool
}

// column is a Head with what it shows of a record of type T.
type column[T any] struct {
	Head
	cell func(in Input, rec T) Cell
	sub  func(in Input, rec T) Cell // second line, in tables whose rows have two
	cmp  func(a, b T) int           // nil: not sortable. What one wants to see first comes first (Head.Up).
}

// sheet describes a table of records of type T.
type sheet[T any] struct {
	columns  []column[T]
	tall     bool                         // rows have two lines
	line     func(in Input, rec T) Line   // second line of a row across all columns; nil: the columns have their own
	prefer   func(heads []Head, rows []T) // changes which columns are important, for these records; nil: nothing
	key      func(T) Key
	target   func(T) Key                     // what Enter opens
	subjects func(in Input, rec T) []Subject // a filter that selects one of them selects the record
}

// Table is a list of records, ready to be shown. Cells are made when they are asked for: only visible rows cost.
type Table struct {
	Heads []Head
	Keys  []Key
	Total int // records before the filter
	// Unknown are the words of the filter that ask for what is known of no record here.
	Unknown []string
	Tall    bool
	Order   Sort // what it is sorted by

	cells  func(row, col int) Cell
	subs   func(row, col int, shown func(title string) bool) Cell
	under  func(row int) Line // second line across all columns; nil: there is none
	target func(row int) Key
}

// Target returns the key of what Enter opens in a row.
func (t *Table) Target(row int) Key { return t.target(row) }

// RowHeight returns the number of lines that a row takes.
func (t *Table) RowHeight() int {
	if t.Tall {
		return 2
	}
	return 1
}

func (s *sheet[T]) heads() []Head {
	out := make([]Head, len(s.columns))
	for i, c := range s.columns {
		out[i] = c.Head
		out[i].Sortable = c.cmp != nil
		out[i].Min = max(out[i].Min, Width(out[i].Title))
		out[i].Max = max(out[i].Max, out[i].Min)
	}
	return out
}

// table filters and sorts the records. It does not change recs.
func (s *sheet[T]) table(in Input, recs []T) *Table {
	rows, unknown := s.filter(in, recs)
	s.sort(in.Sort, rows)
	t := &Table{Heads: s.heads(), Total: len(recs), Unknown: unknown, Tall: s.tall || s.line != nil, Order: in.Sort, Keys: make([]Key, len(rows))}
	if s.prefer != nil {
		s.prefer(t.Heads, rows)
	}
	for i, r := range rows {
		t.Keys[i] = s.key(r)
	}
	t.cells = func(row, col int) Cell { return s.columns[col].cell(in, rows[row]) }
	t.subs = func(row, col int, shown func(title string) bool) Cell {
		if f := s.columns[col].sub; f != nil {
			in := in
			in.shown = shown
			return f(in, rows[row])
		}
		return nil
	}
	if s.line != nil {
		t.under = func(row int) Line { return s.line(in, rows[row]) }
	}
	t.target = func(row int) Key { return s.target(rows[row]) }
	return t
}

// filter returns the records that the filter selects, and its words that ask for what is known of none.
func (s *sheet[T]) filter(in Input, recs []T) (rows []T, unknown []string) {
	if in.Filter.Empty() {
		return slices.Clone(recs), nil
	}
	in = in.placed()
	unknown = in.Filter.keys()
	for _, r := range recs {
		subjects := s.subjects(in, r)
		if slices.ContainsFunc(subjects, in.Filter.Match) {
			rows = append(rows, r)
		}
		unknown = slices.DeleteFunc(unknown, func(key string) bool {
			return slices.ContainsFunc(subjects, func(s Subject) bool { return s.tells(key) })
		})
	}
	return rows, unknown
}

func (s *sheet[T]) sort(order Sort, rows []T) {
	i := slices.IndexFunc(s.columns, func(c column[T]) bool { return c.Title == order.Column && c.cmp != nil })
	switch {
	case i >= 0 && order.Reverse:
		slices.SortStableFunc(rows, func(a, b T) int { return s.columns[i].cmp(b, a) })
	case i >= 0:
		slices.SortStableFunc(rows, s.columns[i].cmp)
	case order.Reverse:
		slices.Reverse(rows)
	}
}
