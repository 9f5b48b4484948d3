// SPDX-License-Identifier: Apache-2.0

package live

import (
	"math/bits"
	"os"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"beltrace/bpf"
	"beltrace/collector/event"
	"beltrace/collector/probes"
)

// TestLatencyBuckets: each bucket begins where the one before it ends, and is at most a quarter as wide as its beginning.
func TestLatencyBuckets(t *testing.T) {
	for i := range 159 {
		from, to := latencyFrom(i), latencyFrom(i+1)
		if to <= from || from >= 4 && 4*(to-from) > from {
			t.Errorf("bucket %d is from %d to %d", i, from, to)
		}
		for _, ns := range []uint64{from, to - 1} {
			if got := latencyBucket(ns); got != i {
				t.Errorf("%d ns are counted in bucket %d, not in %d", ns, got, i)
			}
		}
	}
}

// latencyBucket is add_latency of rings.bpf.h.
func latencyBucket(ns uint64) int {
	if ns < 4 {
		return int(ns)
	}
	log := bits.Len64(ns) - 1
	return log<<2 | int(ns>>(log-2)&3) - 4
}

func TestRingNames(t *testing.T) {
	for op, want := range map[uint8]string{0: "nop", 13: "accept", 22: "read", 26: "send", 27: "recv", 49: "read_multishot", 200: "op200", opUnknown: "unknown"} {
		if got := uringOp(op); got != want {
			t.Errorf("operation %d is %q, want %q", op, got, want)
		}
	}
	if got := setupNames(1<<1 | 1<<12 | 1<<13); got != "sqpoll,single_issuer,defer_taskrun" {
		t.Errorf("set up with %q", got)
	}
}

// TestNextRing: a ring that got the memory of another one, after that was read and before it was seen to have ended, is not
// forgotten with it; and the end of that one is told once, with what it did.
func TestNextRing(t *testing.T) {
	if err := rlimit.RemoveMemlock(); err != nil { // before 5.11 maps count as locked memory
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("not root: the kernel does not let us make maps")
	}
	s := &Session{decoder: newDecoder(), rings: map[uint64]ringSeen{}, maps: map[string]*ebpf.Map{}, hooks: map[string]*attached{probes.RingOps: {hook: &probes.Hook{}}}}
	for name, size := range map[string][2]uintptr{
		bpf.KernelMapRings:      {8, unsafe.Sizeof(bpf.KernelRing{})},
		bpf.KernelMapRingWorks:  {8, unsafe.Sizeof(bpf.KernelRingWork{})},
		bpf.KernelMapRingOps:    {unsafe.Sizeof(bpf.KernelRingOpKey{}), unsafe.Sizeof(bpf.KernelRingOp{})},
		bpf.KernelMapOperations: {unsafe.Sizeof(bpf.KernelOperationKey{}), unsafe.Sizeof(bpf.KernelOperation{})},
	} {
		m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: uint32(size[0]), ValueSize: uint32(size[1]), MaxEntries: 16})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s.maps[name] = m
	}
	put := func(at, id uint64, number, fd, pid uint32, operations uint64) bpf.KernelRing {
		t.Helper()
		r := bpf.KernelRing{Id: id, Created: id, Number: number, Fd: int32(fd), Pid: pid, Watched: 1}
		w := bpf.KernelRingWork{Id: id, Operations: operations}
		w.Counts[0] = bpf.KernelRingCount{Submitted: operations, How: [4]uint64{0, operations}}
		if err := s.maps[bpf.KernelMapRings].Put(at, r); err != nil {
			t.Fatal(err)
		}
		if err := s.maps[bpf.KernelMapRingWorks].Put(at, w); err != nil {
			t.Fatal(err)
		}
		return r
	}
	const at, gone = uint64(1) << 63, 1 << 30 // more processes than there can be
	read := map[uint64]bpf.KernelRing{at: put(at, 100, 7, 3, gone, 7)}
	put(100, 100, 7, 3, gone, 7) // what retire in rings.bpf.h does
	put(at, 200, 8, 3, gone, 8)
	s.tellRings(read)
	s.sampleRings()
	s.sampleRings()
	ends := map[uint32]uint64{}
	for _, e := range s.pending {
		if !e.Known(event.FieldPhase) || len(e.Uring.Ops) != 1 || ends[e.Uring.Ring] != 0 {
			t.Errorf("told is %s", e.AppendJSON(nil))
			continue
		}
		ends[e.Uring.Ring] = e.Uring.Ops[0].Count
	}
	if len(ends) != 2 || ends[7] != 7 || ends[8] != 8 {
		t.Errorf("the rings' ends were told with operations: %v, want 7 of ring 7 and 8 of ring 8", ends)
	}
	for _, name := range []string{bpf.KernelMapRings, bpf.KernelMapRingWorks} {
		if left := new(uint64); s.maps[name].NextKey(nil, left) == nil {
			t.Errorf("%s has still an entry at %x", name, *left)
		}
	}
	if len(s.rings) != 0 {
		t.Errorf("kept is %v", s.rings)
	}

	// The same between the event of its end and what follows.
	put(at, 400, 10, 3, gone, 10)
	put(300, 300, 9, 3, gone, 9)
	flying := bpf.KernelOperationKey{A: at, B: 1}
	if err := s.maps[bpf.KernelMapOperations].Put(flying, bpf.KernelOperation{Of: at, Same: 1}); err != nil {
		t.Fatal(err)
	}
	s.forgetRings(map[uint64]uint64{at: 300})
	if !s.isAt(at, 400) || s.isAt(300, 300) {
		t.Errorf("the next ring is known: %v, the one before: %v", s.isAt(at, 400), s.isAt(300, 300))
	}
	if s.maps[bpf.KernelMapOperations].Lookup(flying, new(bpf.KernelOperation)) != nil {
		t.Error("the next ring's operation in flight was forgotten")
	}
}
