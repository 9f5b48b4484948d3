// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"testing"
	"time"

	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// TestSwitchAgain: a set that is needed again while it is still being detached is attached again; to detach one keeps nobody
// from reading the ring.
func TestSwitchAgain(t *testing.T) {
	testkit.Root(t)
	testkit.NoLeaks(t)
	s, err := Open(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []probes.Set{probes.Loops, probes.Sched} {
		d := s.demands[set]
		if s.staysOn(set) {
			t.Logf("%s stays attached on this kernel", set)
			s.Need(set)
			s.heedNeeds(monotonic())
			s.heedNeeds(monotonic() + int64(time.Hour))
			if !d.on {
				t.Errorf("%s was detached", set)
			}
			continue
		}
		for range 3 {
			if s.switchSet(set, d, true); !d.on || d.broken {
				t.Fatalf("%s: on %t, broken %t", set, d.on, d.broken)
			}
			began := time.Now()
			s.switchSet(set, d, false)
			if took := time.Since(began); took > 500*time.Millisecond && !testkit.Guest() {
				t.Errorf("to detach %s took %v", set, took)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
