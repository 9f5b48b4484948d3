// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"

	"beltrace/collector/model"
)

const (
	herdAtLeast = 20    // connections
	herdEach    = 1.0   // wake-ups in vain for each of them
	herdHurts   = 100.0 // of them a second: more than a note
)

// thunderingHerd: a connection wakes several threads, and all but one find nobody.
var thunderingHerd = rule{
	id: "thundering-herd",
	mechanism: "Several threads wait for the same listening socket, each in an epoll instance of its own (or in poll). A connection wakes all of them (ep_poll_callback once for each instance). One takes it; accept() says EAGAIN to the others (inet_csk_accept): " +
		"a wake-up, two context switches and two system calls for nothing, for each of them and each connection.",
	listener: func(l *listener) *evidence {
		before := l.ago(span)
		var accepts, vain uint64
		processes := 0
		for pid, now := range l.now.takers {
			then := before.takers[pid]
			n, empty := grown(now.accepts, then.accepts), grown(now.empty, then.empty)
			accepts += n
			vain += empty - min(empty, n) // who accepts until nobody is left finds nobody once for each go
			if n+empty > 0 {
				processes++
			}
		}
		each := float64(vain) / float64(max(accepts, 1))
		if accepts < herdAtLeast || l.now.askers < 2 || each < herdEach {
			return nil
		}
		rate := l.rate(0, vain, before.ts)
		e := &evidence{severity: model.Note, weight: each,
			text: fmt.Sprintf("threads were woken in vain %s in the last 10 s, %s for each connection that was accepted: accept found nobody. %d threads of %s wait for the same socket",
				timesIn(vain), digits(each), l.now.askers, processesOf(processes)),
			numbers: map[string]float64{"vain_10s": float64(vain), "accepted_10s": float64(accepts), "vain_each": each, "threads": float64(l.now.askers), "processes": float64(processes)},
			remedy: "Let the kernel wake one only: add the listening socket with EPOLLEXCLUSIVE (nginx does so from 1.11.3 on), give each thread or process a socket of its own (SO_REUSEPORT; nginx: listen … reuseport), " +
				"or wait in a blocking accept. Or let one thread accept and hand connections on."}
		if rate >= herdHurts {
			e.severity = model.Warning
		}
		return e
	},
}

func processesOf(n int) string {
	if n == 1 {
		return "one process"
	}
	return fmt.Sprintf("%d processes", n)
}
