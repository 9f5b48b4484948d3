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
