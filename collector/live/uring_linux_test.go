// SPDX-License-Identifier: Apache-2.0

package live

import (
	"math/bits"
	"testing"
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
