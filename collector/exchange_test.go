// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/event"
)

// turnEvent makes a turn of a connection.
func turnEvent(conn uint64, dir string, pos uint64, head string, n uint64, m event.Moves) event.Event {
	m.Direction, m.Pos, m.Head = dir, pos, []byte(head)
	e := event.Event{Kind: event.Turn, TS: m.LastTS, Conn: conn, Bytes: n, Turn: &m, PID: 7, TID: 8, Comm: "api"}
	m.LastTID = 8
	e.Set(event.FieldConn, event.FieldBytes, event.FieldDirection, event.FieldPos, event.FieldPID, event.FieldTID, event.FieldComm)
	return e
}

const ms = int64(1e6)

// serverBefore is a server's connection, up to accept.
func serverBefore(conn uint64) []event.Event {
	est := event.Event{Kind: event.Established, TS: 10 * ms, Conn: conn, Role: event.RoleServer, HandshakeNS: 2 * ms}
	est.Set(event.FieldConn, event.FieldRole, event.FieldHandshakeNS)
	acc := event.Event{Kind: event.Accept, TS: 60 * ms, Conn: conn, Role: event.RoleServer}
	acc.Set(event.FieldConn, event.FieldRole)
	return []event.Event{est, acc}
}

// acceptedAfter is an accept with its time in the queue.
func acceptedAfter(conn uint64, ts, wait int64) event.Event {
	acc := event.Event{Kind: event.Accept, TS: ts, Conn: conn, Role: event.RoleServer, WaitNS: wait}
	acc.Set(event.FieldConn, event.FieldRole, event.FieldWaitNS)
	return acc
}

func asleep(conn uint64, ts, slept, runqueue int64, on string) event.Event {
	e := event.Event{Kind: event.Offcpu, TS: ts, Conn: conn, PID: 7, TID: 8, Turn: &event.Moves{OffNS: slept, On: on}, Thread: &event.ThreadTimes{RunqueueNS: runqueue}}
	e.Set(event.FieldConn, event.FieldPID, event.FieldTID, event.FieldOffNS, event.FieldOn, event.FieldRunqueueNS)
	return e
}

// outcomes feeds events and returns what came out, in words.
func outcomes(all []event.Event) (out []string, derived []event.Event) {
	c := New(Options{})
	for i := range all {
		c.Add(&all[i])
		derived = append(derived, c.Derived()...)
	}
	for _, e := range derived {
		r := e.Result
		s := r.Summary
		if e.Known(event.FieldTotalNS) {
			s += fmt.Sprintf(" total %dms", r.TotalNS/ms)
		}
		if e.Known(event.FieldTTFBNS) {
			s += fmt.Sprintf(" ttfb %dms", r.TTFBNS/ms)
		}
		if e.Known(event.FieldAckNS) {
			s += fmt.Sprintf(" ack %dms", r.AckNS/ms)
		}
		for _, phase := range slices.Sorted(maps.Keys(r.Phases)) {
			s += fmt.Sprintf(" %s=%d", phase, r.Phases[phase]/ms)
		}
		s += " (" + r.Confidence + ")"
		if r.Incomplete {
			s += " incomplete"
		}
		out = append(out, s)
	}
	return out, derived
}

const request, response = "GET /a?q=1 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func TestExchange(t *testing.T) {
	nq, nr := uint64(len(request)), uint64(len(response))
	in := event.Moves{ReadableTS: 20 * ms, WakingTS: 55 * ms, RunnableTS: 55 * ms, OncpuTS: 58 * ms, FirstTS: 61 * ms, LastTS: 61 * ms}
	later := event.Moves{ReadableTS: 100 * ms, WakingTS: 101 * ms, RunnableTS: 103 * ms, OncpuTS: 106 * ms, FirstTS: 110 * ms, LastTS: 110 * ms}
	answer := event.Moves{OncpuTS: 130 * ms, FirstTS: 140 * ms, LastTS: 145 * ms, SentTS: 150 * ms, AckedTS: 190 * ms}
	for _, tt := range []struct {
		name   string
		events []event.Event
		want   []string
	}{
		{"first of its connection", append(serverBefore(1),
			turnEvent(1, "in", 0, request, nq, in),
			turnEvent(1, "out", 0, response, nr, event.Moves{FirstTS: 71 * ms, LastTS: 71 * ms, SentTS: 71 * ms, AckedTS: 72 * ms})),
			[]string{"GET /a 200 total 63ms ttfb 63ms ack 1ms accept_queue=50 app.running=10 handshake=2 read=1 (thread)"}},
		{"accepted before it was established", append([]event.Event{acceptedAfter(1, 9*ms, ms)}, append(serverBefore(1)[:1],
			turnEvent(1, "in", 0, request, nq, event.Moves{ReadableTS: 20 * ms, OncpuTS: 1, FirstTS: 20 * ms, LastTS: 20 * ms}),
			turnEvent(1, "out", 0, response, nr, event.Moves{FirstTS: 30 * ms, LastTS: 30 * ms, SentTS: 30 * ms}))...),
			[]string{"GET /a 200 total 22ms ttfb 22ms accept_queue=1 app.running=10 client_idle=11 (thread)"}},
		{"accept was not seen", append(serverBefore(1)[:1],
			turnEvent(1, "in", 0, request, nq, in),
			turnEvent(1, "out", 0, response, nr, event.Moves{FirstTS: 71 * ms, LastTS: 71 * ms, SentTS: 71 * ms})),
			[]string{"GET /a 200 total 63ms ttfb 63ms app.running=10 handshake=2 unobserved=51 (thread)"}},
		{"later one, blocked", []event.Event{
			turnEvent(1, "in", 0, request, nq, later), asleep(1, 130*ms, 15*ms, 2*ms, "nanosleep"),
			turnEvent(1, "out", 0, response, nr, answer)},
			[]string{"GET /a 200 total 50ms ttfb 40ms ack 40ms app.blocked:nanosleep=15 app.running=13 app.runqueue=2 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)"}},
		{"threads not watched", []event.Event{
			turnEvent(1, "in", 0, request, nq, event.Moves{ReadableTS: 100 * ms, FirstTS: 110 * ms, LastTS: 110 * ms}),
			turnEvent(1, "out", 0, response, nr, event.Moves{FirstTS: 140 * ms, LastTS: 140 * ms, SentTS: 140 * ms})},
			[]string{"GET /a 200 total 40ms ttfb 40ms unobserved=40 (stream position)"}},
		{"cut off", []event.Event{turnEvent(1, "in", 0, request, nq, later), closeEvent(1, 200*ms)},
			[]string{"GET /a read=4 runqueue=3 waiting=1 wakeup=2 (stream position) incomplete"}},
		{"whose answer was missed", []event.Event{turnEvent(1, "in", 0, request, nq, later), closeAfter(1, 200*ms, nr, event.ReasonFIN)}, nil},
		{"reset while it is answered", []event.Event{turnEvent(1, "in", 0, request, nq, later), closeAfter(1, 200*ms, nr, event.ReasonReset)},
			[]string{"GET /a read=4 runqueue=3 waiting=1 wakeup=2 (stream position) incomplete"}},
		{"of whose answer the end was missed", []event.Event{turnEvent(1, "in", 0, request, nq, later),
			turnEvent(1, "out", 0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot all", 45, answer), closeAfter(1, 200*ms, 47, event.ReasonFIN)}, nil},
		{"answer that lasts until the end", []event.Event{
			turnEvent(1, "in", 0, request, nq, later), turnEvent(1, "out", 0, "HTTP/1.1 200 OK\r\n\r\nall", 22, answer), closeEvent(1, 200*ms)},
			[]string{"GET /a 200 total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)"}},
		{"answer that is cut off", []event.Event{
			turnEvent(1, "in", 0, request, nq, later), turnEvent(1, "out", 0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot all", 45, answer), closeEvent(1, 200*ms)},
			[]string{"GET /a 200 total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread) incomplete"}},
		{"pipelined", []event.Event{
			turnEvent(1, "in", 0, request+request, 2*nq, later), turnEvent(1, "out", 0, response+response, 2*nr, answer)},
			[]string{"GET /a 200 total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)",
				"GET /a 200 total 50ms ttfb 40ms ack 40ms app.blocked:earlier_answer=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (stream position)"}},
		{"unknown protocol", []event.Event{turnEvent(1, "in", 0, "\x00\x01", 2, later), turnEvent(1, "out", 0, "\x02", 1, answer), turnEvent(1, "in", 2, "\x00", 1, later)},
			[]string{"tcp total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)"}},
		{"told again after the other side spoke", []event.Event{
			turnEvent(1, "in", 0, "\x00\x01", 2, later), turnEvent(1, "out", 0, "\x02", 1, answer),
			turnEvent(1, "in", 2, "\x00", 1, event.Moves{FirstTS: 200 * ms, LastTS: 200 * ms}), turnEvent(1, "out", 0, "\x02", 1, answer),
			turnEvent(1, "in", 2, "\x00", 2, event.Moves{FirstTS: 200 * ms, LastTS: 201 * ms}),
			turnEvent(1, "out", 1, "\x02", 1, event.Moves{FirstTS: 210 * ms, LastTS: 210 * ms, SentTS: 210 * ms}), closeEvent(1, 300*ms)},
			[]string{"tcp total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)",
				"tcp total 10ms ttfb 10ms read=1 unobserved=9 (stream position)"}},
		{"answer that is told before its request", []event.Event{
			turnEvent(1, "in", 0, request, nq, later), turnEvent(1, "out", 0, response, nr, answer),
			turnEvent(1, "out", nr, response, nr, answer), turnEvent(1, "in", nq, request, nq, later), turnEvent(1, "in", 2*nq, request, nq, later),
			turnEvent(1, "out", 2*nr, response, nr, answer), turnEvent(1, "in", 3*nq, request, nq, later), turnEvent(1, "out", 3*nr, response, nr, answer)},
			[]string{"GET /a 200 total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)",
				"GET /a 200 total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)",
				"GET /a 200 total 50ms ttfb 40ms ack 40ms app.blocked:earlier_answer=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (stream position)"}},
		{"something was missed", []event.Event{
			turnEvent(1, "in", 0, request, nq, later), turnEvent(1, "out", 0, response, nr, answer),
			turnEvent(1, "out", nr+500, response, nr, answer), turnEvent(1, "in", nq+300, request, nq, later), turnEvent(1, "out", 2*nr+500, response, nr, answer)},
			[]string{"GET /a 200 total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)",
				"GET /a 200 total 50ms ttfb 40ms ack 40ms app.running=30 read=4 runqueue=3 send=5 waiting=1 wakeup=2 write=5 (thread)"}},
	} {
		for i := range tt.events {
			if e := &tt.events[i]; e.Role == "" {
				e.Role = event.RoleServer
				e.Set(event.FieldRole)
			}
		}
		got, _ := outcomes(tt.events)
		if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
		}
	}
}

func closeEvent(conn uint64, ts int64) event.Event {
	e := event.Event{Kind: event.Close, TS: ts, Conn: conn, Reason: event.ReasonFIN}
	e.Set(event.FieldConn, event.FieldReason)
	return e
}

// closeAfter is the end of a server's connection on which so many bytes were sent.
func closeAfter(conn uint64, ts int64, out uint64, reason string) event.Event {
	e := closeEvent(conn, ts)
	e.BytesOut, e.Role, e.Reason = out, event.RoleServer, reason
	return *e.Set(event.FieldBytesOut, event.FieldRole)
}

// TestPartition feeds random turns with moments that are missing, wrong or out of order, and losses: phases are never
// negative and always add up.
func TestPartition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	n := 0
	for range 3000 {
		var all []event.Event
		if r.IntN(2) == 0 {
			all = serverBefore(1)
		}
		var pos [2]uint64
		for range 2 + r.IntN(12) {
			d := r.IntN(2)
			text := []string{request, response, "\x00garbage", ""}[max(d, r.IntN(4))]
			if r.IntN(10) == 0 {
				pos[d] += uint64(r.IntN(300)) // lost
			}
			when := func() int64 { return max(0, int64(r.IntN(300)-60)) * ms }
			e := turnEvent(1, []string{"in", "out"}[d], pos[d], text, uint64(len(text)), event.Moves{
				ReadableTS: when(), WakingTS: when(), RunnableTS: when(), OncpuTS: when(), FirstTS: when(), LastTS: when(), SentTS: when(), AckedTS: when(), LatencyNS: when()})
			e.Role, e.TID = event.RoleServer, uint32(r.IntN(3))
			e.Set(event.FieldRole)
			pos[d] += uint64(len(text))
			all = append(all, e)
			if r.IntN(3) == 0 {
				all = append(all, asleep(1, when(), when(), when(), "futex"))
			}
		}
		all = append(all, closeEvent(1, 400*ms))
		_, derived := outcomes(all)
		for _, e := range derived {
			n++
			total := int64(0)
			for phase, ns := range e.Result.Phases {
				if ns < 0 {
					t.Fatalf("phase %s is %d", phase, ns)
				}
				total += ns
			}
			if e.Known(event.FieldTotalNS) && total != e.Result.TotalNS || e.Result.TTFBNS < 0 || e.Result.AckNS < 0 {
				t.Fatalf("phases add up to %d of %d: %s", total, e.Result.TotalNS, e.AppendJSON(nil))
			}
		}
	}
	if n < 3000 {
		t.Errorf("only %d exchanges", n)
	}
}

func TestRouteOf(t *testing.T) {
	for path, want := range map[string]string{
		"/orders/7": "/orders/{id}", "/a.txt": "/a.txt", "/v1/users": "/v1/users", "/o/123e4567-e89b-12d3-a456-426614174000/x": "/o/{id}/x",
		"/t/deadbeef01": "/t/{id}", "/t/deadbeef": "/t/{id}", "/": "/", "": "", "/2": "/{id}", "/cafe1": "/cafe1",
	} {
		if got := RouteOf(path); got != want {
			t.Errorf("RouteOf(%q) = %q, want %q", path, got, want)
		}
	}
}

// TestExchangeMarks: marks whose id is the connection's number belong to its exchanges, whatever thread made them.
func TestExchangeMarks(t *testing.T) {
	nq, nr := uint64(len(request)), uint64(len(response))
	mark := func(name string, pid uint32, id uint64, phase string, ts int64) event.Event {
		e := event.Event{Kind: event.Mark, TS: ts, PID: pid, TID: 99, Name: name, ID: id, Phase: phase}
		return *e.Set(event.FieldPID, event.FieldTID, event.FieldName, event.FieldID, event.FieldPhase)
	}
	accept := serverBefore(1)
	accept[1].PID, accept[1].Comm = 7, "api"
	accept[1].Set(event.FieldPID, event.FieldComm)
	all := append(accept,
		mark("parse", 7, 1, "begin", 110*ms), mark("parse", 7, 1, "end", 112*ms), mark("handle", 7, 1, "begin", 112*ms),
		mark("handle", 8, 1, "begin", 113*ms), mark("handle", 7, 2, "begin", 113*ms), // of another process, another connection
		turnEvent(1, "in", 0, request, nq, event.Moves{ReadableTS: 100 * ms, FirstTS: 109 * ms, LastTS: 109 * ms}),
		turnEvent(1, "out", 0, response, nr, event.Moves{FirstTS: 140 * ms, LastTS: 140 * ms, SentTS: 140 * ms}),
		mark("handle", 7, 1, "end", 141*ms), // after the answer
		turnEvent(1, "in", nq, request, nq, event.Moves{ReadableTS: 200 * ms, FirstTS: 201 * ms, LastTS: 201 * ms}),
		turnEvent(1, "out", nr, response, nr, event.Moves{FirstTS: 210 * ms, LastTS: 210 * ms, SentTS: 210 * ms}))
	_, derived := outcomes(all)
	if len(derived) != 2 {
		t.Fatalf("%d exchanges, want 2", len(derived))
	}
	if got, want := fmt.Sprint(derived[0].Result.Marks), "map[handle:28000000 parse:2000000]"; got != want {
		t.Errorf("marks of the first: %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(derived[0].Result.Spans), "[{parse 110000000 112000000} {handle 112000000 140000000}]"; got != want {
		t.Errorf("spans of the first: %s, want %s", got, want)
	}
	if derived[1].Known(event.FieldMarks) {
		t.Errorf("marks of the second: %v, want none", derived[1].Result.Marks)
	}
}

// TestExchangeOldRecording: a turn without any message has no list of them in older recordings; it is no message itself.
func TestExchangeOldRecording(t *testing.T) {
	const post, more, wait = "POST /u HTTP/1.1\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n", "body", "HTTP/1.1 100 Continue\r\n\r\n"
	var all []event.Event
	var pos [2]uint64
	for i, text := range []string{post, wait, more, wait, more, response} {
		ts, dir := int64(10+i)*ms, []string{"in", "out"}[i%2]
		e := turnEvent(1, dir, pos[i%2], text, uint64(len(text)), event.Moves{FirstTS: ts, LastTS: ts})
		e.Role = event.RoleServer
		e.Set(event.FieldRole)
		pos[i%2] += uint64(len(text))
		all = append(all, e)
	}
	live, _ := outcomes(all)
	for i := range all {
		if all[i].Turn.Head = nil; len(all[i].Turn.Messages) == 0 {
			all[i].Forget(event.FieldMessages)
		}
	}
	again, _ := outcomes(all)
	if len(live) != 1 || !slices.Equal(live, again) {
		t.Errorf("live %q, replayed %q, want the same one", live, again)
	}
}

// TestClientOfAnotherHost: a client's own requests are told, also where this host listens on the same port; those to that
// listener are told by its end.
func TestClientOfAnotherHost(t *testing.T) {
	here := netip.MustParseAddrPort("10.0.0.1:40000")
	listen := event.Event{Kind: event.Listen, TS: ms, Conn: 9, Listener: netip.MustParseAddrPort("0.0.0.0:80")}
	listen.Set(event.FieldConn, event.FieldListener)
	for remote, want := range map[string]int{"10.0.0.2:80": 1, "10.0.0.1:80": 0, "127.0.0.1:80": 0, "127.0.0.1:81": 1} {
		e := event.Event{Kind: event.Established, TS: 10 * ms, Conn: 1, Role: event.RoleClient, Local: here, Remote: netip.MustParseAddrPort(remote)}
		e.Set(event.FieldConn, event.FieldRole, event.FieldLocal, event.FieldRemote)
		out, _ := outcomes([]event.Event{listen, e,
			turnEvent(1, "out", 0, request, uint64(len(request)), event.Moves{FirstTS: 20 * ms, LastTS: 20 * ms}),
			turnEvent(1, "in", 0, response, uint64(len(response)), event.Moves{FirstTS: 30 * ms, LastTS: 30 * ms}),
			closeEvent(1, 200*ms)})
		if len(out) != want {
			t.Errorf("to %s: %v, want %d", remote, out, want)
		}
	}
}
