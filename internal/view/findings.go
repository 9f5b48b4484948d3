// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"strings"

	"beltrace/collector/model"
)

var findingSheet = sheet[*model.Finding]{
	line:     func(_ Input, f *model.Finding) Line { return Styled("   "+Clean(f.Text), findingStyle(f, Normal)) },
	key:      findingKey,
	target:   findingKey,
	subjects: func(in Input, f *model.Finding) []Subject { return findingSubjects(in, f) },
	columns: []column[*model.Finding]{
		{Head: Head{Title: "SEVERITY", Min: 11, Max: 11, Up: true, Explain: explainSeverity}, cell: findingSeverity,
			cmp: func(a, b *model.Finding) int { return cmp.Compare(severityRank(a), severityRank(b)) }},
		{Head: Head{Title: "FINDING", Min: 14, Max: 24, Up: true, Explain: explainFinding}, cell: func(_ Input, f *model.Finding) Cell { return Styled(Clean(f.ID), findingStyle(f, Strong)) },
			cmp: func(a, b *model.Finding) int { return cmp.Compare(a.ID, b.ID) }},
		{Head: Head{Title: "SUBJECT", Min: 12, Max: 66, Up: true, Cut: CutMiddle, Explain: explainSubject}, cell: func(_ Input, f *model.Finding) Cell { return Styled(Clean(f.Subject), findingStyle(f, Normal)) },
			cmp: func(a, b *model.Finding) int { return cmp.Compare(a.Subject, b.Subject) }},
		{Head: Head{Title: "FOR", Min: 6, Max: 6, Align: Right, Priority: 1, Explain: explainFor}, cell: findingAge,
			cmp: func(a, b *model.Finding) int { return cmp.Compare(a.Since, b.Since) }},
		{Head: Head{Title: "SINCE", Min: 12, Max: 12, Align: Right, Priority: 2, Explain: explainFor}, cell: func(in Input, f *model.Finding) Cell { return Styled(in.clock().Time(f.Since), Dim) }},
		{Head: Head{Title: "UNTIL", Min: 12, Max: 12, Align: Right, Priority: 3, Explain: explainFor}, cell: findingUntil},
	},
}

// findingKey stays the same from the beginning of a finding to its end and after.
func findingKey(f *model.Finding) Key {
	return Key{Kind: FindingRecord, ID: uint64(f.Since), Name: fmt.Sprint(f.ID, " ", f.About())}
}

// findingSubjects lets a filter find a finding by its listener, or else its process.
func findingSubjects(in Input, f *model.Finding) []Subject {
	s := Subject{PID: f.PID.Or(0)}
	l := findListener(in.Snap, f.Listener.V)
	ofListener := f.Listener.Known && l != nil
	if ofListener {
		s = listenerSubject(l)
	}
	s.State = "open"
	if f.Until.Known {
		s.State = "ended"
	}
	s.Text = strings.Join([]string{f.ID, f.Severity, f.Subject, f.Text, s.Text}, " ")
	if ofListener {
		return []Subject{s}
	}
	return in.at(s)
}

func findFinding(s *model.Snapshot, key Key) *model.Finding {
	for i := range s.Findings {
		if findingKey(&s.Findings[i]) == key {
			return &s.Findings[i]
		}
	}
	return nil
}

// severityRank puts the worst first, and what has ended last.
func severityRank(f *model.Finding) int {
	if f.Until.Known {
		return 3
	}
	switch f.Severity {
	case model.Critical:
		return 0
	case model.Warning:
		return 1
	}
	return 2
}

// severityMark tells severities apart without colour.
func severityMark(f *model.Finding) string {
	return [...]string{"!!", "! ", "· ", "  "}[severityRank(f)]
}

func findingSeverity(_ Input, f *model.Finding) Cell {
	if f.Until.Known {
		return Styled("   ended", Dim)
	}
	return Styled(severityMark(f)+" "+Clean(f.Severity), findingStyle(f, Normal))
}

// findingStyle is the style of a finding by how bad it is; usual is what there is no reason to change.
func findingStyle(f *model.Finding, usual Style) Style {
	switch severityRank(f) {
	case 0:
		if usual == Normal {
			return usual
		}
		return Bad
	case 3:
		return Dim
	}
	return usual
}

func findingAge(in Input, f *model.Finding) Cell {
	if f.Until.Known {
		return Styled(Dur(f.Until.V-f.Since), Dim)
	}
	return Plain(Dur(in.Snap.TS - f.Since))
}

func findingUntil(in Input, f *model.Finding) Cell {
	if !f.Until.Known {
		return Styled("now", Normal)
	}
	return Styled(in.clock().Time(f.Until.V), Dim)
}
