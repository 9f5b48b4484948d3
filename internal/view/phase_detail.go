// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/model"
)

// moment is an event of a request, and the phases that it begins, lies in or ends.
type moment struct {
	ts     int64
	kind   string
	tid    uint32 // 0: none, or not known
	text   string
	phases []string
}

// applicationPhases stands for all the phases whose names begin so.
const applicationPhases = "app."

// momentsOf returns the events that a request's phases were cut by, the first one first. What was not seen is missing, and so
// is what a thread did before the request.
func momentsOf(x *model.Exchange) []moment {
	m := &x.Moments
	var out []moment
	add := func(ts int64, kind string, tid uint32, text string, phases ...string) {
		if ts >= x.Start && ts > 0 {
			out = append(out, moment{ts, kind, tid, text, phases})
		}
	}
	add(m.Connect, "connect", 0, "the client called connect", "syn")
	add(m.SYN, "syn", 0, "the SYN reached the listener", "syn", "handshake")
	add(m.Established, "established", 0, "the final ACK: into the accept queue", "handshake", "accept_queue", "unobserved")
	arrive(x, add)
	in := &m.In
	before := []string{"read"}
	if !wokenBy(in) {
		before = append(before, "waiting", "unobserved")
	}
	out = append(out, callMoments(x, in, "read", sizeOf(in.Bytes), before, []string{"read", applicationPhases, "unobserved"})...)
	for _, s := range m.Sleeps {
		if !s.Cut {
			continue
		}
		blocked := "app.blocked:" + s.On
		if s.Runnable == s.From {
			add(max(s.From, x.Start), "offcpu", in.LastTID, "the thread lost its CPU", "app.running", "app.runqueue", "unobserved")
			add(s.To, "oncpu", in.LastTID, "the thread got a CPU", "app.runqueue", "app.running")
			continue
		}
		add(max(s.From, x.Start), "offcpu", in.LastTID, "the thread slept in "+Clean(s.On), blocked, "app.running", "unobserved")
		add(s.Runnable, "runnable", in.LastTID, "the thread was put on a run queue", blocked, "app.runqueue")
		add(s.To, "oncpu", in.LastTID, "the thread got a CPU", "app.runqueue", "app.running")
	}
	answered := &m.Out
	if answered.TID == in.LastTID {
		if awake := answered.Oncpu; awake > in.Last && awake <= answered.First && !slices.ContainsFunc(m.Sleeps, func(s model.Sleep) bool { return s.To == awake }) {
			add(awake, "oncpu", answered.TID, "the thread got a CPU again", "app.runqueue", "app.running")
		}
	} else {
		add(answered.Runnable, "runnable", answered.TID, "the thread that answers was put on a run queue", applicationPhases)
		add(answered.Oncpu, "oncpu", answered.TID, "the thread got a CPU", "app.runqueue", "app.running", "unobserved")
	}
	add(m.Earlier, "write", 0, "the answer before it was written", "app.blocked:earlier_answer", "unobserved")
	out = append(out, callMoments(x, answered, "write", sizeOf(answered.Bytes), []string{applicationPhases, "write", "unobserved"}, []string{"write", "send"})...)
	add(answered.Sent, "sent", 0, "the last byte was sent", "send")
	slices.SortStableFunc(out, func(a, b moment) int { return cmp.Compare(a.ts, b.ts) })
	return out
}

// arrive adds what happened until the thread that reads came to the bytes, as the collector cuts that time: it slept and was
// woken, or it was busy with another connection, and may have lost its CPU then.
func arrive(x *model.Exchange, add func(ts int64, kind string, tid uint32, text string, phases ...string)) {
	m, in := &x.Moments, &x.Moments.In
	there := max(in.Readable, m.Accepted) // both are needed
	woken := wokenBy(in)
	busy := in.Other > in.Readable && in.Other <= in.First
	slept := woken && (!busy || in.Other > in.Oncpu && in.Waking >= in.Readable || in.Waking >= in.Other)
	begins := []string{"waiting", "unobserved"}
	if slept && in.Waking < there { // it had been told before
		begins = append(begins, "wakeup")
	}
	if slept && in.Runnable < there {
		begins = append(begins, "runqueue")
	}
	if woken && max(in.Oncpu, in.Other) < there { // it accepted the connection
		begins = append(begins, "read")
	}
	accepted, readable := []string{"accept_queue", "client_idle"}, []string{"client_idle"}
	if there == in.Readable {
		readable = append(readable, begins...)
	} else {
		accepted = append(accepted, begins...)
	}
	add(m.Accepted, "accept", 0, "accept returned", accepted...)
	add(in.Readable, "readable", 0, "the first byte was there to be read", readable...)
	if busy && in.Other >= there {
		after := []string{"waiting"}
		switch {
		case woken && in.Other > in.Oncpu:
			after = append(after, "read")
		case woken && !slept:
			after = append(after, "runqueue")
		}
		add(in.Other, "other", in.TID, "the thread had served another connection", after...)
	}
	if slept && in.Waking >= there {
		add(in.Waking, "waking", in.TID, "the thread that slept was told", "waiting", "wakeup")
	}
	if slept && in.Runnable >= there {
		add(in.Runnable, "runnable", in.TID, "the thread was put on a run queue", "wakeup", "runqueue")
	}
	got := []string{"runqueue", "read"}
	if busy && in.Other > in.Oncpu {
		got[1] = "waiting"
	}
	if woken && in.Oncpu >= there {
		add(in.Oncpu, "oncpu", in.TID, "the thread got a CPU", got...)
	}
}

// wokenBy reports whether the thread that reads got a CPU after the bytes had come: it was asleep, or had lost its CPU.
func wokenBy(in *model.Moves) bool { return in.Oncpu >= in.Readable && in.Oncpu <= in.First }

// callMoments are the first and the last call that moved a message's bytes.
func callMoments(x *model.Exchange, m *model.Moves, call, size string, before, after []string) []moment {
	var out []moment
	add := func(ts int64, tid uint32, text string, phases ...string) {
		if ts >= x.Start && ts > 0 {
			out = append(out, moment{ts, call, tid, text, phases})
		}
	}
	add(m.Called, m.TID, call+" was called", before...)
	first := []string{call}
	if m.Called == 0 {
		first = before
	}
	if m.Last > m.First {
		add(m.First, m.TID, "the first "+call+" returned", first...)
		add(m.Last, m.LastTID, "the last "+call+" returned"+size, after...)
	} else {
		add(m.First, m.TID, call+" returned"+size, slices.Concat(first, after)...)
	}
	return out
}

func sizeOf(n uint64) string {
	if n == 0 {
		return ""
	}
	return ": " + Bytes(n) + " in all"
}

// of reports whether the event belongs to a phase.
func (m *moment) of(phase string) bool {
	return slices.ContainsFunc(m.phases, func(p string) bool {
		return p == phase || p == applicationPhases && strings.HasPrefix(phase, p)
	})
}

// phaseKey names a phase of a request.
func phaseKey(x *model.Exchange, phase string) Key {
	return Key{Kind: PhaseRecord, ID: x.Conn, Name: fmt.Sprint(x.Number, " ", phase)}
}

// findPhase returns the request of a phase's key, and the phase. nil: it is not there any more.
func findPhase(s *model.Snapshot, key Key) (*model.Exchange, string) {
	number, phase, _ := strings.Cut(key.Name, " ")
	return findExchange(s, Key{Kind: ExchangeRecord, ID: key.ID, Name: number}), phase
}

// openPhase shows the events of a request that begin a phase, lie in it and end it.
func openPhase(in Input, x *model.Exchange, name string, width int) *Detail {
	d := &Detail{Title: Line{{phaseText(name) + "  ", Strong}, {Dur(x.Phases[name]), Strong},
		{" of " + optDur(x.TotalNS) + "  " + Clean(requestText(x)), Normal}}}
	var before int64
	for _, m := range momentsOf(x) {
		if !m.of(name) {
			continue
		}
		step := ""
		if before != 0 {
			step = "+" + Dur(m.ts-before)
		}
		before = m.ts
		line := Line{{fmt.Sprintf("%9s  ", "+"+Dur(m.ts-x.Start)), Normal}, {fmt.Sprintf("%9s  ", step), Strong}, {pad(m.kind, 12), Normal}}
		if width >= 100 {
			line = append(Line{{in.clock().Time(m.ts) + " ", Dim}}, line...)
		}
		text := m.text
		if m.tid != 0 {
			text += fmt.Sprintf(", tid %d", m.tid)
		}
		indent := Span{Text: strings.Repeat(" ", line.Width())}
		for _, words := range Wrap(text, width-1-line.Width()) {
			d.add(append(line, Span{Text: words}))
			line = Line{indent}
		}
	}
	if before == 0 {
		d.add(Styled("no event of it was seen", Dim))
	}
	d.add(nil)
	if w := phaseWords[name]; w[1] != "" {
		d.wrap(w[1]+".", width)
	}
	if cause := phaseCause(name); cause != "" {
		d.wrap(cause, width)
	}
	return d
}

// PhaseTimes returns when the events of a phase happened that its detail lists, CLOCK_MONOTONIC, the first one first.
func PhaseTimes(x *model.Exchange, phase string) (out []int64) {
	for _, m := range momentsOf(x) {
		if m.of(phase) {
			out = append(out, m.ts)
		}
	}
	return out
}
