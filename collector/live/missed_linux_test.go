// SPDX-License-Identifier: Apache-2.0

package live

import "testing"

// TestCopies: the state program has a copy on every kernel, others where runs are left out often, and what would be told twice none.
func TestCopies(t *testing.T) {
	for _, c := range []struct {
		kernel, program string
		want            int
	}{
		{"5.10.0", "set_state_old", 1},
		{"6.18.5", "set_state", 1},
		{"7.0.0", "set_state", 2},
		{"6.18.5", "destroy_sock", 0},
		{"7.3.4", "destroy_sock", 2},
		{"7.3.4", "sched_switch", 0},
	} {
		s := &Session{copies: leavesOutRuns(c.kernel)}
		if got := s.copiesOf(c.program); got != c.want {
			t.Errorf("%s on %s has %d further copies, want %d", c.program, c.kernel, got, c.want)
		}
	}
}

// TestUnseen: what any copy saw is not missing, however many runs of the others were left out.
func TestUnseen(t *testing.T) {
	for _, c := range []struct {
		name    string
		program uint64
		copies  []uint64
		saved   uint64
		want    uint64
	}{
		{"no copies", 3, nil, 0, 3},
		{"a change that the copy saw, of a socket that nobody watches", 4, []uint64{0, 0}, 3, 0},
		{"all were left out once", 4, []uint64{2, 1}, 3, 1},
		{"more than the copies saved", 4, []uint64{4, 4}, 3, 1},
		{"the copies saved all", 3, []uint64{2}, 3, 0},
		{"what is saved was counted later", 2, []uint64{5}, 3, 0},
	} {
		if got := unseen(c.program, c.copies, c.saved); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
