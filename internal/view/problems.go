// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/model"
)

// Problem is something that goes wrong now.
type Problem struct {
	Subject string // the service
	Text    string
	Target  Key // what to open to see more
}

// Line returns the problem as a line that carries its meaning without colour.
func (p Problem) Line() Line {
	return Line{{"! ", Bad}, {p.Subject, Strong}, {"  " + p.Text, Normal}}
}

// lines wraps the problem to a width.
func (p Problem) lines(width int) []Line {
	first := p.Line()
	if first.Width() <= width {
		return []Line{first}
	}
	var out []Line
	for i, text := range Wrap(p.Subject+"  "+p.Text, width-2) {
		switch rest, ok := strings.CutPrefix(text, p.Subject); {
		case i > 0:
			out = append(out, Line{{"  ", Normal}, {text, Normal}})
		case ok:
			out = append(out, Line{{"! ", Bad}, {p.Subject, Strong}, {" " + rest, Normal}})
		default: // not even the subject fits
			out = append(out, Line{{"! ", Bad}, {text, Normal}})
		}
	}
	return out
}

// Problems returns what goes wrong at the listeners now, the worst first.
func Problems(in Input) []Problem {
	var full, refusing []Problem
	for i := range in.Snap.Listeners {
		l := &in.Snap.Listeners[i]
		if !in.Filter.Empty() && !in.Filter.Match(listenerSubject(l)) {
			continue
		}
		p := Problem{Subject: comm(l.Process) + " " + portName(l.Local), Target: listenerKey(l)}
		switch recent := in.Hist.RefusedIn(l); {
		case Full(l):
			p.Text = fullText(l, recent)
			full = append(full, p)
		case recent > 0:
			p.Text = fmt.Sprintf("%s refused in the last seconds, %s since the start", Count(recent), Count(Refused(l)))
			refusing = append(refusing, p)
		}
	}
	return append(full, refusing...)
}

func fullText(l *model.Listener, recent uint64) string {
	text := fmt.Sprintf("accept queue full: %d wait, backlog %d", l.AcceptQueue.V, l.Backlog.V)
	if len(l.Waiting) > 0 && l.AcceptsPerSec == 0 {
		text += "; nobody accepts"
	}
	switch total := Refused(l); {
	case recent > 0:
		text += fmt.Sprintf("; %s refused in the last seconds", Count(recent))
	case total > 0:
		text += fmt.Sprintf("; %s refused since the start", Count(total))
	}
	return text
}

// portName shortens an address to its port where it listens on every address: ":8080".
func portName(local string) string {
	for _, any := range []string{"0.0.0.0:", "[::]:"} {
		if len(local) > len(any) && local[:len(any)] == any {
			return local[len(any)-1:]
		}
	}
	return local
}
