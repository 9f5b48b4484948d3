// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"

	"beltrace/collector/event"
)

// TestTextOfBytes: events about bytes and requests say something, and nothing that is not known.
func TestTextOfBytes(t *testing.T) {
	turn := turnEvent(1, event.DirOut, 0, response, 1234, event.Moves{Calls: 3, Call: "writev", LatencyNS: 5})
	turn.Set(event.FieldCall)
	wait := event.Event{Kind: event.Offcpu, Turn: &event.Moves{OffNS: 2_500_000, On: "recvfrom", Target: "10.0.0.9:5432"}}
	ready := event.Event{Kind: event.Readable, Bytes: 12, Turn: &event.Moves{Unread: 300}}
	ready.Set(event.FieldBytes, event.FieldUnread)
	answer := event.Event{Kind: event.Exchange, Result: &event.Outcome{Summary: "GET /a 200", TotalNS: 3_000_000, Incomplete: true, Phases: map[string]int64{"read": 1_000_000, "write": 2_000_000}}}
	answer.Set(event.FieldTotalNS)
	unanswered := event.Event{Kind: event.Exchange, Result: &event.Outcome{Summary: "GET /a", Incomplete: true}}
	for want, e := range map[string]*event.Event{
		"wrote 1.2 kB, 3 calls, writev":                  &turn,
		"slept 2.5 ms, in recvfrom 10.0.0.9:5432":        &wait,
		"12 B new, 300 B wait":                           &ready,
		"GET /a 200, took 3.0 ms, write 2.0 ms, cut off": &answer,
		"GET /a, cut off":                                &unanswered,
		"":                                               {Kind: event.Exchange},
		"waited 7.0 µs for a CPU":                        {Kind: event.Offcpu, Turn: &event.Moves{}, Thread: &event.ThreadTimes{RunqueueNS: 7000}},
		"slept 1.0 µs":                                   {Kind: event.Offcpu, Turn: &event.Moves{OffNS: 1000}, Thread: &event.ThreadTimes{RunqueueNS: 7000}},
		"read 0 B":                                       {Kind: event.Turn, Turn: &event.Moves{Direction: event.DirIn}},
	} {
		if got := text(e); got != want {
			t.Errorf("%s: %q, want %q", e.Kind, got, want)
		}
	}
}

// TestLineKeepsWhatFiltersAskFor: what the words of a filter ask for is a line's own, not only in its text.
func TestLineKeepsWhatFiltersAskFor(t *testing.T) {
	l := lineOf(&event.Event{Kind: event.Accept, PID: 4711, Comm: "api", NetNS: 4026531840, Container: "3f9a81c2d7e6", Unit: "web.service", Role: event.RoleServer})
	if l.PID != 4711 || l.Comm != "api" || l.NetNS != 4026531840 || l.Container != "3f9a81c2d7e6" || l.Unit != "web.service" || l.Role != event.RoleServer {
		t.Errorf("%+v", l)
	}
	if l := lineOf(&event.Event{Kind: event.Lost}); l.NetNS != 0 || l.Role != "" || l.Container != "" || l.Unit != "" {
		t.Errorf("of an event that does not tell: %+v", l)
	}
}
