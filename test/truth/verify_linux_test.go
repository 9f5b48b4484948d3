// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"slices"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// judge counts the failures of a comparison, instead of failing the test.
type judge struct {
	testing.TB
	failures int
}

func (j *judge) Helper()               {}
func (j *judge) Errorf(string, ...any) { j.failures++ }

const millisecond = 1_000_000

// madeUp is a connection that no kernel has seen, and the events that tell it rightly.
func madeUp() (server, client socket, events []event.Event) {
	listening, dialing := netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("127.0.0.1:9000")
	server = socket{
		PID: 10, TID: 11, FD: 5, Cookie: 100, Local: listening, Remote: dialing, In: 7, Out: 8, Listener: 99,
		Called: 21 * millisecond, Returned: 22 * millisecond, CloseCalled: 31 * millisecond, CloseReturned: 32 * millisecond,
	}
	client = socket{
		PID: 20, TID: 21, FD: 3, Cookie: 200, Local: dialing, Remote: listening, In: 8, Out: 7,
		Called: 1 * millisecond, Returned: 2 * millisecond, CloseCalled: 30 * millisecond, CloseReturned: 31 * millisecond,
	}
	of := func(k event.Kind, ts int64, s socket, role, comm string, more ...event.Field) event.Event {
		e := event.Event{
			TS: ts, Kind: k, PID: s.PID, TID: s.TID, Comm: comm, Conn: s.Cookie, NetNS: 1, Proto: "tcp", Role: role,
			Local: s.Local, Remote: s.Remote, Listener: listening, ListenerConn: 99, HandshakeNS: 500_000, WaitNS: 20 * millisecond,
			FD: int32(s.FD), AcceptQueue: 0, Backlog: 16, BytesIn: s.In, BytesOut: s.Out, Reason: event.ReasonFIN, DurationNS: ts - 2*millisecond,
		}
		e.Set(event.FieldPID, event.FieldTID, event.FieldComm, event.FieldConn, event.FieldNetNS, event.FieldProto, event.FieldRole,
			event.FieldLocal, event.FieldRemote)
		e.Set(more...)
		return e
	}
	totals := []event.Field{
		event.FieldReason, event.FieldSide, event.FieldBytesIn, event.FieldBytesOut, event.FieldDurationNS, event.FieldRetransmits,
	}
	events = []event.Event{
		of(event.Connect, millisecond, client, event.RoleClient, "client"),
		of(event.Established, 2*millisecond, client, event.RoleClient, "client", event.FieldHandshakeNS),
		of(event.Established, 2*millisecond, server, event.RoleServer, "server", event.FieldListener, event.FieldListenerConn, event.FieldHandshakeNS),
		of(event.Accept, 22*millisecond, server, event.RoleServer, "server", event.FieldListener, event.FieldListenerConn,
			event.FieldFD, event.FieldWaitNS, event.FieldAcceptQueue, event.FieldBacklog),
		of(event.Close, 31*millisecond, client, event.RoleClient, "client", totals...),
		of(event.Close, 32*millisecond, server, event.RoleServer, "server", totals...),
	}
	events[4].Side, events[5].Side = event.SideLocal, event.SideRemote
	return server, client, events
}

// TestTheComparisonFails: it accepts the truth and nothing else.
func TestTheComparisonFails(t *testing.T) {
	onceAKernel(t)
	for _, c := range []struct {
		name string
		lie  func([]event.Event) []event.Event
		ok   bool
	}{
		{"truth", func(es []event.Event) []event.Event { return es }, true},
		{"nothing seen", func([]event.Event) []event.Event { return nil }, false},
		{"lost", func(es []event.Event) []event.Event { return slices.Delete(es, 2, 3) }, false},
		{"doubled", func(es []event.Event) []event.Event { return append(es, es[3]) }, false},
		{"of nobody", func(es []event.Event) []event.Event { e := es[0]; e.Conn = 7; return append(es, e) }, false},
		{"wrong process", func(es []event.Event) []event.Event { es[3].PID = 20; return es }, false},
		{"wrong thread", func(es []event.Event) []event.Event { es[3].TID = 10; return es }, false},
		{"wrong listener", func(es []event.Event) []event.Event { es[2].ListenerConn = 98; return es }, false},
		{"wrong number", func(es []event.Event) []event.Event { es[1].Conn = 300; return es }, false},
		{"wrong bytes", func(es []event.Event) []event.Event { es[4].BytesOut++; return es }, false},
		{"wrong side", func(es []event.Event) []event.Event { es[4].Side = event.SideRemote; return es }, false},
		{"wrong fd", func(es []event.Event) []event.Event { es[3].FD++; return es }, false},
		{"stamped before the call", func(es []event.Event) []event.Event { es[3].TS = millisecond; return es }, false},
		{"wait from the SYN of an older time", func(es []event.Event) []event.Event { es[3].WaitNS += 3 * millisecond; return es }, false},
		{"no wait", func(es []event.Event) []event.Event { es[3].Forget(event.FieldWaitNS); return es }, false},
		{"wait short by a tenth", func(es []event.Event) []event.Event { es[3].WaitNS -= 3 * millisecond; return es }, false},
		{"handshake longer than connect", func(es []event.Event) []event.Event { es[1].HandshakeNS = 2 * millisecond; return es }, false},
		{"duration of another", func(es []event.Event) []event.Event { es[5].DurationNS += 1; return es }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(testkit.GuestEnv, "") // the bounds that bind
			j := &judge{TB: t}
			server, client, events := madeUp()
			w := &watch{t: j, ns: 1, listeners: map[uint64]listener{}, comms: map[uint32]string{10: "server", 20: "client"}}
			w.known = map[string]bool{}
			for _, f := range facts() {
				w.known[f.name] = slices.Contains(f.tiers, probes.Full)
			}
			w.knowListener(socket{Cookie: 99, Local: server.Local}, 16)
			w.events = c.lie(events)
			w.verify(whole(server, client))
			if ok := j.failures == 0; ok != c.ok {
				t.Errorf("%d failures, want none: %v", j.failures, c.ok)
			}
		})
	}
}
