// SPDX-License-Identifier: Apache-2.0

package view

import (
	"slices"
	"strings"

	"beltrace/collector/model"
)

// Problem is something that goes wrong now: a finding that is more than a note.
type Problem struct {
	Subject string // the service
	Text    string
	Target  Key // what to open to see more
}

// Line returns the problem as a line that carries its meaning without colour.
func (p Problem) Line() Line {
	return Line{{"! ", Bad}, {p.Subject, Strong}, {"  " + p.Text, Normal}}
}

// lines wraps the problem to a width, and cuts it after so many lines.
func (p Problem) lines(width, most int) []Line {
	texts := Wrap(p.Subject+"  "+p.Text, width-2)
	if len(texts) > most {
		texts = texts[:most]
		texts[most-1] = head(texts[most-1], width-3) + "…"
	}
	var out []Line
	for i, text := range texts {
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

// Problems returns what goes wrong now, the worst first: of each listener what is worst.
func Problems(in Input) []Problem {
	in = in.placed()
	var out []Problem
	told := map[uint64]bool{}
	for i := range in.Snap.Findings {
		f := &in.Snap.Findings[i]
		switch {
		case !present(f) || f.Severity == model.Note, f.Listener.Known && told[f.Listener.V]:
			continue
		case !in.Filter.Empty() && !slices.ContainsFunc(findingSubjects(in, f), in.Filter.Match):
			continue
		}
		told[f.Listener.V] = f.Listener.Known
		out = append(out, Problem{Subject: Clean(f.Subject), Text: Clean(f.Text), Target: findingKey(f)})
	}
	return out
}

// present reports whether a finding holds now.
func present(f *model.Finding) bool { return !f.Until.Known }

// Stations of the belt at which a finding may be marked.
const (
	atSYNQueue    = "SYN queue"
	atAcceptQueue = "accept queue"
	atRead        = "read"
	atApplication = "application"
	atWrite       = "write"
)

// stations says at which station a finding is marked.
var stations = map[string]string{
	"accept-queue-full": atAcceptQueue, "accept-queue-filling": atAcceptQueue, "slow-acceptor": atAcceptQueue, "nobody-accepts": atAcceptQueue,
	"fd-limit": atAcceptQueue, "backlog-capped": atAcceptQueue, "syn-queue-full": atSYNQueue, "syn-cookies": atSYNQueue,
	"blocked-handler": atApplication, "run-queue-wait": atApplication, "cpu-throttled": atApplication,
	"one-cpu-saturated": atApplication, "thundering-herd": atAcceptQueue, "uneven-reuseport": atAcceptQueue, "uneven-workers": atAcceptQueue,
	"slow-reader": atWrite, "nagle-delayed-ack": atWrite, "retransmits": atWrite, "tiny-io": atWrite,
}

// trouble reports whether a finding that is more than a note holds of that station of the listener.
func trouble(s *model.Snapshot, l *model.Listener, station string) bool {
	for i := range s.Findings {
		f := &s.Findings[i]
		if present(f) && f.Severity != model.Note && f.Listener == model.Some(l.Conn) && stations[f.ID] == station {
			return true
		}
	}
	return false
}

// portName shortens an address to its port where it listens on every address of both families, as a rule: ":8080".
func portName(local string) string {
	if port, ok := strings.CutPrefix(local, "[::]:"); ok {
		return ":" + port
	}
	return local
}
