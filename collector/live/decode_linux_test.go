// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// wire is the memory of a record, aligned as the ring aligns it.
func wire[T any](r *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(r)), unsafe.Sizeof(*r))
}

func TestDecodeAccept(t *testing.T) {
	r := bpf.KernelAcceptEvent{WaitNs: 7, AcceptQueue: 2, Backlog: 5, Fd: 4}
	r.E = bpf.KernelEvent{
		Ts: 100, Conn: 11, Listener: 9, Kind: uint8(bpf.KernelEventKindEVENT_ACCEPT), Family: 6,
		Role: uint8(bpf.KernelSockRoleROLE_SERVER), Cpu: 1, Netns: 3, Pid: 20, Tid: 21,
		Lport: 80, Rport: 4000, ListenerPort: 80, ListenerFamily: 6,
		Has: uint32(bpf.KernelEventHasHAS_OWNER | bpf.KernelEventHasHAS_LOCAL | bpf.KernelEventHasHAS_REMOTE |
			bpf.KernelEventHasHAS_LISTENER | bpf.KernelEventHasHAS_WAIT | bpf.KernelEventHasHAS_QUEUES | bpf.KernelEventHasHAS_FD),
	}
	copy(r.E.Comm[:], "nginx")
	r.E.Laddr = netip.MustParseAddr("::ffff:10.0.0.1").As16()
	r.E.Raddr = netip.MustParseAddr("fd00::2").As16()
	d := newDecoder()
	var got event.Event
	if err := d.decode(wire(&r), &got); err != nil {
		t.Fatal(err)
	}
	want := event.Event{
		TS: 100, Kind: event.Accept, CPU: 1, PID: 20, TID: 21, Comm: "nginx", Conn: 11, NetNS: 3, Proto: "tcp", Role: event.RoleServer,
		Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("[fd00::2]:4000"),
		Listener: netip.MustParseAddrPort("[::]:80"), ListenerConn: 9, WaitNS: 7, FD: 4, AcceptQueue: 2, Backlog: 5,
	}
	want.Set(event.FieldCPU, event.FieldPID, event.FieldTID, event.FieldComm, event.FieldConn, event.FieldNetNS, event.FieldProto,
		event.FieldRole, event.FieldLocal, event.FieldRemote, event.FieldListener, event.FieldListenerConn, event.FieldWaitNS,
		event.FieldFD, event.FieldAcceptQueue, event.FieldBacklog)
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.AllowUnexported(event.Event{})); diff != "" {
		t.Error(diff)
	}
}

// TestDecodeWait: what was asked for is absent of a wait whose entry was before beltrace.
func TestDecodeWait(t *testing.T) {
	for _, most := range []uint32{0, 512} {
		r := bpf.KernelWaitEvent{Fd: 8, Ret: 1, Max: most}
		var e event.Event
		if d := newDecoder(); !d.wait(&r, &e) || e.Known(event.FieldMax) != (most != 0) || e.Known(event.FieldTimeoutMS) || e.Loop.Ready != 1 {
			t.Errorf("at most %d: %+v", most, e.Loop)
		}
	}
}

// What the kernel did not say stays absent.
func TestDecodeLeavesUnknownAbsent(t *testing.T) {
	r := bpf.KernelEstablishedEvent{HandshakeNs: 5, RttUs: 6}
	r.E = bpf.KernelEvent{Conn: 1, Kind: uint8(bpf.KernelEventKindEVENT_ESTABLISHED), Pid: 7, Lport: 1, Rport: 2}
	d := newDecoder()
	var e event.Event
	if err := d.decode(wire(&r), &e); err != nil {
		t.Fatal(err)
	}
	for _, f := range []event.Field{
		event.FieldPID, event.FieldLocal, event.FieldRemote, event.FieldListener, event.FieldHandshakeNS, event.FieldRTTNS, event.FieldRole,
	} {
		if e.Known(f) {
			t.Errorf("%s is known", f)
		}
	}
}

func TestFailureNamesReasonAndSide(t *testing.T) {
	for errno, want := range map[unix.Errno][2]string{
		unix.ECONNREFUSED: {event.ReasonRefused, event.SideRemote},
		unix.ETIMEDOUT:    {event.ReasonTimeout, event.SideLocal},
		unix.EHOSTUNREACH: {event.ReasonUnreachable, ""},
		unix.EPIPE:        {event.ReasonReset, event.SideRemote},
		unix.ENOMEM:       {event.ReasonOther, ""},
	} {
		if reason, side := failure(errno); reason != want[0] || side != want[1] {
			t.Errorf("%v: %s %s, want %v", errno, reason, side, want)
		}
	}
}

// Any bytes make an error or an event that can be written and read again. They stay as they are: the ring is mapped for
// reading only.
func FuzzDecode(f *testing.F) {
	f.Add(wire(&bpf.KernelCloseEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_CLOSE), Has: 1<<18 - 1}}))
	f.Add(wire(&bpf.KernelMarkEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_MARK)}}))
	f.Add(wire(&bpf.KernelQueueEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_SYN), Has: 1<<18 - 1, Family: 4}}))
	f.Add(wire(&bpf.KernelSampleEvent{Q: bpf.KernelQueueEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_QUEUE), Has: 1<<21 - 1, Family: 4}}}))
	f.Add(wire(&bpf.KernelDropEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_SYN_DROP), Has: 1<<21 - 1, Family: 6}, Stage: 9, Cause: 9, KernelReason: 3}))
	f.Add(wire(&bpf.KernelAcceptErrorEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_ACCEPT_ERROR), Has: 1}}))
	f.Add(wire(&bpf.KernelOffcpuEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_OFFCPU), Has: 1<<21 - 1, Family: 4}, What: 1}))
	f.Add(wire(&bpf.KernelTurnEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_TURN), Has: 1<<21 - 1, Family: 4}}))
	f.Add(wire(&bpf.KernelThreadEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_THREAD), Has: 1<<21 - 1}}))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, raw []byte) {
		aligned := make([]uint64, len(raw)/8+1)
		buf := unsafe.Slice((*byte)(unsafe.Pointer(&aligned[0])), len(raw))
		copy(buf, raw)
		d := newDecoder()
		var e, again event.Event
		err := d.decode(buf, &e)
		if !bytes.Equal(buf, raw) {
			t.Fatalf("the record was changed: %x, before: %x", buf, raw)
		}
		if err != nil {
			return
		}
		line := e.AppendJSON(nil)
		if err := json.Unmarshal(line, &again); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := again.AppendJSON(nil); string(got) != string(line) {
			t.Errorf("read again:\n%s\n%s", line, got)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	r := bpf.KernelCloseEvent{E: bpf.KernelEvent{Kind: uint8(bpf.KernelEventKindEVENT_CLOSE), Has: 1<<13 - 1, Family: 4, Lport: 1, Rport: 2}}
	d, raw := newDecoder(), wire(&r)
	var e event.Event
	b.ReportAllocs()
	for b.Loop() {
		if err := d.decode(raw, &e); err != nil {
			b.Fatal(err)
		}
	}
}
