// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// anyEvent makes an event out of eight bytes: few sockets, addresses and times, so that they meet.
func anyEvent(b []byte) event.Event {
	kinds := event.Kinds()
	e := event.Event{
		Kind: kinds[int(b[0])%len(kinds)], TS: int64(b[1]) * 1e8, Conn: uint64(b[2] % 24), ListenerConn: uint64(b[3] % 4),
		PID: uint32(b[4]%3) + 1, TID: uint32(b[4]%5) + 1, Comm: "x", NetNS: uint32(b[3]>>2) % 3,
		Role:  []string{event.RoleClient, event.RoleServer}[b[5]&1],
		Local: anyAddr(b[5] >> 1), Remote: anyAddr(b[6]), Listener: anyAddr(b[6] >> 2),
		AcceptQueue: uint32(b[7] % 4), SYNQueue: uint32(b[7] % 3), WaitNS: int64(b[7]) - 3, DurationNS: int64(b[7])*1e7 - 3,
		HandshakeNS: int64(b[6]) - 3, Reason: []string{event.ReasonFIN, event.ReasonReset, event.ReasonRefused}[b[7]%3],
		Side: event.SideRemote, Where: "ring", Proto: []string{"tcp", mptcp}[b[4]>>7], PreExisting: b[4]&64 != 0,
		Count: uint64(b[6]), Errno: int32(b[5] % 40), Stage: []string{event.StageSYN, event.StageACK}[b[5]&1],
	}
	// Which facts are known comes from the bytes as well.
	e.Has = event.Mask{}
	known := uint64(b[1])*0x9e3779b97f4a7c15 ^ uint64(b[5])<<20
	for _, f := range event.Fields() {
		if known>>(f%64)&1 != 0 {
			e.Set(f)
		}
	}
	if b[0]&128 == 0 {
		e.Set(event.FieldConn)
	}
	e.Forget(event.FieldCookie)
	if !e.Known(event.FieldPreExisting) {
		e.PreExisting = false
	}
	return onlyKnown(e)
}

// onlyKnown drops values that are not known, and those that no event of its kind has, as every source does.
func onlyKnown(e event.Event) event.Event {
	if e.Kind == event.EpollWait || e.Kind == event.Loop { // both have one name
		e.Forget(event.FieldBlockedNS)
	} else {
		e.Forget(event.FieldInsideNS)
	}
	e.AppendJSON(nil) // makes the parts of the event to which known fields belong
	if e.Known(event.FieldMessages) {
		e.Turn.Messages = []event.Message{} // none: null would be unknown
	}
	if e.Known(event.FieldOps) {
		e.Uring.Ops = []event.RingOp{}
	}
	for _, v := range anyValues {
		if !e.Known(v.field) {
			v.drop(&e)
		}
	}
	return e
}

// anyValues are the fields to which anyEvent gives values.
var anyValues = []struct {
	field event.Field
	drop  func(*event.Event)
}{
	{event.FieldConn, func(e *event.Event) { e.Conn = 0 }},
	{event.FieldListenerConn, func(e *event.Event) { e.ListenerConn = 0 }},
	{event.FieldPID, func(e *event.Event) { e.PID = 0 }},
	{event.FieldTID, func(e *event.Event) { e.TID = 0 }},
	{event.FieldComm, func(e *event.Event) { e.Comm = "" }},
	{event.FieldNetNS, func(e *event.Event) { e.NetNS = 0 }},
	{event.FieldRole, func(e *event.Event) { e.Role = "" }},
	{event.FieldLocal, func(e *event.Event) { e.Local = netip.AddrPort{} }},
	{event.FieldRemote, func(e *event.Event) { e.Remote = netip.AddrPort{} }},
	{event.FieldListener, func(e *event.Event) { e.Listener = netip.AddrPort{} }},
	{event.FieldAcceptQueue, func(e *event.Event) { e.AcceptQueue = 0 }},
	{event.FieldSYNQueue, func(e *event.Event) { e.SYNQueue = 0 }},
	{event.FieldWaitNS, func(e *event.Event) { e.WaitNS = 0 }},
	{event.FieldDurationNS, func(e *event.Event) { e.DurationNS = 0 }},
	{event.FieldHandshakeNS, func(e *event.Event) { e.HandshakeNS = 0 }},
	{event.FieldReason, func(e *event.Event) { e.Reason = "" }},
	{event.FieldSide, func(e *event.Event) { e.Side = "" }},
	{event.FieldWhere, func(e *event.Event) { e.Where = "" }},
	{event.FieldProto, func(e *event.Event) { e.Proto = "" }},
	{event.FieldPreExisting, func(e *event.Event) { e.PreExisting = false }},
	{event.FieldCount, func(e *event.Event) { e.Count = 0 }},
	{event.FieldErrno, func(e *event.Event) { e.Errno = 0 }},
	{event.FieldStage, func(e *event.Event) { e.Stage = "" }},
}

// TestAnyEvent: what is fed is what a source would give: written and read again it is the same.
func TestAnyEvent(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	b := make([]byte, 8)
	for range 3000 {
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		e := anyEvent(b)
		var read event.Event
		if err := read.UnmarshalJSON(e.AppendJSON(nil)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(read, e, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{}, event.Mask{})); diff != "" {
			t.Fatalf("%s (-read +fed):\n%s", e.AppendJSON(nil), diff)
		}
	}
}

func anyAddr(b byte) netip.AddrPort {
	ips := []string{"0.0.0.0", "127.0.0.1", "::", "::1"}
	return netip.AddrPortFrom(netip.MustParseAddr(ips[b%4]), uint16(b>>2)%3+80)
}

// feed gives events to a small collector and checks after each what must hold.
func feed(t *testing.T, data []byte) {
	c := New(Options{Budget: Budget{Connections: 12, Closed: 5, Listeners: 3, Events: 7, Story: 6, Marks: 2, Acceptors: 2, Namespaces: 2, Reservoir: 8}})
	var kept *model.Snapshot
	var was []byte
	for i := 0; len(data) >= 8; i, data = i+1, data[8:] {
		e := anyEvent(data)
		before := e
		c.Add(&e)
		checkCompleted(t, &before, &e)
		if i%64 == 5 {
			kept = c.Snapshot(0)
			was = mustJSON(t, kept)
		}
	}
	checkInvariants(t, c)
	c.Snapshot(0)
	if kept != nil {
		if diff := cmp.Diff(string(was), string(mustJSON(t, kept))); diff != "" {
			t.Fatalf("a published snapshot changed (-before +after):\n%s", diff)
		}
	}
}

// checkCompleted checks that completing an event only added facts, and no negative time.
func checkCompleted(t *testing.T, before, after *event.Event) {
	t.Helper()
	lost := before.Has.AndNot(after.Has)
	if before.WaitNS < 0 {
		lost = lost.AndNot(event.MaskOf(event.FieldWaitNS))
	}
	if lost != (event.Mask{}) {
		t.Fatalf("%s: fields %v were taken away", before.Kind, lost)
	}
	if added := after.Has.AndNot(before.Has); added.Has(event.FieldWaitNS) && after.WaitNS < 0 ||
		added.Has(event.FieldHandshakeNS) && after.HandshakeNS < 0 || added.Has(event.FieldDurationNS) && after.DurationNS < 0 {
		t.Fatalf("%s got a negative time: %s", before.Kind, after.AppendJSON(nil))
	}
}

func mustJSON(t *testing.T, s *model.Snapshot) []byte {
	t.Helper()
	type all struct {
		*model.Snapshot
		Lines   []model.EventLine
		Stories [][]model.EventLine
		Marks   []model.Mark
		Waits   [][]model.Waiting
	}
	a := all{Snapshot: s, Lines: s.Events, Marks: s.Marks}
	for _, c := range s.Connections {
		a.Stories = append(a.Stories, c.Story)
	}
	for _, l := range s.Listeners {
		a.Waits = append(a.Waits, l.Waiting)
	}
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mostFed is up to where an input is looked at.
const mostFed = 8 * 400

// FuzzCollector feeds any events in any order, with any facts missing.
func FuzzCollector(f *testing.F) {
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 8*100)
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { feed(t, data[:min(len(data), mostFed)]) }) // the longer, the fewer in the time
}

// TestAnyOrder feeds many random lives.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		data := make([]byte, 8*300)
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		feed(t, data)
	}
}
