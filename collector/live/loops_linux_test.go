// SPDX-License-Identifier: Apache-2.0

package live

import (
	"os"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"
)

// TestLastWaits: what a loop did after its numbers were read, and before it was seen to have ended, is told.
func TestLastWaits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: the kernel does not let us make maps")
	}
	me := uint32(os.Getpid())
	for name, key := range map[string]bpf.KernelLoopKey{
		"its thread ended":     {Tid: 1 << 30, Fd: 3}, // more than there can be
		"its descriptor ended": {Tid: me, Fd: 1 << 30},
	} {
		m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: uint32(unsafe.Sizeof(key)), ValueSize: uint32(unsafe.Sizeof(bpf.KernelLoop{})), MaxEntries: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		read := bpf.KernelLoop{Pid: me, Since: 1, Entered: 5, Waits: 7, Begun: 7, Done: 7}
		last := read
		last.Entered, last.Returned, last.Waits, last.Begun, last.Done = 0, 9, 8, 8, 8
		if err := m.Put(key, last); err != nil {
			t.Fatal(err)
		}
		s := &Session{decoder: newDecoder(), demands: map[probes.Set]*demand{probes.Sched: {}}}
		s.loops.seen, s.loops.dead, s.loops.epoll.used = map[bpf.KernelLoopKey]*loopSeen{}, map[uint32]bool{}, map[uint64]bool{}
		s.sampleLoop(m, key, &read, false)
		if len(s.pending) != 1 {
			t.Fatalf("%s: told is %v", name, s.pending)
		}
		if e := &s.pending[0]; e.Loop.Waits != 8 || e.Phase != event.PhaseEnd {
			t.Errorf("%s: it waited 8 times; told is %s", name, e.AppendJSON(nil))
		}
		if m.Lookup(key, &last) == nil {
			t.Errorf("%s: it is watched still", name)
		}
	}
}
