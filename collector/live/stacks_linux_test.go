// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"beltrace/bpf"
	"beltrace/collector/event"
)

// slept is the record of a sleep with a stack behind it.
func slept(ts uint64, ip ...uint64) []byte {
	var r bpf.KernelOffcpuEvent
	r.E.Ts, r.E.Kind, r.E.Has, r.E.Pid, r.E.Tid = ts, uint8(bpf.KernelEventKindEVENT_OFFCPU), uint32(bpf.KernelEventHasHAS_OWNER), 7, 8
	raw := wire(&r)
	if ip == nil {
		return raw
	}
	var stack bpf.KernelStack
	copy(stack.Ip[:], ip)
	return slices.Concat(raw, wire(&stack))
}

// TestHeldForNames: an event waits until its stack has names, and time does not pass it; others do not wait. One whose names do
// not come is delivered without.
func TestHeldForNames(t *testing.T) {
	s := &Session{decoder: newDecoder(), done: make(chan struct{})}
	ask, told := make(chan stackKey, 8), make(chan namedStack, 8) // nobody names but this test
	s.stacks.ask, s.stacks.told, s.stacks.known, s.stacks.asking = ask, told, map[stackKey][]string{}, map[stackKey]bool{}
	take := func(raw []byte) (e event.Event, held bool) {
		t.Helper()
		if err := s.decoder.decode(raw, &e); err != nil {
			t.Fatal(err)
		}
		return e, s.hold(&e)
	}
	if e, held := take(slept(100)); held || e.Known(event.FieldStack) {
		t.Errorf("without a stack: held %t, %s", held, e.AppendJSON(nil))
	}
	s.began = 1000
	for _, ts := range []uint64{200, 300, 400} {
		ip := []uint64{1, 2}
		if ts == 400 {
			ip = []uint64{3}
		}
		if _, held := take(slept(ts, ip...)); !held {
			t.Errorf("the one of %d is not held", ts)
		}
	}
	if len(ask) != 2 || s.mark(500) != 199 || s.mark(50) != 50 {
		t.Errorf("%d are to be named, time comes to %d", len(ask), s.mark(500))
	}
	told <- namedStack{<-ask, []string{"main.f f.go:1"}}
	s.releaseHeld(2000)
	if len(s.pending) != 2 || s.pending[0].TS != 200 || !slices.Equal(s.pending[1].Turn.Stack, []string{"main.f f.go:1"}) || s.mark(500) != 399 {
		t.Errorf("released %+v, time comes to %d", s.pending, s.mark(500))
	}
	s.pending = nil
	s.releaseHeld(1000 + int64(patience))
	if len(s.pending) != 1 || s.pending[0].Known(event.FieldStack) || s.mark(500) != 500 {
		t.Errorf("released %+v", s.pending)
	}
	if e, held := take(slept(600, 1, 2)); held || !bytes.Contains(e.AppendJSON(nil), []byte(`"stack":["main.f f.go:1"]`)) {
		t.Errorf("it is known: held %t, %s", held, e.AppendJSON(nil))
	}
}

// TestLastNames: in the last drain names are waited for.
func TestLastNames(t *testing.T) {
	s := &Session{decoder: newDecoder(), done: make(chan struct{}), final: true}
	var e event.Event
	if err := s.decoder.decode(slept(100, 1), &e); err != nil || !s.hold(&e) {
		t.Fatalf("it is not held: %v", err)
	}
	s.closing.Wait() // who names them lives on, and hooks can be attached meanwhile
	began := time.Now()
	s.releaseHeld(monotonic())
	if len(s.pending) != 1 || time.Since(began) > patience {
		t.Errorf("released %+v after %v", s.pending, time.Since(began))
	}
	close(s.done)
	s.naming.Wait()
}
