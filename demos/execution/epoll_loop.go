// SPDX-License-Identifier: Apache-2.0

package execution

import "beltrace/demos/demo"

func epollLoop() demo.Demo {
	d := demoOf("epoll-loop", "one thread, non-blocking sockets, and epoll for all of them", serveByEpoll, epollLoopLesson())
	d.Missing = missingEpoll
	return d
}

func epollLoopLesson() demo.Lesson {
	return demo.Lesson{
		Title: "One thread that never waits for one client",
		Steps: []demo.Step{
			stepPair: {
				Title: "nobody in the way",
				Text: "One thread again, but its sockets are non-blocking: read and accept say EAGAIN instead of sleeping. The only call that sleeps is epoll_wait, and it waits for all sockets at once: whichever has something to say wakes the thread.\n" +
					"The question to the database is a descriptor among the others: the loop asks, notes who wants the answer, and goes on. So the second client is accepted and answered while the first one waits.",
				Page:   "listeners",
				Claims: []demo.Claim{secondIsTaken},
			},
			stepCrowd: {
				Title: "sixteen clients, one thread",
				Text: "All sixteen are accepted in a moment and wait for their databases side by side. It is how nginx, redis and Node work: the cost of a client is a little memory, not a thread.\n" +
					"Nobody stands in line to be accepted. But look at the requests: who wants something quick comes after those who compute.",
				Page:   "requests",
				Claims: []demo.Claim{oneAcceptor, servedTogether},
			},
			stepThreads: {
				Title: "what a loop must not do",
				Text: "The thread sleeps in epoll_wait alone, for all clients at once. What it cannot do is compute: while it hashes for 2 ms for one client, fifteen others wait, ready as they may be. One thread uses one CPU.\n" +
					"And whoever blocks in a loop blocks everybody: a read from a slow disk, a lock, a name to be looked up. Servers run one loop for each CPU, and give the rest to threads.",
				Page: "workers",
				Claims: []demo.Claim{{
					Text:  "the same single thread wrote all answers",
					Needs: []string{factTurn},
					Check: answeredBy(1, 1),
				}, {
					Text:  "when the thread slept, it was in epoll_wait: for all of them at once",
					Needs: []string{factBlocked},
					Check: sleptIn(answers, 90, "epoll_wait", "epoll_pwait"),
				}},
			},
		},
	}
}
