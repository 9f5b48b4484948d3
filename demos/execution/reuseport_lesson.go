// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

func reuseportLesson() demo.Lesson {
	return demo.Lesson{
		Title: "A listening socket for each thread",
		Steps: []demo.Step{
			stepPair: {
				Title: "the kernel throws a die",
				Text: "With SO_REUSEPORT four sockets listen at the same address. Each has its own accept queue and its own thread. When a SYN comes, the kernel computes a hash of both addresses and ports, and that decides which socket gets it.\n" +
					"Nobody asks which thread is free. If the hash sends the second client to the first one's socket, it waits there, and three threads have nothing to do. If not, it is served at once.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "four sockets listen at one address",
					Needs: []string{factAccept},
					Check: checkSockets,
				}, {
					Text:  "the second client waited for the first one only if it was in the same queue",
					Needs: []string{factAccept, factWait, "listener"},
					Check: checkPairByHash,
				}},
			},
			stepCrowd: {
				Title: "four queues, of different length",
				Text: "Sixteen clients are four for each socket, on average: a die that is thrown sixteen times seldom shows each side four times. The longest of the queues decides when the last client is served.\n" +
					"Look at the four rows, and at how long their clients waited.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "each socket's clients were accepted by one thread, and by no other",
					Needs: []string{factAccept, "listener"},
					Check: checkOwnThread,
				}, {
					Text:  "the shares are uneven",
					Needs: []string{factAccept, "listener"},
					Check: checkUneven,
				}},
			},
			stepThreads: {
				Title: "nothing is shared, for better and worse",
				Text: "Threads or processes share no lock and no line in which they wait: it scales with CPUs and with very many short connections. With few long ones it is uneven, and one thread has nothing to do beside another's queue.\n" +
					"And whoever closes such a socket, as at a restart, resets the clients who wait in its queue.",
				Page: "workers",
				Claims: []demo.Claim{{
					Text:  "a client waited in one queue while another queue's thread had nobody to serve",
					Needs: []string{factAccept, factWait, "listener"},
					Check: checkIdle,
				}},
			},
		},
	}
}

// sockets returns the cookies of the server's listening sockets.
func sockets(s demo.Seen) []uint64 {
	var out []uint64
	for i := range s.Listeners {
		if s.Listeners[i].Local == s.Server.Addr {
			out = append(out, s.Listeners[i].Conn)
		}
	}
	return out
}

func checkSockets(s demo.Seen) demo.Verdict {
	n := len(sockets(s))
	e := demo.Evidence{}.With("listening_sockets", int64(n))
	if n < Team || len(s.Steps) == 0 {
		return pending(s, e, "they were not seen")
	}
	return demo.Equal(e, "listening sockets", n, Team)
}

// queued is a client's way through the queue of one of several sockets.
type queued struct {
	stay
	came   int64 // into the queue
	socket uint64
}

// queues returns a step's clients that were accepted and are gone.
func queues(s demo.Seen, step int) []queued {
	var out []queued
	for _, c := range s.Served(step) {
		at := demo.Moment(&c, event.Accept)
		if at != 0 && c.Closed.Known && c.PID.Known && c.TID.Known && c.Listener.Known {
			out = append(out, queued{
				stay: stay{thread{c.PID.V, c.TID.V}, at, c.Closed.V, c.WaitNS}, came: demo.Moment(&c, event.Established), socket: c.Listener.V,
			})
		}
	}
	return out
}

func checkPairByHash(s demo.Seen) demo.Verdict {
	all := queues(s, stepPair)
	if len(all) < 2 {
		return pending(s, nil, "two clients were not accepted")
	}
	first, second := all[0], all[1]
	same := int64(0)
	if first.socket == second.socket {
		same = 1
	}
	e := demo.Evidence{}.With("same_queue", same).With("second_waited_ns", second.wait.V).With("first_stayed_ns", first.left-first.accepted)
	waited := second.accepted >= first.left-slack
	switch {
	case !second.wait.Known:
		return demo.Unable("the second client's wait in the accept queue was not seen")
	case waited != (same == 1):
		return demo.Refute(e, "it did not")
	}
	return demo.Prove(e)
}

// theQueues returns a check of the crowd in its queues.
func theQueues(decide func(demo.Seen, []queued) demo.Verdict) check {
	return func(s demo.Seen) demo.Verdict {
		all := queues(s, stepCrowd)
		if len(all) != Crowd {
			return pending(s, demo.Evidence{}.With("clients", int64(len(all))), "not all clients were seen to be accepted and to leave")
		}
		return decide(s, all)
	}
}

func checkOwnThread(s demo.Seen) demo.Verdict {
	return theQueues(func(_ demo.Seen, all []queued) demo.Verdict {
		by, of := map[uint64]thread{}, map[thread]uint64{}
		e := demo.Evidence{}.With("clients", int64(len(all)))
		for _, q := range all {
			if t, ok := by[q.socket]; ok && t != q.thread {
				return demo.Refute(e, "two threads accepted from one socket")
			}
			if socket, ok := of[q.thread]; ok && socket != q.socket {
				return demo.Refute(e, "one thread accepted from two sockets")
			}
			by[q.socket], of[q.thread] = q.thread, q.socket
		}
		e = e.With("sockets", int64(len(by))).With("threads", int64(len(of)))
		if len(by) < 2 {
			return demo.Unable("the hash sent everybody to one socket")
		}
		return demo.Prove(e)
	})(s)
}

// checkUneven proves that the hash is no fair share. Now and then it is, by chance.
func checkUneven(s demo.Seen) demo.Verdict {
	return theQueues(func(s demo.Seen, all []queued) demo.Verdict {
		shares := map[uint64]int{}
		for _, socket := range sockets(s) {
			shares[socket] = 0
		}
		for _, q := range all {
			shares[q.socket]++
		}
		counts := []int{}
		for _, n := range shares {
			counts = append(counts, n)
		}
		most, least := slices.Max(counts), slices.Min(counts)
		if most-least < 2 {
			return demo.Unable("this time the hash shared them out evenly, by chance")
		}
		return demo.Prove(demo.Evidence{}.With("most", int64(most)).With("least", int64(least)).With("sockets", int64(len(shares))))
	})(s)
}

// checkIdle looks for a moment at which one waited although another socket's thread served nobody.
func checkIdle(s demo.Seen) demo.Verdict {
	return theQueues(func(s demo.Seen, all []queued) demo.Verdict {
		var longest int64
		var idle model.Opt[int64]
		for _, q := range all {
			for _, socket := range sockets(s) {
				if ns := q.accepted - max(q.came, busyUntil(all, socket, q)); ns > longest {
					longest, idle = ns, model.Some(int64(len(served(all, socket))))
				}
			}
		}
		e := demo.Evidence{}.With("waited_beside_an_idle_thread_ns", longest).With("that_one_served", idle.V)
		if longest < 5*slack {
			return demo.Unable("this time no queue was empty while another was not, by chance")
		}
		return demo.Prove(e)
	})(s)
}

// served returns who came to a socket.
func served(all []queued, socket uint64) []queued {
	var out []queued
	for _, q := range all {
		if q.socket == socket {
			out = append(out, q)
		}
	}
	return out
}

// busyUntil is when a socket's thread had served the last of those that it accepted before q was accepted; q's own socket is
// busy until then.
func busyUntil(all []queued, socket uint64, q queued) int64 {
	if socket == q.socket {
		return q.accepted
	}
	var until int64
	for _, other := range served(all, socket) {
		if other.came < q.accepted {
			until = max(until, other.left)
		}
	}
	return until
}
