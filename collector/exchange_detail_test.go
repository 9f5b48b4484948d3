// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/event"
)

// callEvent makes one call of a connection in detail.
func callEvent(kind event.Kind, pos uint64, text string, ts int64) event.Event {
	m := &event.Moves{Pos: pos, Head: []byte(text), Detail: true, Direction: event.DirIn, ReadableTS: ts - ms}
	if kind == event.Write {
		m.Direction, m.ReadableTS, m.SentTS = event.DirOut, 0, ts
	}
	e := event.Event{Kind: kind, TS: ts, Conn: 1, Role: event.RoleServer, Bytes: uint64(len(text)), Turn: m, PID: 7, TID: 8, Comm: "api"}
	e.Set(event.FieldConn, event.FieldRole, event.FieldBytes, event.FieldPos, event.FieldPID, event.FieldTID, event.FieldReadableTS, event.FieldSentTS)
	return e
}

// TestExchangeDetail: pipelined requests, first turn by turn, then, because the lens asked for it, call by call; and what a
// replay makes of the same.
func TestExchangeDetail(t *testing.T) {
	nq, nr := uint64(len(request)), uint64(len(response))
	turn := func(dir string, pos uint64, head string, n uint64, m event.Moves) event.Event {
		e := turnEvent(1, dir, pos, head, n, m)
		e.Role = event.RoleServer
		e.Set(event.FieldRole, event.FieldFirstTS, event.FieldLastTS, event.FieldSentTS, event.FieldAckedTS)
		return e
	}
	all := []event.Event{
		turn("in", 0, request+request[:9], 3*nq, event.Moves{FirstTS: 10 * ms, LastTS: 10 * ms}),
		turn("out", 0, response, 3*nr, event.Moves{FirstTS: 20 * ms, LastTS: 20 * ms, SentTS: 20 * ms}),
		callEvent(event.Read, 3*nq, request+request[:9], 30*ms), callEvent(event.Read, 4*nq+9, request[9:], 35*ms),
		turn("in", 3*nq, request, 2*nq, event.Moves{FirstTS: 30 * ms, LastTS: 35 * ms}),
		callEvent(event.Write, 3*nr, response, 40*ms), callEvent(event.Write, 4*nr, response, 50*ms),
		turn("out", 3*nr, response, 2*nr, event.Moves{FirstTS: 40 * ms, LastTS: 50 * ms, SentTS: 50 * ms, AckedTS: 57 * ms}),
	}
	var asked []uint64
	c := New(Options{Detail: func(conn uint64) { asked = append(asked, conn) }})
	var live, again []string
	var lines [][]byte
	for i := range all {
		c.Add(&all[i])
		for _, e := range c.Derived() {
			live = append(live, string(e.AppendJSON(nil)))
		}
		lines = append(lines, all[i].AppendJSON(nil))
	}
	if len(asked) != 1 || asked[0] != 1 {
		t.Errorf("asked for the connections %v in detail, want 1", asked)
	}
	want := []string{"GET /a 200 stream position", "GET /a 200 11 ", "GET /a 200 21 7"}
	for i, w := range want {
		var e event.Event
		if i >= len(live) || e.UnmarshalJSON([]byte(live[i])) != nil {
			t.Fatalf("%d exchanges, want %d: %s", len(live), len(want), live)
		}
		got := fmt.Sprintf("%s %s", e.Result.Summary, e.Result.Confidence)
		if i > 0 {
			got = fmt.Sprintf("%s %d ", e.Result.Summary, (e.Result.TTFBNS)/ms)
			if e.Known(event.FieldAckNS) {
				got += fmt.Sprint(e.Result.AckNS / ms)
			}
		}
		if got != w {
			t.Errorf("exchange %d is %q, want %q", i, got, w)
		}
	}
	r := New(Options{})
	for _, line := range lines {
		var e event.Event
		if err := e.UnmarshalJSON(line); err != nil {
			t.Fatal(err)
		}
		r.Add(&e)
		for _, e := range r.Derived() {
			again = append(again, string(e.AppendJSON(nil)))
		}
	}
	if !slices.Equal(live, again) {
		t.Errorf("a replay gives\n%s\nlive it was\n%s", strings.Join(again, "\n"), strings.Join(live, "\n"))
	}
}

// TestExchangeDetailMidTurn: calls are told from the midst of a request on. The request's beginning comes with its turn.
func TestExchangeDetailMidTurn(t *testing.T) {
	nq, nr := uint64(len(request)), uint64(len(response))
	turn := func(dir string, pos uint64, head string, at int64) event.Event {
		e := turnEvent(1, dir, pos, head, uint64(len(head)), event.Moves{FirstTS: at, LastTS: at, SentTS: at})
		e.Role = event.RoleServer
		e.Set(event.FieldRole, event.FieldFirstTS, event.FieldLastTS)
		return e
	}
	_, derived := outcomes([]event.Event{
		turn("in", 0, request, 10*ms), turn("out", 0, response, 20*ms),
		callEvent(event.Read, nq+9, request[9:12], 30*ms), callEvent(event.Read, nq+12, request[12:], 31*ms),
		turn("in", nq, request, 31*ms),
		callEvent(event.Write, nr, response, 40*ms), turn("out", nr, response, 40*ms),
		callEvent(event.Read, 2*nq, request, 50*ms), turn("in", 2*nq, request, 50*ms),
		callEvent(event.Write, 2*nr, response, 60*ms), turn("out", 2*nr, response, 60*ms),
	})
	var got []string
	for _, e := range derived {
		got = append(got, fmt.Sprintf("%s by %d", e.Result.Summary, e.TS/ms))
	}
	if want := []string{"GET /a 200 by 20", "GET /a 200 by 40", "GET /a 200 by 60"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
