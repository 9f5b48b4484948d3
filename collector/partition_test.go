// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestReached: how a thread comes to bytes that were there from 100 ms on, and read them at 130 ms.
func TestReached(t *testing.T) {
	const ms = int64(time.Millisecond)
	for name, c := range map[string]struct {
		in   moves
		want map[string]int64
	}{
		"it slept, and was woken": {moves{waking: 100*ms + 5, runnable: 100*ms + 9, oncpu: 110 * ms, other: 90 * ms},
			map[string]int64{phaseWaiting: 5, phaseWakeup: 4, phaseRunqueue: 10*ms - 9, phaseRead: 20 * ms}},
		"it answered another request meanwhile": {moves{waking: 80 * ms, runnable: 80 * ms, oncpu: 81 * ms, other: 128 * ms},
			map[string]int64{phaseWaiting: 30 * ms}},
		"it slept in another's handler meanwhile": {moves{waking: 110 * ms, runnable: 110 * ms, oncpu: 111 * ms, other: 128 * ms},
			map[string]int64{phaseWaiting: 28 * ms, phaseRead: 2 * ms}},
		"it was woken for several, and this one was the last": {moves{waking: 100*ms + 5, runnable: 100*ms + 9, oncpu: 101 * ms, other: 128 * ms},
			map[string]int64{phaseWaiting: 5 + 27*ms, phaseWakeup: 4, phaseRunqueue: ms - 9, phaseRead: 2 * ms}},
		"it was preempted behind another's answer": {moves{waking: 80 * ms, runnable: 80 * ms, oncpu: 128 * ms, other: 120 * ms},
			map[string]int64{phaseWaiting: 20 * ms, phaseRunqueue: 8 * ms, phaseRead: 2 * ms}},
		"it slept once more, behind another's answer": {moves{waking: 124 * ms, runnable: 125 * ms, oncpu: 126 * ms, other: 120 * ms},
			map[string]int64{phaseWaiting: 24 * ms, phaseWakeup: ms, phaseRunqueue: ms, phaseRead: 4 * ms}},
		"it came by itself":       {moves{oncpu: 81 * ms, other: 90 * ms}, map[string]int64{phaseWaiting: 30 * ms}},
		"threads are not watched": {moves{}, map[string]int64{phaseUnobserved: 30 * ms}},
	} {
		c.in.first = 130 * ms
		p := newPartition(100*ms, 130*ms)
		p.reached(&c.in, 100*ms)
		p.until(c.in.first, phaseRead)
		if diff := cmp.Diff(c.want, p.phases); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
