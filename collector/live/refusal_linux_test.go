// SPDX-License-Identifier: Apache-2.0

package live

import (
	"net/netip"
	"slices"
	"testing"

	"beltrace/bpf"
	"beltrace/collector/event"

	"github.com/google/go-cmp/cmp"
)

func TestParseNetstat(t *testing.T) {
	const text = `TcpExt: SyncookiesSent SyncookiesRecv ListenOverflows ListenDrops TCPReqQFullDrop EmbryonicRsts
TcpExt: 1 2 30 40 5 6
IpExt: InNoRoutes ListenDrops
IpExt: 7
MPTcpExt: MPCapableSYNRX
`
	want := event.Space{SyncookiesSent: 1, SyncookiesRecv: 2, ListenOverflows: 30, ListenDrops: 40, ReqQFullDrop: 5, EmbryonicRsts: 6}
	if diff := cmp.Diff(want, parseNetstat([]byte(text))); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseNetstat(f *testing.F) {
	f.Add([]byte("TcpExt: ListenDrops\nTcpExt: 4\n"))
	f.Add([]byte("TcpExt: ListenDrops ListenDrops\nTcpExt: x -1\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) { parseNetstat(text) })
}

// A backlog of N holds N + 1: half of it is not yet more than half.
func TestHalfFull(t *testing.T) {
	for _, c := range []struct {
		backlog, syn, accept uint32
		want                 bool
	}{
		{0, 0, 0, false}, {0, 0, 1, true}, {1, 0, 1, false}, {1, 2, 0, true}, {7, 4, 4, false}, {7, 0, 5, true}, {7, 5, 0, true},
	} {
		e := event.Event{Backlog: c.backlog, SYNQueue: c.syn, AcceptQueue: c.accept}
		e.Set(event.FieldBacklog, event.FieldListenerConn, event.FieldSYNQueue, event.FieldAcceptQueue)
		if got := halfFull(&e); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// dropped is a sample of a listener whose socket has counted that many drops.
func dropped(drops uint64) *event.Event {
	e := &event.Event{Kind: event.Queue, ListenerConn: 9, SkDrops: drops}
	return e.Set(event.FieldListenerConn, event.FieldSkDrops)
}

// What one read of the counter says is believed when the next one says so too: it counts an ACK before the ACK is known
// to be refused.
func TestRefusedByCount(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}, spaces: spaces{known: map[uint32]*space{}, searched: monotonic()}}
	st := &listenerState{before: 100}
	steps := []struct {
		drops, acks, told uint64 // told: in all, after this step
		last              bool
	}{
		{100, 0, 0, false},
		{105, 0, 0, false}, // five SYNs, or an ACK that is counted later
		{105, 1, 3, false},
		{105, 1, 3, false},
		{115, 1, 3, false},
		{125, 1, 13, false},
		{130, 1, 28, true}, // the last read is believed
	}
	for i, step := range steps {
		s.settle([]claim{s.claim(st, dropped(step.drops), step.acks, 0, step.last)})
		if st.told != step.told {
			t.Errorf("step %d: %d told, want %d", i, st.told, step.told)
		}
	}
	var sum uint64
	for _, e := range s.pending {
		if e.Kind != event.SYNDrop || e.Stage != event.StageSYN || e.Reason != event.ReasonUnknown || !e.Known(event.FieldListenerConn) {
			t.Errorf("%s", e.AppendJSON(nil))
		}
		sum += e.Count
	}
	if sum != 28 {
		t.Errorf("the events say %d", sum)
	}
}

// Together the listeners of a namespace refused no more than it has counted: what is not certainly one's is somebody's.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		room            uint64
		claimed         []uint64
		others          uint64
		each            []uint64
		somewhere, left uint64
	}{
		{10, []uint64{7}, 0, []uint64{7}, 0, 3},
		{10, []uint64{4, 6}, 0, []uint64{4, 6}, 0, 0},
		{23, []uint64{59}, 0, []uint64{23}, 0, 0},
		{0, []uint64{3, 4}, 0, []uint64{0, 0}, 0, 0},
		{100, []uint64{98, 5}, 0, []uint64{95, 2}, 3, 0},
		{10, []uint64{50, 50}, 0, []uint64{0, 0}, 10, 0},
		{27, []uint64{20}, 27, []uint64{0}, 20, 7},
		{47, []uint64{20}, 27, []uint64{20}, 0, 27},
		{6, []uint64{5}, 2, []uint64{4}, 1, 1}, // another's refused ACK counts twice
		{5, []uint64{20}, 5, []uint64{0}, 5, 0},
	} {
		each, somewhere, left := share(c.room, c.claimed, c.others)
		if !slices.Equal(each, c.each) || somewhere != c.somewhere || left != c.left {
			t.Errorf("%d for %v and %d: %v, %d of somebody, %d left, want %v, %d, %d", c.room, c.claimed, c.others, each, somewhere, left, c.each, c.somewhere, c.left)
		}
	}
}

// What the namespace has not counted was no refusal: it is neither told nor claimed again.
func TestSettleWithinTheNamespace(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}, listeners: map[uint64]*listenerState{}}
	sp := &space{have: event.MaskOf(event.FieldListenDrops)}
	s.spaces.known = map[uint32]*space{0: sp}
	a, b := s.listener(1), s.listener(2)
	for i, step := range []struct {
		drops, acks  uint64    // of the namespace, when this round's samples were taken
		a, b         [2]uint64 // sk_drops, refused ACKs
		toldA, toldB uint64
	}{
		{9, 2, [2]uint64{40, 2}, [2]uint64{0, 0}, 0, 0},
		{9, 2, [2]uint64{40, 2}, [2]uint64{3, 0}, 7, 0}, // 7 SYNs and 2 ACKs; the other 29 were none
		{12, 2, [2]uint64{40, 2}, [2]uint64{3, 0}, 7, 3},
		{12, 2, [2]uint64{60, 2}, [2]uint64{3, 0}, 7, 3},
		{12, 2, [2]uint64{60, 2}, [2]uint64{3, 0}, 7, 3},
	} {
		sp.now.ListenDrops, sp.acks = step.drops, step.acks
		s.settle([]claim{s.claim(a, dropped(step.a[0]), step.a[1], 0, false), s.claim(b, dropped(step.b[0]), step.b[1], 0, false)})
		if a.told != step.toldA || b.told != step.toldB {
			t.Errorf("step %d: %d and %d told, want %d and %d", i, a.told, b.told, step.toldA, step.toldB)
		}
	}
	if a.vain != 49 || b.vain != 0 || sp.syns != 10 {
		t.Errorf("in vain %d and %d, told %d in all", a.vain, b.vain, sp.syns)
	}
}

// On a SYN cookie a refused ACK counts once.
func TestClaimOfCookies(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}}
	if c := s.claim(&listenerState{}, dropped(14), 6, 4, true); c.count != 6 {
		t.Errorf("14 drops, 2 ACKs for requests, 4 on cookies: %d SYNs, want 6", c.count)
	}
}

// A tally's events and its groups add up to its total, whatever a read finds half done.
func TestTellTally(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}, decoder: newDecoder()}
	k := bpf.KernelTallyKey{Id: 9, Code: uint16(bpf.KernelDropCauseCAUSE_SYN_QUEUE), What: uint8(bpf.KernelTallyWhatTALLY_SYN)}
	for _, read := range [][2]uint64{{3, 3}, {5, 6}, {250, 100}, {260, 100}, {260, 100}} { // total, sent
		s.tell(k, &bpf.KernelTally{Total: read[0], Sent: read[1]}, 1)
	}
	var groups []uint64
	for _, e := range s.pending {
		if e.Reason != event.ReasonSYNQueueFull || e.Stage != event.StageSYN {
			t.Errorf("%s", e.AppendJSON(nil))
		}
		groups = append(groups, e.Count)
	}
	if diff := cmp.Diff([]uint64{150, 10}, groups); diff != "" {
		t.Error(diff)
	}
}

// A tally that only samples add up makes no event; one that is silent for long is given back.
func TestTallyStays(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}, decoder: newDecoder()}
	cookie := bpf.KernelTallyKey{Id: 9, What: uint8(bpf.KernelTallyWhatTALLY_COOKIE_SENT)}
	failed := bpf.KernelTallyKey{Id: 9, Tid: 5, Code: 24, What: uint8(bpf.KernelTallyWhatTALLY_ACCEPT_ERROR)}
	for range idleReads {
		if s.tell(cookie, &bpf.KernelTally{Total: 7}, 1) != 0 {
			t.Fatal("the cookies of a listener are given back")
		}
		if s.tell(failed, &bpf.KernelTally{Total: 1, Sent: 1}, 1) >= idleReads {
			t.Fatal("an accept error is given back too soon")
		}
	}
	if s.tell(failed, &bpf.KernelTally{Total: 1, Sent: 1}, 1) < idleReads {
		t.Error("an accept error is kept for ever")
	}
	if len(s.pending) != 0 {
		t.Errorf("%s", s.pending[0].AppendJSON(nil))
	}
}

func TestDecodeDrop(t *testing.T) {
	r := bpf.KernelDropEvent{SynQueue: 2, AcceptQueue: 5, Backlog: 4, Stage: uint8(bpf.KernelDropStageSTAGE_ACK), Cause: uint8(bpf.KernelDropCauseCAUSE_ACCEPT_QUEUE)}
	r.E = bpf.KernelEvent{
		Ts: 7, Kind: uint8(bpf.KernelEventKindEVENT_SYN_DROP), Family: 4, Rport: 4000, Listener: 9, ListenerPort: 80, ListenerFamily: 4,
		Role: uint8(bpf.KernelSockRoleROLE_SERVER), Has: uint32(bpf.KernelEventHasHAS_REMOTE | bpf.KernelEventHasHAS_LISTENER | bpf.KernelEventHasHAS_QUEUES | bpf.KernelEventHasHAS_SYN_QUEUE),
	}
	r.E.Raddr = [16]byte{10, 0, 0, 2}
	d := newDecoder()
	var e event.Event
	if err := d.decode(wire(&r), &e); err != nil {
		t.Fatal(err)
	}
	if e.Kind != event.SYNDrop || e.Stage != event.StageACK || e.Reason != event.ReasonAcceptQueueFull || e.AcceptQueue != 5 ||
		e.Remote != netip.MustParseAddrPort("10.0.0.2:4000") || e.Known(event.FieldDropReason) || !e.Known(event.FieldCount) || e.Count != 1 {
		t.Errorf("%s", e.AppendJSON(nil))
	}
	d.reasons = map[uint16]string{77: "NETFILTER_DROP"}
	r.KernelReason, r.Stage, r.Cause = 77, uint8(bpf.KernelDropStageSTAGE_SYN), uint8(bpf.KernelDropCauseCAUSE_OTHER)
	if err := d.decode(wire(&r), &e); err != nil {
		t.Fatal(err)
	}
	if e.DropReason != "NETFILTER_DROP" || e.Reason != event.ReasonOther || e.Stage != event.StageSYN {
		t.Errorf("%s", e.AppendJSON(nil))
	}
}

// The namespace's counter may be read before or after that of the listener: nothing is missing, and what listeners that
// nobody watches refused long ago is not told.
func TestRefusedSomewhere(t *testing.T) {
	s := &Session{}
	sp := &space{}
	var told []uint64
	for _, read := range []struct {
		drops uint64
		moved bool
	}{{5, false}, {7, true}, {7, true}, {20, false}, {20, false}, {21, true}} {
		sp.now.ListenDrops, sp.moved = read.drops, read.moved
		s.refusedSomewhere(sp, 3, 1)
	}
	for _, e := range s.pending {
		told = append(told, e.Count)
	}
	if diff := cmp.Diff([]uint64{7, 1}, told); diff != "" {
		t.Error(diff)
	}
}

// The number of a namespace that is gone is given to the next one: what the old one had counted, and what was told of it,
// is not the new one's.
func TestSpaceNumberComesBack(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}, listeners: map[uint64]*listenerState{}}
	old := event.Space{ListenDrops: 30, ListenOverflows: 30}
	sp := &space{base: old, read: old}
	s.spaces.known = map[uint32]*space{0: sp}
	sp.count(&event.Space{ListenDrops: 40, ListenOverflows: 40})
	if sp.now.ListenDrops != 10 {
		t.Fatalf("the same namespace counts %d, want 10", sp.now.ListenDrops)
	}
	sp.syns, sp.acks, sp.ended, sp.refused, sp.carried = 8, 2, 2, 10, 3
	sp.count(&event.Space{})
	sp.count(&event.Space{ListenDrops: 19, ListenOverflows: 19})
	st := s.listener(1)
	for range 2 {
		s.settle([]claim{s.claim(st, dropped(19), 0, 0, false)})
	}
	if st.told != 19 || sp.now.ListenDrops != 19 || sp.ended != 0 {
		t.Errorf("%d of 19 refusals are told, the namespace counts %d", st.told, sp.now.ListenDrops)
	}
	s.refusedSomewhere(sp, 0, 1)
	if sp.carried != 19 {
		t.Errorf("%d refused lately, want 19", sp.carried)
	}
}

// A namespace whose number is known is read when the first one listens there: while nothing is counted yet.
func TestEnter(t *testing.T) {
	ino, err := netnsInode("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{listeners: map[uint64]*listenerState{1: {netns: ino}, 2: {netns: ino}}}
	many := event.Space{ListenDrops: 1 << 60}
	sp := &space{path: "/proc/self/ns/net", base: many, read: many, syns: 5}
	s.spaces.known = map[uint32]*space{ino: sp}
	e := &event.Event{Kind: event.Listen, Conn: 1, NetNS: ino}
	if s.enter(e); sp.syns != 5 {
		t.Error("it is read though another listens there")
	}
	delete(s.listeners, 2)
	if s.enter(e); sp.syns != 0 || sp.base != (event.Space{}) || !sp.have.Has(event.FieldListenDrops) {
		t.Errorf("it is taken for the one that had its number: %+v", sp)
	}
}

// Where the namespace could not be read, nothing says that a claim is too large.
func TestSettleUnread(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}, listeners: map[uint64]*listenerState{}}
	s.spaces = spaces{known: map[uint32]*space{0: {have: event.MaskOf(event.FieldListenDrops)}}, searched: monotonic()}
	st := s.listener(1)
	if s.settle([]claim{s.claim(st, dropped(7), 0, 0, true)}); st.told != 7 {
		t.Errorf("%d of 7 refusals are told at the end of a listener whose namespace is gone", st.told)
	}
}
