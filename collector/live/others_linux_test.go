// SPDX-License-Identifier: Apache-2.0

package live

import (
	"net"
	"testing"

	"beltrace/bpf"
	"beltrace/collector/event"

	"golang.org/x/sys/unix"
)

// Listeners that are not watched claim what they may have refused, so that it is nobody else's; what was none of theirs
// they do not claim for ever.
func TestOthersClaim(t *testing.T) {
	var o others
	for i, step := range []struct{ count, left, claim uint64 }{
		{27, 7, 7},
		{30, 10, 10},
		{31, 10, 10},
	} {
		o.count = step.count
		if o.leave(step.left); o.claim() != step.claim {
			t.Errorf("step %d: they claim %d, want %d", i, o.claim(), step.claim)
		}
	}
}

// With a filter the namespace's counter is not all of what is watched: what may be another listener's has no listener.
func TestSettleBesideOthers(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}, listeners: map[uint64]*listenerState{}, partial: true}
	sp := &space{have: event.MaskOf(event.FieldListenDrops)}
	s.spaces.known = map[uint32]*space{0: sp}
	st, counted := s.listener(1), dropped(20)
	for i, step := range []struct {
		total, drops, others uint64 // of the namespace; of the listener; of those not watched
		told, unplaced       uint64
	}{
		{27, 20, 27, 0, 20}, // 27 by the others, or 20 of them by this one
		{27, 20, 27, 0, 20},
		{32, 25, 27, 5, 20}, // what they claimed in vain they do not claim again
		{36, 29, 27, 9, 20},
		{36, 40, 27, 9, 27}, // the 7 that were left for the others may be these
	} {
		sp.now.ListenDrops, sp.others.count, counted.SkDrops = step.total, step.others, step.drops
		for range 2 {
			s.settle([]claim{s.claim(st, counted, 0, 0, false)})
		}
		var unplaced uint64
		for _, e := range s.pending {
			if !e.Known(event.FieldListenerConn) {
				unplaced += e.Count
			}
		}
		if st.told != step.told || unplaced != step.unplaced {
			t.Errorf("step %d: told %d, without a listener %d, want %d, %d", i, st.told, unplaced, step.told, step.unplaced)
		}
	}
}

// Where the others cannot be looked at, nothing is certain.
func TestSettleBesideUnseen(t *testing.T) {
	s := &Session{tallies: map[bpf.KernelTallyKey]*tallyState{}, listeners: map[uint64]*listenerState{}, partial: true}
	s.spaces = spaces{known: map[uint32]*space{0: {have: event.MaskOf(event.FieldListenDrops), now: event.Space{ListenDrops: 9}, others: others{unseen: true}}}}
	st := s.listener(1)
	for range 2 {
		s.settle([]claim{s.claim(st, dropped(9), 0, 0, false)})
	}
	if st.told != 0 || len(s.pending) != 1 || s.pending[0].Count != 9 {
		t.Errorf("%d told, %d events, want one of 9 without a listener", st.told, len(s.pending))
	}
}

// The counters of all listeners of a namespace are found, each by its socket's cookie, of both families.
func TestListenerDrops(t *testing.T) {
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // of which the program sees the socket in front
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := plain.Listen(t.Context(), "tcp", addr)
		if err != nil {
			t.Skip(err)
		}
		defer l.Close()
		raw, err := l.(*net.TCPListener).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var cookie uint64
		raw.Control(func(fd uintptr) { cookie, err = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE) })
		if err != nil {
			t.Skip(err)
		}
		drops, err := listenerDrops("/proc/self/ns/net")
		if err != nil {
			t.Skipf("it needs root: %v", err)
		}
		if n, ok := drops[cookie]; !ok || n != 0 {
			t.Errorf("%s: %d dropped (%v), want 0; listed are %d", addr, n, ok, len(drops))
		}
	}
}

func FuzzAddDrops(f *testing.F) {
	f.Add(make([]byte, diagMsg+40))
	f.Add(append(make([]byte, diagMsg), 40, 0, diagMeminfo, 0, 1, 2))
	f.Fuzz(func(t *testing.T, data []byte) { addDrops(data, map[uint64]uint32{}) })
}
